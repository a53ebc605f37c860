//! What the machine refuses, and why.

use std::fmt;

/// Why a command changed nothing, in order of precedence: of several reasons the first is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The rights of who asks do not reach so far, whether or not there is what it names.
    Forbidden,
    /// No such session, or it has ended.
    SessionNotFound,
    /// No such resource.
    ResourceNotFound,
    /// A lock was taken for a ticket resource or the other way round.
    WrongKind,
    /// No such ticket.
    TicketNotFound,
    /// The lock is free.
    NotLocked,
    /// It is held by another, by another grant, or by nobody any more.
    NotHolder,
    /// The named ticket is claimed by another, and the command did not ask to wait.
    TicketHeld,
    /// There is such a ticket already, and it was to be new.
    TicketExists,
    /// A count of the limits (protocol, section 6) is used up.
    Limit(Limit),
}

/// Which count is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Holds of the session.
    Holds,
    /// Waits of the session.
    Waits,
    /// Watches of the session.
    Watches,
    /// Tickets that the session issued.
    Issued,
    /// Waits in the resource's queue.
    Waiters,
    /// Tickets of the resource.
    Tickets,
    /// Resources that are paused.
    Paused,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forbidden => "not allowed",
            Self::SessionNotFound => "session not found",
            Self::ResourceNotFound => "resource not found",
            Self::WrongKind => "resource is of the other kind",
            Self::TicketNotFound => "ticket not found",
            Self::NotLocked => "not locked",
            Self::NotHolder => "held by another",
            Self::TicketHeld => "ticket is claimed by another session",
            Self::TicketExists => "there is such a ticket already",
            Self::Limit(Limit::Holds) => "a session holds at most 10000 locks and tickets",
            Self::Limit(Limit::Waits) => "a session has at most 10000 waits",
            Self::Limit(Limit::Watches) => "a session has at most 10000 watches",
            Self::Limit(Limit::Issued) => "a session issues at most 100000 tickets",
            Self::Limit(Limit::Waiters) => "a resource has at most 100000 waiters",
            Self::Limit(Limit::Tickets) => "a resource has at most 1000000 tickets",
            Self::Limit(Limit::Paused) => "at most 10000 resources are paused",
        })
    }
}

impl std::error::Error for Refusal {}
