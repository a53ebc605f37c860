//! What a snapshot is made of.

use std::fmt;

use crate::machine::command::Kind;
use crate::machine::names::{
    Data, Fence, Name, NodeId, Owner, RequestId, SessionId, SessionInfo, WaitId, WaitTimeout,
};

/// Everything that a machine knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The next grant's number.
    pub next_fence: u64,
    /// The next wait's number.
    pub next_wait: u64,
    /// Orders places, issues and watches.
    pub serial: u64,
    /// How many times a resource was emptied.
    pub emptied_mark: u64,
    /// The nodes that joined and are not gone, in order.
    pub nodes: Vec<NodeId>,
    /// Sessions, in order of their ids.
    pub sessions: Vec<SessionSnapshot>,
    /// Known or watched resources, in order of their names.
    pub resources: Vec<ResourceSnapshot>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSnapshot {
    /// Who it is.
    pub info: SessionInfo,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// Whether it was condemned: it has ended, but for its holds.
    pub condemned: bool,
}

/// A resource and what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSnapshot {
    /// Its name.
    pub name: Name,
    /// Whether it is known.
    pub known: bool,
    /// What it is, or was before it was emptied.
    pub last: Kind,
    /// The number by which it is among the emptied.
    pub emptied: Option<u64>,
    /// Who holds it, if it is a lock.
    pub lock: Option<(SessionId, Fence)>,
    /// Its tickets, in order of their age in the resource.
    pub tickets: Vec<TicketSnapshot>,
    /// Its queue, first to last.
    pub waits: Vec<WaitSnapshot>,
    /// Its watches, oldest first.
    pub watches: Vec<WatchSnapshot>,
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketSnapshot {
    /// Its name.
    pub name: Name,
    /// What it carries.
    pub data: Data,
    /// Who issued it.
    pub issuer: SessionId,
    /// Who holds it.
    pub claim: Option<(SessionId, Fence)>,
    /// Whether its issuer is told of claims.
    pub notify: bool,
    /// Order among the free.
    pub place: u64,
    /// Order among its issuer's.
    pub issued: u64,
}

/// A wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitSnapshot {
    /// Its number.
    pub id: WaitId,
    /// Who waits.
    pub session: SessionId,
    /// For that very ticket.
    pub ticket: Option<Name>,
    /// How long the socket waits, if it does.
    pub socket: Option<WaitTimeout>,
    /// The requests that wait.
    pub requests: Vec<RequestId>,
    /// Whether others of the session that ask for the same join it.
    pub merges: bool,
}

/// A watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchSnapshot {
    /// Who watches.
    pub session: SessionId,
    /// Whether every change is told.
    pub changes: bool,
    /// Order among all watches.
    pub number: u64,
}

/// Why an image is not one of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadSnapshot {
    /// It names a session that it does not have.
    UnknownSession(SessionId),
    /// Two sessions, resources or tickets have the same name.
    Twice,
    /// A resource is of both kinds, or a number is out of order.
    Contradiction,
}

impl fmt::Display for BadSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSession(id) => write!(f, "the image lacks {id:?}, which it names"),
            Self::Twice => f.write_str("the image has something twice"),
            Self::Contradiction => f.write_str("the image contradicts itself"),
        }
    }
}

impl std::error::Error for BadSnapshot {}
