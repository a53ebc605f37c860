//! The machine's vocabulary: ids, names, durations and numbers, parsed once and then trusted.

mod id;
mod limits;
mod name;
mod owner;
mod session;
mod time;
mod wait;

pub use id::{Fence, NUMBER_END, NodeId, RequestId, SessionId, WaitId};
pub use limits::{
    DATA_MAX_BYTES, FORGET_SLICE, HOLDS_MAX, ISSUED_MAX, NAME_MAX_BYTES, TTL_MAX_MS, TTL_MIN_MS,
    WAIT_MAX_MS, WAITERS_MAX, WAITS_MAX, WATCHES_MAX,
};
pub use name::{BadName, Data, Name, SessionName};
pub use owner::{Account, AccountCounts, Owner};
pub use session::{SessionInfo, SessionRef};
pub use time::{Ttl, WaitTimeout};
pub use wait::{WaitOrigin, WaitRequest};
