//! What a client may ask by its socket.

use std::fmt;

use crate::machine::{
    Conduct, Data, Fence, LockAsk, Name, Parting, SessionId, SessionName, TicketTerms, Ttl, WaitId,
    WaitTimeout,
};
use crate::wire::problem::Problem;

/// What came in is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoObject;

/// A frame's request.
#[derive(Debug, PartialEq)]
pub struct Request {
    /// The client's number for it; `None` when it gave no proper one.
    pub id: Option<u64>,
    /// Whether it is, or is meant to be, a `hello`.
    pub is_hello: bool,
    /// What it wants, or why that makes no sense.
    pub op: Result<Op, Problem>,
}

/// What a request wants.
#[derive(Debug, PartialEq)]
#[expect(missing_docs, reason = "the members are the contract's")]
pub enum Op {
    /// Open a session or take one over.
    Hello(Hello),
    /// Show another proof.
    Auth { token: ShownToken },
    /// A heartbeat.
    Beat,
    /// Tell me the state again.
    Session,
    /// End the session.
    Bye,
    /// Take a lock.
    Lock { resource: Name, wait: Option<WaitTimeout>, ask: LockAsk, progress: bool },
    /// Give a lock back.
    Unlock { resource: Name, fence: Option<Fence> },
    /// End the grants of a lock, or of a ticket, whoever has them.
    Force { resource: Name, ticket: Option<Name>, fence: Option<Fence> },
    /// Take a ticket.
    Claim { resource: Name, ticket: Option<Name>, wish: ClaimWish },
    /// Take a ticket of the first of several resources that has one.
    ClaimFirst { resources: Vec<Name>, wish: ClaimWish },
    /// Let the time of a claim begin anew.
    Touch { resource: Name, ticket: Name, fence: Option<Fence>, hold_ms: Option<u32> },
    /// Give a ticket back.
    Release { resource: Name, ticket: Name, fence: Option<Fence>, parting: Parting },
    /// Issue a ticket.
    Issue { resource: Name, ticket: Name, data: Data, notify: bool, terms: TicketTerms },
    /// Make a ticket vanish.
    Revoke { resource: Name, ticket: Name, fence: Option<Fence> },
    /// Let dead tickets be free again.
    Revive { resource: Name, ticket: Option<Name> },
    /// Let a resource stand still, or go on.
    Pause { resource: Name, paused: bool },
    /// See who holds and who waits.
    Look { resource: Name, limit: usize },
    /// Give up a wait.
    Cancel { wait: WaitId },
    /// Be told how a resource changes.
    Watch { resource: Name, changes: bool },
    /// No longer be told.
    Unwatch { resource: Name },
}

/// How a ticket is to be claimed, whichever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClaimWish {
    /// How long to wait when none is free.
    pub wait: Option<WaitTimeout>,
    /// How long the claim lasts, in ms, if it says so.
    pub hold_ms: Option<u32>,
    /// Whether to be told how the place in the queue moves.
    pub progress: bool,
}

/// The first request of a socket.
#[derive(Debug, PartialEq)]
pub struct Hello {
    /// Whether the client answers beats instead of pings.
    pub beat: bool,
    /// Whom it speaks for.
    pub who: Who,
    /// What it shows of who it is.
    pub token: Option<ShownToken>,
}

/// Whom a socket speaks for.
#[derive(Debug, PartialEq)]
#[expect(missing_docs, reason = "the members are the contract's")]
pub enum Who {
    /// A new session.
    New { name: SessionName, ttl: Ttl, conduct: Conduct },
    /// One that is there already; `None` for text that is nobody's id.
    Known { session: Option<SessionId>, attempt: Option<u64> },
}

/// A token that was shown. It is told to nobody, so `Debug` does not tell it.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownToken(pub Box<str>);

impl fmt::Debug for ShownToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token")
    }
}
