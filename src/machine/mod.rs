//! The machine: who holds what, and who is next. It reads no clock, opens no file, awaits nothing
//! and draws no lots; given the same commands it gives the same answers. Replay relies on it.
//!
//! Sessions open and end, tickets are issued, claimed, released and revoked, locks are taken and
//! given back, and whoever must wait stands in a queue (protocol, section 1). Durations are kept
//! here, times are not: when something runs out is the driver's to know and to say.
//!
//! One invariant carries the rest: **no wait stands while something free of a resource that is not
//! paused would be accepted by it.** Whatever becomes free is granted in the same step, so a
//! newcomer can never barge.

mod accounts;
mod apply;
mod arena;
mod change;
mod check;
mod circles;
mod claims;
mod command;
mod counting;
mod event;
mod extras;
mod force;
mod free;
mod holds;
mod index;
mod keys;
mod list;
mod locks;
mod names;
mod nodes;
mod pauses;
mod query;
mod queue;
mod ranks;
mod rows;
mod sessions;
mod several;
mod snapshot;
mod tables;
mod tally;
mod tickets;
mod waits;
mod watches;

pub use command::{
    Applied, BlockedSession, Command, Conduct, Figures, Grant, Kind, Limit, LockAsk, LockGrant,
    Mode, Parting, Party, Reach, Refusal, Reply, TicketGrant, TicketTerms,
};
pub use event::{EndReason, Event, LossReason, ReleaseReason, WaitEndReason};
pub use names::{
    ATTEMPTS_MAX, Account, AccountCounts, BadName, CIRCLE_STEPS_MAX, CLAIM_FIRST_MAX,
    DATA_MAX_BYTES, DELAY_MAX_MS, Data, DelayId, FORGET_SLICE, Fence, HOLD_MAX_MS, HOLD_MIN_MS,
    HOLDERS_MAX, HOLDS_MAX, ISSUED_MAX, LOSS_DELAY_MAX_MS, NAME_MAX_BYTES, NOTE_MAX_BYTES,
    NUMBER_END, Name, NodeId, Note, Owner, PAUSED_MAX, PRIORITY_MAX, REVIVE_SLICE, RequestId,
    SERVE_SLICE, SessionId, SessionInfo, SessionName, SessionRef, Sought, TICKETS_MAX, TTL_MAX_MS,
    TTL_MIN_MS, Ttl, WAIT_MAX_MS, WAITERS_MAX, WAITS_MAX, WATCHES_MAX, WaitId, WaitOrigin,
    WaitRequest, WaitTimeout,
};
pub use query::{
    Counts, HolderView, IssuedState, LookView, ResourceView, SLICE_MAX, Scan, SessionState,
    SessionView, Stakes, TicketState, TicketStateKind, TicketView, TimedClaim, WaitState,
    WaiterView, WatchState,
};
pub use snapshot::{
    BadSnapshot, DelaySnapshot, HoldSnapshot, PauseSnapshot, ResourceSnapshot, SessionSnapshot,
    Snapshot, SnapshotParty, TicketSnapshot, WaitSnapshot, WatchSnapshot,
};
pub use tables::Machine;
pub use tally::{Durations, GrantHow, HoldEnd, KindTally, Tally};
