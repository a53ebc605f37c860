//! What sockets are told, and what it costs while it waits for them to read.

use std::sync::Arc;

use crate::access::Right;
use crate::machine::{
    BlockedSession, EndReason, Event, Fence, Figures, Grant, LossReason, Name, Refusal, Reply,
    SessionState, Sought, WaitId,
};

use super::bounds::MESSAGE_COST_BYTES;
use super::coalesce::ChangeEvent;
use super::looked::{Lefts, Looked};
use super::watched::WatchedHolders;
use crate::driver::mode::Unavailable;
use crate::meters::Mark;

/// What a socket's request is known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestMark {
    /// Its id; `None` when it had no proper one.
    pub id: Option<u64>,
    /// What it is counted as; that is up to who asks.
    pub op: u8,
    /// When it came.
    pub came: Mark,
}

impl From<Option<u64>> for RequestMark {
    fn from(id: Option<u64>) -> Self {
        Self { id, ..Self::default() }
    }
}

/// Something to tell a socket.
#[derive(Debug)]
pub enum Message {
    /// The answer to a request of its own.
    Answer(RequestMark, Answered),
    /// What the machine announced.
    Event(Event),
    /// A lock or ticket became available, or something changed; who holds it if it is a lock.
    Change(ChangeEvent, Name, Figures, Option<Arc<WatchedHolders>>),
    /// A claim ends in so many ms, unless it is touched.
    ClaimExpiring {
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
        /// The grant.
        fence: Fence,
        /// In how many ms.
        left_ms: u32,
    },
    /// A wait has another position.
    WaitMoved {
        /// The wait.
        wait: WaitId,
        /// Where it stands.
        sought: Sought,
        /// Counted from 1; of several queues, the least.
        position: u32,
    },
    /// Its proof ends in so many ms.
    TokenExpiring(u32),
    /// Whether the server takes no new sessions.
    Draining(bool),
    /// The server is about to stop; in how many ms.
    GoingAway(u32),
}

