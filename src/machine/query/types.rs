//! What those who query are shown.

use std::sync::Arc;

use crate::machine::command::{Figures, Grant, Kind, Mode, Party};
use crate::machine::names::{
    Data, Fence, Name, Note, SessionId, SessionInfo, SessionName, Sought, WaitId, WaitTimeout,
};

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
    /// Where it stands.
    pub sought: Sought,
    /// Whether for a lock or for a ticket.
    pub kind: Kind,
    /// In which mode it waits for a lock.
    pub mode: Mode,
    /// That very ticket.
    pub ticket: Option<Name>,
    /// Counted from 1; of several queues, the least.
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
    /// Whether it outlives its issuer's session.
    pub stays: bool,
}

/// How a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketState {
    /// Anybody may claim it.
    Free,
    /// It is claimed, or was by one that is lost.
    Held,
    /// It is free only later.
    Delayed {
        /// When, in ms since 1970 by the clock that the machine was told.
        until_ms: u64,
    },
    /// It goes to nobody any more.
    Dead,
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
    pub issuer: Party,
    /// Who holds it, and by which grant.
    pub claim: Option<(Party, Fence)>,
    /// How it stands.
    pub state: TicketState,
    /// Orders the tickets of a resource by their age.
    pub number: u64,
    /// 0 to 9; of free tickets the greatest goes first.
    pub priority: u8,
    /// Whether it outlives its issuer's session.
    pub stays: bool,
    /// The how manieth attempt is under way, or comes next.
    pub attempt: u32,
    /// How long the claim under way lasts, in ms, if it ends by itself.
    pub hold_ms: Option<u32>,
    /// What was said of it when it was given back last.
    pub note: Option<Note>,
}

/// A grant in force, as those who look see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderView {
    /// Who has it; one that is gone has lost it.
    pub party: Party,
    /// The ticket, if it is of one.
    pub ticket: Option<Name>,
    /// The number of the grant.
    pub fence: Fence,
    /// When it was granted, in ms since 1970 by the clock that the machine was told.
    pub since_ms: u64,
    /// In which mode, if it is of a lock.
    pub mode: Mode,
    /// What the holder of a lock makes known.
    pub data: Option<Data>,
    /// The how manieth attempt it is, if it is of a ticket.
    pub attempt: Option<u32>,
    /// How long it lasts, in ms, if it ends by itself.
    pub hold_ms: Option<u32>,
}

/// A place in a queue, as those who look see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiterView {
    /// Who waits.
    pub session: Arc<SessionInfo>,
    /// Counted from 1.
    pub position: u32,
    /// Since when, in ms since 1970 by the clock that the machine was told.
    pub since_ms: u64,
    /// Whether for a lock or for a ticket.
    pub kind: Kind,
    /// In which mode it waits for a lock.
    pub mode: Mode,
    /// That very ticket.
    pub ticket: Option<Name>,
}

/// A resource, as those who look see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookView {
    /// In figures.
    pub figures: Figures,
    /// The grants in force, in order of their fences.
    pub holders: Vec<HolderView>,
    /// Who waits, first come first.
    pub waiters: Vec<WaiterView>,
    /// Whether there are more of either.
    pub more: bool,
}

/// Whose claim has its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedClaim {
    /// Who has it.
    pub session: SessionId,
    /// Where.
    pub resource: Name,
    /// The ticket.
    pub ticket: Name,
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
    /// Who holds the lock, in order of the fences.
    pub holders: Vec<(Party, Fence)>,
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
    /// Tickets that are free only later.
    pub delayed: usize,
    /// Tickets that go to nobody any more.
    pub dead: usize,
    /// Places in queues.
    pub waits: usize,
    /// Watches.
    pub watches: usize,
}
