//! What the machine can be told, what it answers and what it refuses.

use std::fmt;
use std::sync::Arc;

use super::names::{
    Data, Fence, Name, RequestId, SessionId, SessionInfo, SessionName, Ttl, WaitId, WaitRequest,
};

/// Everything that can change the machine. Random and external values are drawn outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A server process starts: fences go on from `fence` at least; the waits of requests,
    /// whose connections are gone, leave their queues.
    Boot {
        /// Lowest fence to hand out from now on.
        fence: Fence,
    },
    /// A session begins.
    Open {
        /// Its id; must be new.
        session: SessionId,
        /// Its name.
        name: SessionName,
        /// Its TTL.
        ttl: Ttl,
        /// The address it comes from.
        source: Box<str>,
    },
    /// A session ends because it says so.
    Close {
        /// Which.
        session: SessionId,
    },
    /// Sessions whose TTL ran out end, a slice of many that fell due together: their waits leave
    /// their queues, what they issued vanishes, and nobody knows them any more. Their holds stand
    /// until an `Expire` names them, or a `Boot` comes. Unknown ones are passed over.
    Condemn {
        /// Which, in the order in which they fell due.
        sessions: Vec<SessionId>,
    },
    /// Sessions whose TTL ran out end together, in one step. Of condemned ones the holds pass on.
    /// Unknown ones are passed over.
    Expire {
        /// Which, in the order in which they fell due.
        sessions: Vec<SessionId>,
    },
    /// A session issues a ticket, or issues it again: data and issuer change, the rest stays.
    Issue {
        /// The issuer.
        session: SessionId,
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
        /// What it carries.
        data: Data,
        /// Whether the issuer is told of claims and releases.
        notify: bool,
    },
    /// A ticket vanishes. Any session may do this.
    Revoke {
        /// Who does it.
        session: SessionId,
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
    },
    /// A session wants a ticket.
    Claim {
        /// Who.
        session: SessionId,
        /// Where.
        resource: Name,
        /// That very ticket, or any.
        ticket: Option<Name>,
        /// How to wait when none is free.
        wait_request: Option<WaitRequest>,
        /// Without a name: whether one that is already held is granted again (as REST does)
        /// instead of one more (as the socket does).
        again: bool,
    },
    /// A session gives a ticket back.
    Release {
        /// Who.
        session: SessionId,
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
        /// Only that grant.
        fence: Option<Fence>,
        /// Whether it came by the session's socket: then the socket needs no event.
        by_socket: bool,
    },
    /// A session wants a lock.
    Lock {
        /// Who.
        session: SessionId,
        /// The lock.
        resource: Name,
        /// How to wait when it is not free.
        wait_request: Option<WaitRequest>,
    },
    /// A session gives a lock back.
    Unlock {
        /// Who.
        session: SessionId,
        /// The lock.
        resource: Name,
        /// Only that grant.
        fence: Option<Fence>,
        /// Whether it came by the session's socket: then the socket needs no event.
        by_socket: bool,
    },
    /// A session's socket gives up a wait.
    Cancel {
        /// Who.
        session: SessionId,
        /// The wait.
        wait: WaitId,
    },
    /// The time of a socket's wait is up.
    TimeOut {
        /// The wait.
        wait: WaitId,
    },
    /// A REST request stops waiting: its time is up or its client hung up.
    Withdraw {
        /// The wait.
        wait: WaitId,
        /// The request.
        request: RequestId,
    },
    /// A session wants to be told how a resource changes.
    Watch {
        /// Who.
        session: SessionId,
        /// What.
        resource: Name,
        /// Every change, or only when something becomes available.
        changes: bool,
    },
    /// A session no longer wants to be told.
    Unwatch {
        /// Who.
        session: SessionId,
        /// What.
        resource: Name,
    },
    /// Resources that have been empty for a while are forgotten, oldest first, at most
    /// [`super::FORGET_SLICE`] at a time.
    Forget {
        /// Those emptied up to this number (see [`super::Machine::emptied_mark`]).
        up_to: u64,
    },
}

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

impl Applied {
    pub(super) fn new(command: &Command, reply: Result<Reply, Refusal>) -> Self {
        let changed = match &reply {
            Err(_) | Ok(Reply::NotGranted | Reply::Released(false) | Reply::Cancelled(false)) => {
                false
            }
            Ok(Reply::Granted { fresh: false, .. }) => {
                let waits = matches!(
                    command,
                    Command::Lock { wait_request: Some(_), .. }
                        | Command::Claim { wait_request: Some(_), .. }
                );
                waits
            }
            Ok(_) => true,
        };
        Self { reply, changed }
    }
}

/// Why a command changed nothing, in order of precedence: of several reasons the first is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
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
    /// The lock is held by another, or by another grant.
    NotHolder,
    /// The named ticket is claimed by another, and the command did not ask to wait.
    TicketHeld,
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
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SessionNotFound => "session not found",
            Self::ResourceNotFound => "resource not found",
            Self::WrongKind => "resource is of the other kind",
            Self::TicketNotFound => "ticket not found",
            Self::NotLocked => "not locked",
            Self::NotHolder => "held by another",
            Self::TicketHeld => "ticket is claimed by another session",
            Self::Limit(Limit::Holds) => "a session holds at most 10000 locks and tickets",
            Self::Limit(Limit::Waits) => "a session has at most 10000 waits",
            Self::Limit(Limit::Watches) => "a session has at most 10000 watches",
            Self::Limit(Limit::Issued) => "a session issues at most 100000 tickets",
            Self::Limit(Limit::Waiters) => "a resource has at most 100000 waiters",
        })
    }
}

impl std::error::Error for Refusal {}
