//! A wish to wait: where its answer goes, and for how long.

use std::sync::Arc;

use super::id::RequestId;
use super::name::Name;
use super::time::WaitTimeout;

/// By which way a session waits. The answer goes back the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOrigin {
    /// By its socket: survives a restart and a change of sockets.
    Socket,
    /// By a REST request: gone when its connection is.
    Request(RequestId),
}

/// The wish to wait when what was asked for is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitRequest {
    /// Where the answer goes.
    pub origin: WaitOrigin,
    /// How long to wait at most; counts for waits by socket (the driver times requests).
    pub timeout: WaitTimeout,
}

/// Where a wait stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sought {
    /// In the queue of that resource.
    One(Name),
    /// In those of several, for a ticket of the first that has one.
    FirstOf(Arc<[Name]>),
}

impl Sought {
    /// All of them.
    #[must_use]
    pub fn resources(&self) -> &[Name] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::FirstOf(names) => names,
        }
    }
}
