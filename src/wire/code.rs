//! The stable error codes, one set for REST and socket (protocol, section 5).

use crate::machine::Refusal;

/// Why something was not done, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The server cannot promise anything at the moment.
    Unavailable,
    /// Who are you?
    Unauthorized,
    /// You may not.
    Forbidden,
    /// The request makes no sense.
    BadRequest,
    /// A body or data is too large.
    TooLarge,
    /// No such session, or it has ended.
    SessionNotFound,
    /// No such resource.
    ResourceNotFound,
    /// A lock was taken for tickets or the other way round.
    WrongKind,
    /// No such ticket.
    TicketNotFound,
    /// The lock is free.
    NotLocked,
    /// Another holds it.
    NotHolder,
    /// Another has claimed the ticket.
    TicketHeld,
    /// There is such a ticket, and it was to be new.
    TicketExists,
    /// It would wait for ever, in a circle of sessions that wait for each other.
    Deadlock,
    /// A count or rate is used up.
    Limit,
    /// A bug.
    Internal,
}

impl Code {
    /// All codes, in order of precedence.
    pub const ALL: [Self; 16] = [
        Self::Unavailable,
        Self::Unauthorized,
        Self::Forbidden,
        Self::BadRequest,
        Self::TooLarge,
        Self::SessionNotFound,
        Self::ResourceNotFound,
        Self::WrongKind,
        Self::TicketNotFound,
        Self::NotLocked,
        Self::NotHolder,
        Self::TicketHeld,
        Self::TicketExists,
        Self::Deadlock,
        Self::Limit,
        Self::Internal,
    ];

    /// The code as text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::BadRequest => "bad-request",
            Self::TooLarge => "too-large",
            Self::SessionNotFound => "session-not-found",
            Self::ResourceNotFound => "resource-not-found",
            Self::WrongKind => "wrong-kind",
            Self::TicketNotFound => "ticket-not-found",
            Self::NotLocked => "not-locked",
            Self::NotHolder => "not-holder",
            Self::TicketHeld => "ticket-held",
            Self::TicketExists => "ticket-exists",
            Self::Deadlock => "deadlock",
            Self::Limit => "limit",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Unavailable => 503,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::BadRequest => 422,
            Self::TooLarge => 413,
            Self::SessionNotFound
            | Self::ResourceNotFound
            | Self::TicketNotFound
            | Self::NotLocked
            | Self::NotHolder => 404,
            Self::WrongKind | Self::TicketHeld | Self::TicketExists | Self::Deadlock => 409,
            Self::Limit => 429,
            Self::Internal => 500,
        }
    }
}

impl From<Refusal> for Code {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Forbidden => Self::Forbidden,
            Refusal::SessionNotFound => Self::SessionNotFound,
            Refusal::ResourceNotFound => Self::ResourceNotFound,
            Refusal::WrongKind => Self::WrongKind,
            Refusal::TicketNotFound => Self::TicketNotFound,
            Refusal::NotLocked => Self::NotLocked,
            Refusal::NotHolder => Self::NotHolder,
            Refusal::TicketHeld => Self::TicketHeld,
            Refusal::TicketExists => Self::TicketExists,
            Refusal::Limit(_) => Self::Limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_frozen() {
        let said: Vec<_> = Code::ALL.iter().map(|c| (c.as_str(), c.status())).collect();
        assert_eq!(
            said,
            [
                ("unavailable", 503),
                ("unauthorized", 401),
                ("forbidden", 403),
                ("bad-request", 422),
                ("too-large", 413),
                ("session-not-found", 404),
                ("resource-not-found", 404),
                ("wrong-kind", 409),
                ("ticket-not-found", 404),
                ("not-locked", 404),
                ("not-holder", 404),
                ("ticket-held", 409),
                ("ticket-exists", 409),
                ("deadlock", 409),
                ("limit", 429),
                ("internal", 500),
            ]
        );
        assert!(Code::ALL.is_sorted());
    }
}
