//! What the machine answers.

use std::sync::Arc;

use super::ask::Mode;
use super::refusal::Refusal;
use crate::machine::names::{Data, Fence, Name, SessionInfo, SessionName, WaitId};

/// What kind of thing a resource is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A set of tickets.
    Tickets,
    /// A lock.
    Lock,
}

/// A resource in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What stands in it fixes its kind; `None` when nothing does.
    pub kind: Option<Kind>,
    /// Tickets that anybody may claim.
    pub free: u32,
    /// Tickets claimed, or grants of a lock in force.
    pub held: u32,
    /// Waits in its queue.
    pub waiting: u32,
    /// Tickets that are free only later.
    pub delayed: u32,
    /// Tickets that go to nobody any more.
    pub dead: u32,
    /// Whether nothing of it is newly granted.
    pub paused: bool,
}

/// A session, which may be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    /// It is here.
    Here(Arc<SessionInfo>),
    /// It is gone, but for its name.
    Gone(SessionName),
}

impl Party {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &SessionName {
        match self {
            Self::Here(info) => &info.name,
            Self::Gone(name) => name,
        }
    }
}

/// A lock, granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockGrant {
    /// The lock.
    pub resource: Name,
    /// The number of the grant.
    pub fence: Fence,
    /// How many wait behind the holder.
    pub waiting: u32,
    /// In which mode.
    pub mode: Mode,
}

/// A ticket, granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketGrant {
    /// Where.
    pub resource: Name,
    /// The ticket.
    pub ticket: Name,
    /// What it carries.
    pub data: Data,
    /// The number of the grant.
    pub fence: Fence,
    /// Who issued it.
    pub issuer: Party,
    /// Who has it now.
    pub claimant: Arc<SessionInfo>,
    /// The how manieth attempt it is, when tickets of this kind are counted: those that stay, have
    /// a bound of attempts, or are held for a time.
    pub attempt: Option<u32>,
    /// How long it lasts, in ms, unless it is touched.
    pub hold_ms: Option<u32>,
}

/// A session that waits in a circle of such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedSession {
    /// Which.
    pub session: Arc<SessionInfo>,
    /// What it waits for.
    pub resource: Name,
}

/// Either kind of grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Of a lock.
    Lock(LockGrant),
    /// Of a ticket.
    Ticket(TicketGrant),
}

impl Grant {
    /// The number of the grant.
    #[must_use]
    pub fn fence(&self) -> Fence {
        match self {
            Self::Lock(grant) => grant.fence,
            Self::Ticket(grant) => grant.fence,
        }
    }
}

/// What an accepted command answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done; nothing more to say.
    Done,
    /// Granted.
    Granted {
        /// What.
        grant: Grant,
        /// Whether the grant is new; false confirms one that was held already.
        fresh: bool,
    },
    /// Not free, and the command did not ask to wait.
    NotGranted,
    /// Not free; the session has a place in the queue.
    Queued {
        /// The place.
        wait: WaitId,
        /// Counted from 1.
        position: u32,
    },
    /// It would wait for ever: those that wait for each other, the one who asked first.
    Deadlock(Vec<BlockedSession>),
    /// How long the claim lasts from now on, in ms, if it ends by itself.
    Touched(Option<u32>),
    /// How many dead tickets are free again.
    Revived(u32),
    /// Whether `Pause` or `Serve` left some for a further slice.
    Served {
        /// More waits are to be granted.
        more: bool,
    },
    /// Whether anything was released.
    Released(bool),
    /// Whether a wait was given up.
    Cancelled(bool),
    /// Whether a session got the owner just now, or had it already.
    Adopted(bool),
    /// The watched resource as it is now.
    Watching(Figures),
    /// Whether `Forget` left some for a further slice.
    Forgotten {
        /// More are to be forgotten up to the same number.
        more: bool,
    },
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// What it answers; a refusal changed nothing.
    pub reply: Result<Reply, Refusal>,
    /// Whether anything changed: a log and a replay do without a command that changed nothing.
    pub changed: bool,
}
