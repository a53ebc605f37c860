//! The socket over real connections: what the document says (protocol, section 3), story by story.

mod access;
mod client;
mod crowds;
mod draining;
mod endings;
mod frames;
mod handshake;
mod hello;
mod limits;
mod liveness;
mod losses;
mod process;
mod queues;
mod resume;
mod shared;
mod standing;
mod tickets;
mod watches;
mod work;
