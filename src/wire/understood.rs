//! What a client cannot make sense of, and names as it reads them.

use std::fmt;

use crate::machine::{Name, SessionName};

/// Why a client cannot make sense of a frame: the member that is missing or not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUnderstood(pub &'static str);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a server's frame makes no sense: {}", self.0)
    }
}

impl std::error::Error for NotUnderstood {}

/// Reads the name of a resource or ticket.
pub(super) fn name(text: &str) -> Result<Name, NotUnderstood> {
    Name::parse(text).map_err(|_| NotUnderstood("name"))
}

/// Reads the name of a session.
pub(super) fn session_name(text: &str) -> Result<SessionName, NotUnderstood> {
    SessionName::parse(text).map_err(|_| NotUnderstood("session"))
}

/// A member that must be there.
pub(super) fn there<T>(member: Option<T>, what: &'static str) -> Result<T, NotUnderstood> {
    member.ok_or(NotUnderstood(what))
}
