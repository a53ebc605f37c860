//! What both ends of a socket agree on beside its messages: the subprotocol, sizes, close codes.

/// The subprotocol's name.
pub const SUBPROTOCOL: &str = "ticketd.v1";
/// Largest frame and message, either way, in bytes.
pub const FRAME_MAX_BYTES: usize = 64 * 1024;
/// Largest frame and message of a client that was not welcomed yet, in bytes.
pub const HELLO_MAX_BYTES: usize = 16 * 1024;
/// Bytes of lists in one frame, beyond which no entry of a state is begun.
pub(super) const LISTS_MAX_BYTES: usize = 44 * 1024;
/// Bytes of the lists of a look, beyond which no entry is told.
pub const LOOK_MAX_BYTES: usize = 60 * 1024;

/// The codes that a socket is closed with. Up to 4499: come back; from 4500: do not.
pub mod close {
    /// After `bye`.
    pub const BYE: u16 = 1000;
    /// The frame or message is too large.
    pub const TOO_LARGE: u16 = 1009;
    /// The server stops.
    pub const GOING_AWAY: u16 = 1012;
    /// The outbox is full or the socket does not take what is written.
    pub const TOO_SLOW: u16 = 4001;
    /// Too many requests.
    pub const RATE: u16 = 4003;
    /// The proof of who it is is no longer good: come back with another.
    pub const UNAUTHORIZED: u16 = 4401;
    /// No `hello` in time, or something else first.
    pub const NO_HELLO: u16 = 4500;
    /// A newer socket has the session.
    pub const REPLACED: u16 = 4501;
    /// The session has ended.
    pub const SESSION_ENDED: u16 = 4502;
    /// A frame is no JSON object.
    pub const PROTOCOL: u16 = 4503;
    /// Too many connections.
    pub const TOO_MANY: u16 = 4505;
}
