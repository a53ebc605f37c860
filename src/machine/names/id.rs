//! Numbers and ids: of sessions, waits, requests and grants.

use std::fmt;

/// First integer that a JSON reader may round: fences and wait ids stay below it.
pub const NUMBER_END: u64 = 1 << 53;

/// A session's id: the 20 bytes of a KSUID, drawn outside the machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 20]);

impl fmt::Debug for SessionId {
    /// Ids are secrets: whoever knows one can act as its session. Logs get six digits of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [.., a, b, c] = self.0;
        write!(f, "session-{a:02x}{b:02x}{c:02x}")
    }
}

/// Number of a place in a queue; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitId(pub u64);

/// A server among those that share a log, from when it joins until it leaves or is buried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u64);

impl NodeId {
    /// The one server of a log of its own. It has joined always; each start buries its former run.
    pub const ALONE: Self = Self(0);
}

/// A waiting REST request, by the node that has its connection, which numbers it. Means nothing
/// when the node is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// Which node has the connection.
    pub node: NodeId,
    /// Which of its requests it is.
    pub n: u64,
}

impl RequestId {
    /// A request of a server that has a log of its own.
    #[must_use]
    pub const fn alone(n: u64) -> Self {
        Self { node: NodeId::ALONE, n }
    }
}

/// Number of a grant: strictly increasing over the whole server, below 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

/// A delay's number. It grows with every delay of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DelayId(pub u64);
