//! The socket over real connections: what section 3 of the protocol says, story by story.

mod client;
mod frames;
mod hello;
mod limits;
mod liveness;
mod process;
mod queues;
mod resume;
mod tickets;
mod watches;
