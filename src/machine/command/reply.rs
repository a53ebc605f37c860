//! What the machine answers.

use std::sync::Arc;

use super::refusal::Refusal;
use crate::machine::names::{Data, Fence, Name, SessionInfo, WaitId};

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
    /// Tickets that nobody has claimed.
    pub free: u32,
    /// Tickets claimed, or 1 for a held lock.
    pub held: u32,
    /// Waits in its queue.
    pub waiting: u32,
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
    pub issuer: Arc<SessionInfo>,
    /// Who has it now.
    pub claimant: Arc<SessionInfo>,
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
