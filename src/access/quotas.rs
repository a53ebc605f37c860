//! How much of everything somebody may have at once.

/// The bounds of an entry of the file; `None` is no bound of its own.
///
/// They are of a principal, of each `sub` of a signer, and of each address of who shows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Most sessions.
    pub sessions: Option<u32>,
    /// Most sockets.
    pub sockets: Option<u32>,
    /// Most requests in a second.
    pub rate: Option<u32>,
    /// Most issued tickets.
    pub issued: Option<u32>,
    /// Most sessions of all that a signer's tokens speak of, together.
    pub all_sessions: Option<u32>,
}
