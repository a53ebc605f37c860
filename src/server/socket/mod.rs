//! One socket: its handshake of one frame, its requests in, its answers and events out, its end.
//!
//! Reading and writing go on side by side in one task, so that a client that does not read is
//! still heard, up to the outbox's bounds. Generic over the socket: tests use channels.
//!
//! ```text
//! upgrade ─▶ serve ─┬▶ handshake ─▶ driver
//!                   ├▶ reader ─▶ asked ─▶ driver ─▶ outbox ─┐
//!                   └▶ writer ◀── feed, whole_state ◀───────┘
//! ```

mod asked;
mod context;
mod end;
mod feed;
mod frames;
mod gathered;
mod half;
mod handshake;
mod heartbeat;
mod incoming;
mod reader;
mod serve;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod upgrade;
mod whole_state;
mod writer;
