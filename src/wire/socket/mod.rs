//! The socket's messages (protocol, section 3), each both ways: a server reads requests and writes
//! the rest, a client the other way round.

mod answer;
mod asking;
mod bounds;
mod event;
mod event_read;
mod meaning;
mod members;
mod op;
mod received;
mod request;
mod state;
mod state_read;
#[cfg(test)]
mod tests;
mod ticket;

pub use answer::Response;
pub use bounds::{FRAME_MAX_BYTES, HELLO_MAX_BYTES, LOOK_MAX_BYTES, SUBPROTOCOL, close};
pub use event::SocketEvent;
pub use op::{ClaimWish, Hello, NoObject, Op, Request, ShownToken, Who};
pub use received::Received;
pub use request::read;
pub use state::{HoldState, Place, StateFrames, StateHead, StateLists, Watched};
pub use ticket::GivenTicket;
