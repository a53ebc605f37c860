//! The socket's messages (protocol, section 3), each both ways: a server reads requests and writes
//! the rest, a client the other way round.

mod answer;
mod bounds;
mod event;
mod figures;
mod members;
mod op;
mod received;
mod request;
mod state;
#[cfg(test)]
mod tests;
mod ticket;
mod understood;

pub use answer::Response;
pub use bounds::{FRAME_MAX_BYTES, HELLO_MAX_BYTES, SUBPROTOCOL, close};
pub use event::SocketEvent;
pub use op::{Hello, NoObject, Op, Request, ShownToken, Who};
pub use received::Received;
pub use request::read;
pub use state::{HoldState, Place, StateFrames, StateHead, StateLists};
pub use ticket::GivenTicket;
pub use understood::NotUnderstood;