/// What a request on a socket is answered.
#[derive(Debug)]
pub enum Answered {
    /// By the machine.
    Reply(Result<Reply, Refusal>),
    /// By the machine, which grants again a claim that ends by itself.
    Confirmed {
        /// What.
        grant: Grant,
        /// In how many ms it ends, unless it is touched.
        left_ms: u32,
    },
    /// By the machine, which tells how a resource stands of which each change is told from now on;
    /// who holds it if it is a lock.
    Watching(Figures, Option<Arc<WatchedHolders>>),
    /// What is seen of a resource.
    Look(Box<Looked>),
    /// It made no sense; why.
    Bad(String),
    /// It was too large; why.
    TooLarge(String),
    /// A heartbeat was heard; the TTL, in ms.
    Beat(u32),
    /// The whole state.
    State(Box<WholeState>),
    /// Nothing more to say.
    Done,
    /// Its session may not do that; the right that is lacking.
    Forbidden(Right),
    /// It shows another owner's proof.
    AnothersProof,
    /// What it shows is not good; what is said of it.
    Unauthorized(&'static str),
    /// It would be more than its owner may have; why.
    Limit(String),
    /// It cannot be promised that it would be remembered; why.
    Unavailable(Unavailable),
}

/// The answer to `hello` and `session`.
#[derive(Debug)]
pub struct WholeState {
    /// What the session has.
    pub session: SessionState,
    /// Whether it was there before the socket.
    pub resumed: bool,
    /// The server's run.
    pub epoch: Arc<str>,
    /// Time between two heartbeats, in ms.
    pub ping_ms: u32,
    /// What the session issued is too much for one visit: `Connection::issued` gathers it.
    pub lacks_issued: bool,
    /// What is left of its claims that end by themselves.
    pub lefts: Lefts,
    /// Who holds what it watches, in the order of its watches; `None` where that is not told.
    pub holders: Vec<Option<Arc<WatchedHolders>>>,
    /// There are too many for one visit: `Connection::watched_holders` gathers them.
    pub lacks_holders: bool,
}

/// Why a socket is to be closed by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It said `bye`.
    Bye,
    /// Its session has ended.
    SessionEnded(EndReason),
    /// A newer socket has taken its session over.
    Replaced,
    /// It does not read.
    TooSlow,
    /// Its proof is no longer good.
    Unauthorized,
    /// The server stops.
    GoingAway,
    /// Its client has closed.
    Closed,
    /// It said what it may not; the close code and what to say of it.
    Fault(u16, &'static str),
}

/// Whether it may be large, and is paced by its reader instead.
pub(in crate::driver) fn is_paced(message: &Message) -> bool {
    matches!(message, Message::Answer(_, Answered::State(_) | Answered::Look(_)))
}

/// What a message costs: names and data, and something for the rest. What is paced by its reader
/// costs no more than any other.
pub(in crate::driver) fn cost(message: &Message) -> usize {
    let of_grant = |grant: &Grant| match grant {
        Grant::Lock(grant) => grant.resource.as_str().len(),
        Grant::Ticket(grant) => {
            grant.resource.as_str().len()
                + grant.ticket.as_str().len()
                + grant.data.as_bytes().len()
                + grant.issuer.name().as_str().len()
        }
    };
    MESSAGE_COST_BYTES
        + match message {
            Message::Answer(_, Answered::Reply(Ok(Reply::Granted { grant, .. })))
            | Message::Answer(_, Answered::Confirmed { grant, .. })
            | Message::Event(Event::Granted { grant, .. }) => of_grant(grant),
            Message::Answer(_, Answered::Reply(Ok(Reply::Deadlock(circle)))) => {
                let of_one = |it: &BlockedSession| {
                    MESSAGE_COST_BYTES + it.session.name.as_str().len() + it.resource.as_str().len()
                };
                circle.iter().map(of_one).sum()
            }
            Message::Answer(_, Answered::Watching(_, holders)) => cost_of_holders(holders.as_ref()),
            Message::Answer(
                _,
                Answered::Bad(why) | Answered::TooLarge(why) | Answered::Limit(why),
            ) => why.len(),
            Message::Event(Event::TicketUpdated { resource, ticket, data, .. }) => {
                resource.as_str().len() + ticket.as_str().len() + data.as_bytes().len()
            }
            Message::Event(
                Event::TicketClaimed { resource, ticket, claimant: who, .. }
                | Event::TicketTaken { resource, ticket, by: who, .. },
            ) => resource.as_str().len() + ticket.as_str().len() + who.as_str().len(),
            Message::Event(Event::TicketReleased { resource, ticket, claimant, note, .. }) => {
                let note = note.as_ref().map_or(0, |note| note.as_str().len());
                resource.as_str().len() + ticket.as_str().len() + claimant.as_str().len() + note
            }
            Message::Event(Event::TicketRevoked { resource, ticket, reason, .. }) => {
                resource.as_str().len() + ticket.as_str().len() + cost_of_reason(reason)
            }
            Message::Event(Event::LockLost { resource, reason, .. }) => {
                resource.as_str().len() + cost_of_reason(reason)
            }
            Message::ClaimExpiring { resource, ticket, .. } => {
                resource.as_str().len() + ticket.as_str().len()
            }
            Message::Event(Event::WaitEnded { sought, .. }) | Message::WaitMoved { sought, .. } => {
                sought.resources().iter().map(|resource| resource.as_str().len()).sum()
            }
            Message::Change(_, resource, _, holders) => {
                resource.as_str().len() + cost_of_holders(holders.as_ref())
            }
            Message::Event(
                Event::WatchEnded { resource, .. } | Event::LockWanted { resource, .. },
            ) => resource.as_str().len(),
            Message::Event(_)
            | Message::Answer(..)
            | Message::TokenExpiring(_)
            | Message::Draining(_)
            | Message::GoingAway(_) => 0,
        }
}

fn cost_of_holders(holders: Option<&Arc<WatchedHolders>>) -> usize {
    holders.map_or(0, |holders| holders.cost())
}

fn cost_of_reason(reason: &LossReason) -> usize {
    match reason {
        LossReason::Forced(Some(by)) => by.as_str().len(),
        _ => 0,
    }
}
