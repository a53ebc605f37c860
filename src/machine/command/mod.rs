//! What the machine can be told.

mod ask;
mod refusal;
mod reply;

pub use ask::{Conduct, LockAsk, Mode, Parting, TicketTerms};
pub use refusal::{Limit, Refusal};
pub use reply::{
    Applied, BlockedSession, Figures, Grant, Kind, LockGrant, Party, Reply, TicketGrant,
};

use super::names::{
    Data, DelayId, Fence, Name, NodeId, Owner, RequestId, SessionId, SessionName, Ttl, WaitId,
    WaitRequest, WaitTimeout,
};

/// Which tickets a session may make vanish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any.
    Any,
    /// Those that it has issued or claimed.
    IssuedOrClaimed,
    /// Those that it has issued.
    Issued,
}

/// Everything that can change the machine. Random and external values are drawn outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A server with a log of its own starts, which joins it and buries its former run: fences go
    /// on from `fence` at least; the waits of its requests, whose connections are gone, leave their
    /// queues; the condemned end.
    Boot {
        /// Lowest fence to hand out from now on.
        fence: Fence,
    },
    /// A node joins those that share the log.
    Join {
        /// Which.
        node: NodeId,
    },
    /// A node stops in order: the waits of its requests leave their queues.
    Leave {
        /// Which.
        node: NodeId,
    },
    /// A node is held dead: the waits of its requests leave their queues.
    Bury {
        /// Which.
        node: NodeId,
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
        /// How it wants to be taken.
        conduct: Conduct,
    },
    /// A session without an owner gets one, which it keeps. Another's is not found.
    Adopt {
        /// Which.
        session: SessionId,
        /// Whose it is from now on.
        owner: Owner,
    },
    /// A session ends because it says so, or another does.
    Close {
        /// Which.
        session: SessionId,
        /// Another does: what it holds is lost, as if its TTL had run out.
        by_other: bool,
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
    /// A session issues a ticket, or issues it again: what is said of it is new, the rest stays.
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
        /// What else is said of it.
        terms: TicketTerms,
    },
    /// A ticket vanishes.
    Revoke {
        /// Who does it.
        session: SessionId,
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
        /// Which tickets it may do that to.
        reach: Reach,
        /// Only if it is claimed by that grant.
        fence: Option<Fence>,
    },
    /// Dead tickets are free again.
    Revive {
        /// Who does it, if it is a session.
        session: Option<SessionId>,
        /// Where.
        resource: Name,
        /// That one, or those that died first, at most [`super::names::REVIVE_SLICE`].
        ticket: Option<Name>,
    },
    /// Tickets whose delay is over are free. Unknown ones are passed over.
    Ripen {
        /// Which, in the order in which they fell due.
        delays: Vec<DelayId>,
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
        /// How long the claim lasts, in ms, if it says so.
        hold_ms: Option<u32>,
    },
    /// A session's socket wants a ticket of the first of several resources that has one.
    ClaimFirst {
        /// Who.
        session: SessionId,
        /// Where: 1 to [`super::names::CLAIM_FIRST_MAX`] different ones.
        resources: Vec<Name>,
        /// How long to wait when none is free.
        wait: Option<WaitTimeout>,
        /// How long the claim lasts, in ms, if it says so.
        hold_ms: Option<u32>,
    },
    /// The time of a claim begins anew.
    Touch {
        /// Who.
        session: SessionId,
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
        /// Only that grant.
        fence: Option<Fence>,
        /// How long it lasts from now on, in ms, if that changes.
        hold_ms: Option<u32>,
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
        /// What becomes of the ticket.
        parting: Parting,
    },
    /// A session wants a lock.
    Lock {
        /// Who.
        session: SessionId,
        /// The lock.
        resource: Name,
        /// How to wait when it is not free.
        wait_request: Option<WaitRequest>,
        /// How it is asked for.
        ask: LockAsk,
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
    /// Grants of a lock or of a ticket end, whoever has them.
    Force {
        /// Who does it, if it is a session.
        by: Option<SessionId>,
        /// Where.
        resource: Name,
        /// The ticket; without it the resource is a lock.
        ticket: Option<Name>,
        /// Only that grant.
        fence: Option<Fence>,
    },
    /// A grant of which nobody could be told is undone, as if it had not been. An unknown one is
    /// passed over.
    TakeBack {
        /// Whose.
        session: SessionId,
        /// Where.
        resource: Name,
        /// The ticket; without it the resource is a lock.
        ticket: Option<Name>,
        /// Which.
        fence: Fence,
    },
    /// The time of claims is up. Unknown ones are passed over.
    EndHolds {
        /// Which, in the order in which they fell due.
        fences: Vec<Fence>,
    },
    /// Holds that were lost have stayed for long enough. Unknown ones are passed over.
    EndLost {
        /// Which, in the order in which they fell due.
        fences: Vec<Fence>,
    },
    /// Nothing of a resource is newly granted from now on, or it is again.
    Pause {
        /// Who does it, if it is a session.
        session: Option<SessionId>,
        /// Which.
        resource: Name,
        /// Whether it stands still.
        paused: bool,
    },
    /// Of a resource whose pause has ended more waits are granted, at most
    /// [`super::names::SERVE_SLICE`].
    Serve {
        /// Which.
        resource: Name,
    },
    /// What time it is.
    Clock {
        /// In ms since 1970.
        ms: u64,
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
    /// A socket may no longer wait for what it waits for.
    Forbid {
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
    /// A session may no longer be told how a resource changes.
    Blind {
        /// Who.
        session: SessionId,
        /// What.
        resource: Name,
    },
    /// Resources that have been empty for a while are forgotten, oldest first, at most
    /// [`super::names::FORGET_SLICE`] at a time.
    Forget {
        /// Those emptied up to this number (see [`super::Machine::emptied_mark`]).
        up_to: u64,
    },
}

impl Command {
    /// The resource that a session's command is about.
    #[must_use]
    pub fn resource(&self) -> Option<&Name> {
        match self {
            Self::Issue { resource, .. }
            | Self::Revoke { resource, .. }
            | Self::Revive { resource, .. }
            | Self::Touch { resource, .. }
            | Self::Force { resource, .. }
            | Self::Pause { resource, .. }
            | Self::Claim { resource, .. }
            | Self::Release { resource, .. }
            | Self::Lock { resource, .. }
            | Self::Unlock { resource, .. }
            | Self::Watch { resource, .. }
            | Self::Unwatch { resource, .. }
            | Self::Blind { resource, .. } => Some(resource),
            _ => None,
        }
    }

    /// All resources that a session's command is about.
    #[must_use]
    pub fn resources(&self) -> &[Name] {
        match self {
            Self::ClaimFirst { resources, .. } => resources,
            other => other.resource().map_or(&[], std::slice::from_ref),
        }
    }
}
