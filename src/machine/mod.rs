//! The machine: who holds what, and who is next. It reads no clock, opens no file, awaits nothing
//! and draws no lots; given the same commands it gives the same answers. Replay relies on it.
//!
//! Sessions open and end, tickets are issued, claimed, released and revoked, locks are taken and
//! given back, and whoever must wait stands in a queue (protocol, section 1). Durations are kept
//! here, times are not: when something runs out is the driver's to know and to say.
//!
//! One invariant carries the rest: **no wait stands while something free would be accepted by
//! it.** Whatever becomes free is granted in the same step, so a newcomer can never barge.

mod accounts;
mod apply;
mod arena;
mod change;
mod check;
mod claims;
mod command;
mod event;
mod holds;
mod index;
mod list;
mod locks;
mod names;
mod nodes;
mod query;
mod queue;
mod ranks;
mod rows;
mod sessions;
mod snapshot;
mod tables;
mod tickets;
mod waits;
mod watches;

pub use command::{
    Applied, Command, Figures, Grant, Kind, Limit, LockGrant, Reach, Refusal, Reply, TicketGrant,
};
pub use event::{EndReason, Event, LossReason, WaitEndReason};
pub use names::{
    Account, AccountCounts, BadName, DATA_MAX_BYTES, Data, FORGET_SLICE, Fence, HOLDS_MAX,
    ISSUED_MAX, NAME_MAX_BYTES, NUMBER_END, Name, NodeId, Owner, RequestId, SessionId, SessionInfo,
    SessionName, SessionRef, TTL_MAX_MS, TTL_MIN_MS, Ttl, WAIT_MAX_MS, WAITERS_MAX, WAITS_MAX,
    WATCHES_MAX, WaitId, WaitOrigin, WaitRequest, WaitTimeout,
};
pub use query::{
    Counts, IssuedState, ResourceView, SLICE_MAX, Scan, SessionState, SessionView, Stakes,
    TicketView, WaitState, WatchState,
};
pub use snapshot::{
    BadSnapshot, ResourceSnapshot, SessionSnapshot, Snapshot, TicketSnapshot, WaitSnapshot,
    WatchSnapshot,
};
pub use tables::Machine;
