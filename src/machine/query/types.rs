//! What those who query are shown.

use std::sync::Arc;

use crate::machine::command::{Figures, Grant, Kind};
use crate::machine::names::{Data, Fence, Name, SessionInfo, SessionName, WaitId, WaitTimeout};

/// All that a session has: the answer to `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionState {
    /// Who it is.
    pub info: Arc<SessionInfo>,
    /// Its locks and claims, in order of their fences.
    pub holds: Vec<Grant>,
    /// Its waits by socket, oldest first.
    pub waits: Vec<WaitState>,
    /// What it watches, oldest first.
    pub watches: Vec<WatchState>,
    /// The tickets that it issued, oldest first.
    pub issued: Vec<IssuedState>,
}

/// A place in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitState {
    /// Its number.
    pub wait: WaitId,
    /// The queue's resource.
    pub resource: Name,
    /// Whether for a lock or for a ticket.
    pub kind: Kind,
    /// That very ticket.
    pub ticket: Option<Name>,
    /// Counted from 1.
    pub position: u32,
    /// How long it lasts at most.
    pub timeout: WaitTimeout,
}

/// A watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchState {
    /// What is watched.
    pub resource: Name,
    /// Whether every change is told.
    pub changes: bool,
    /// How it stands.
    pub figures: Figures,
}

/// A ticket, as its issuer's state lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedState {
    /// Where.
    pub resource: Name,
    /// The ticket.
    pub ticket: Name,
    /// Whether somebody holds it.
    pub claimed: bool,
}

/// A ticket with the sessions around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketView {
    /// Where.
    pub resource: Name,
    /// The ticket.
    pub ticket: Name,
    /// What it carries.
    pub data: Data,
    /// Who issued it.
    pub issuer: Arc<SessionInfo>,
    /// Who holds it, and by which grant.
    pub claim: Option<(Arc<SessionInfo>, Fence)>,
}

/// A session as dumps show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Who it is.
    pub info: Arc<SessionInfo>,
    /// The tickets that it holds.
    pub claims: Vec<TicketView>,
    /// The tickets that it issued.
    pub issued: Vec<TicketView>,
    /// The locks that it holds.
    pub locks: Vec<Name>,
}

/// A resource as dumps show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceView {
    /// Its name.
    pub name: Name,
    /// Whether it is, or was before it was emptied, a lock.
    pub is_lock: bool,
    /// Who holds the lock.
    pub holder: Option<(Arc<SessionInfo>, Fence)>,
    /// Its tickets.
    pub tickets: Vec<TicketView>,
}

/// What is at stake when a session ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stakes {
    /// The session's name.
    pub name: SessionName,
    /// Locks that it holds.
    pub locks: usize,
    /// Tickets that it holds.
    pub claims: usize,
    /// Its places in queues.
    pub waits: usize,
}

/// How many there are of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Living sessions.
    pub sessions: usize,
    /// Known resources, empty ones included.
    pub resources: usize,
    /// Tickets.
    pub tickets: usize,
    /// Held locks.
    pub locks: usize,
    /// Claimed tickets.
    pub claims: usize,
    /// Places in queues.
    pub waits: usize,
    /// Watches.
    pub watches: usize,
}
