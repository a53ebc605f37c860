//! What sockets are told, and what it costs while it waits for them to read.

use std::sync::Arc;

use crate::access::Right;
use crate::machine::{EndReason, Event, Figures, Grant, Name, Refusal, Reply, SessionState};

use super::coalesce::ChangeEvent;
use crate::driver::mode::Unavailable;

/// What a message costs beside its names and data, in bytes.
pub const MESSAGE_COST_BYTES: usize = 64;

/// Something to tell a socket.
#[derive(Debug)]
pub enum Message {
    /// The answer to its request of that id; `None` when it had no proper one.
    Answer(Option<u64>, Answered),
    /// What the machine announced.
    Event(Event),
    /// A lock or ticket became available, or the figures changed.
    Change(ChangeEvent, Name, Figures),
    /// Its proof ends in so many ms.
    TokenExpiring(u32),
    /// The server is about to stop; in how many ms.
    GoingAway(u32),
}

/// What a request on a socket is answered.
#[derive(Debug)]
pub enum Answered {
    /// By the machine.
    Reply(Result<Reply, Refusal>),
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

pub(in crate::driver) fn is_state(message: &Message) -> bool {
    matches!(message, Message::Answer(_, Answered::State(_)))
}

/// What a message costs: names and data, and something for the rest. A whole state is paced by
/// its reader and costs no more than any other.
pub(in crate::driver) fn cost(message: &Message) -> usize {
    let of_grant = |grant: &Grant| match grant {
        Grant::Lock(grant) => grant.resource.as_str().len(),
        Grant::Ticket(grant) => {
            grant.resource.as_str().len()
                + grant.ticket.as_str().len()
                + grant.data.as_bytes().len()
                + grant.issuer.name.as_str().len()
        }
    };
    MESSAGE_COST_BYTES
        + match message {
            Message::Answer(_, Answered::Reply(Ok(Reply::Granted { grant, .. })))
            | Message::Event(Event::Granted { grant, .. }) => of_grant(grant),
            Message::Answer(
                _,
                Answered::Bad(why) | Answered::TooLarge(why) | Answered::Limit(why),
            ) => why.len(),
            Message::Event(Event::TicketUpdated { resource, ticket, data, .. }) => {
                resource.as_str().len() + ticket.as_str().len() + data.as_bytes().len()
            }
            Message::Event(
                Event::TicketClaimed { resource, ticket, claimant: who, .. }
                | Event::TicketReleased { resource, ticket, claimant: who, .. }
                | Event::TicketTaken { resource, ticket, by: who, .. },
            ) => resource.as_str().len() + ticket.as_str().len() + who.as_str().len(),
            Message::Event(Event::TicketRevoked { resource, ticket, .. }) => {
                resource.as_str().len() + ticket.as_str().len()
            }
            Message::Event(
                Event::WaitEnded { resource, .. }
                | Event::WatchEnded { resource, .. }
                | Event::LockWanted { resource, .. }
                | Event::LockLost { resource, .. },
            )
            | Message::Change(_, resource, _) => resource.as_str().len(),
            Message::Event(_)
            | Message::Answer(..)
            | Message::TokenExpiring(_)
            | Message::GoingAway(_) => 0,
        }
}
