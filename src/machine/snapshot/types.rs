//! What a snapshot is made of.

use std::fmt;

use crate::machine::command::{Conduct, Kind, Mode, TicketTerms};
use crate::machine::names::{
    Data, DelayId, Fence, Name, NodeId, Note, Owner, RequestId, SessionId, SessionInfo,
    SessionName, WaitId, WaitTimeout,
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
    /// The time that the machine was told last, in ms since 1970; 0 before.
    pub clock_ms: u64,
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
    /// How it wants to be taken.
    pub conduct: Conduct,
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
    /// Whether it is paused, or how far serving behind a pause has come.
    pub pause: PauseSnapshot,
    /// Who holds it, if it is a lock, in order of the fences.
    pub locks: Vec<HoldSnapshot>,
    /// Its tickets, in order of their age in the resource.
    pub tickets: Vec<TicketSnapshot>,
    /// Its queue, first to last.
    pub waits: Vec<WaitSnapshot>,
    /// Its watches, oldest first.
    pub watches: Vec<WatchSnapshot>,
}

/// How a resource stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PauseSnapshot {
    /// It does not.
    #[default]
    None,
    /// Nothing of it is newly granted.
    Paused,
    /// Its pause has ended, and not all are served yet.
    Serving,
}

/// A grant in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldSnapshot {
    /// Whose.
    pub holder: SnapshotParty,
    /// Its number.
    pub fence: Fence,
    /// When it was granted, in ms since 1970.
    pub since_ms: u64,
    /// In which mode, if it is of a lock.
    pub mode: Mode,
    /// What its holder makes known, if it is of a lock.
    pub data: Option<Data>,
    /// How long it lasts, in ms, if it ends by itself.
    pub hold_ms: Option<u32>,
}

/// A session that something is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotParty {
    /// It is here.
    Here(SessionId),
    /// It is gone, but for its name.
    Gone(SessionName),
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketSnapshot {
    /// Its name.
    pub name: Name,
    /// What it carries.
    pub data: Data,
    /// Who issued it.
    pub issuer: SnapshotParty,
    /// Who holds it.
    pub claim: Option<HoldSnapshot>,
    /// Whether its issuer is told of claims.
    pub notify: bool,
    /// Order among the free, or among the dead.
    pub place: u64,
    /// Order among its issuer's.
    pub issued: u64,
    /// Order among its resource's.
    pub number: u64,
    /// How it was issued; whether it was to be new, and its delay then, are not kept.
    pub terms: TicketTerms,
    /// Attempts that were counted.
    pub attempts: u32,
    /// Its delay, if it is delayed.
    pub delay: Option<DelaySnapshot>,
    /// Whether it goes to nobody any more.
    pub dead: bool,
    /// What was said of it when it was given back last.
    pub note: Option<Note>,
}

/// A ticket's delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelaySnapshot {
    /// Its number.
    pub delay: DelayId,
    /// How long it lasts, in ms.
    pub delay_ms: u32,
    /// When it ends, in ms since 1970.
    pub until_ms: u64,
}

/// A wait's place in one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitSnapshot {
    /// Its number. One that stands in several queues has a place with the same in each.
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
    /// Since when, in ms since 1970.
    pub since_ms: u64,
    /// In which mode, if it is for a lock.
    pub mode: Mode,
    /// What is made known when a lock is granted.
    pub data: Option<Data>,
    /// How long the claim lasts, in ms, if it says so.
    pub hold_ms: Option<u32>,
    /// The how manieth of its wait's queues this is, if it is for the first of several.
    pub of_several: Option<u8>,
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
