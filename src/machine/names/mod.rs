//! The machine's vocabulary: ids, names, durations and numbers, parsed once and then trusted.

mod id;
mod limits;
mod name;
mod owner;
mod session;
mod time;
mod wait;

pub use id::{DelayId, Fence, NUMBER_END, NodeId, RequestId, SessionId, WaitId};
pub use limits::{
    ATTEMPTS_MAX, CIRCLE_STEPS_MAX, CLAIM_FIRST_MAX, DATA_MAX_BYTES, DELAY_MAX_MS, FORGET_SLICE,
    HOLD_MAX_MS, HOLD_MIN_MS, HOLDERS_MAX, HOLDS_MAX, ISSUED_MAX, LOSS_DELAY_MAX_MS,
    NAME_MAX_BYTES, NOTE_MAX_BYTES, PAUSED_MAX, PRIORITY_MAX, REVIVE_SLICE, SERVE_SLICE,
    TICKETS_MAX, TTL_MAX_MS, TTL_MIN_MS, WAIT_MAX_MS, WAITERS_MAX, WAITS_MAX, WATCHES_MAX,
};
pub use name::{BadName, Data, Name, Note, SessionName};
pub use owner::{Account, AccountCounts, Owner};
pub use session::{SessionInfo, SessionRef};
pub use time::{Ttl, WaitTimeout};
pub use wait::{Sought, WaitOrigin, WaitRequest};
