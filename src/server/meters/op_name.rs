//! What is asked, as it is counted: by one set of names for both ways.

use crate::wire::socket;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum OpName {
    Hello,
    Auth,
    Beat,
    Session,
    Sessions,
    Bye,
    Lock,
    Unlock,
    Claim,
    Claims,
    Touch,
    Release,
    Issue,
    Revoke,
    Revive,
    Pause,
    Force,
    Cancel,
    Watch,
    Unwatch,
    Look,
    Resources,
    Tickets,
    Events,
    Dump,
    Status,
    Metrics,
    Drain,
    Other,
}

impl OpName {
    /// All of them.
    pub(crate) const ALL: [Self; 29] = [
        Self::Hello,
        Self::Auth,
        Self::Beat,
        Self::Session,
        Self::Sessions,
        Self::Bye,
        Self::Lock,
        Self::Unlock,
        Self::Claim,
        Self::Claims,
        Self::Touch,
        Self::Release,
        Self::Issue,
        Self::Revoke,
        Self::Revive,
        Self::Pause,
        Self::Force,
        Self::Cancel,
        Self::Watch,
        Self::Unwatch,
        Self::Look,
        Self::Resources,
        Self::Tickets,
        Self::Events,
        Self::Dump,
        Self::Status,
        Self::Metrics,
        Self::Drain,
        Self::Other,
    ];

    /// What it is called. What both ways can do has the name that it has on a socket: to open a
    /// session is `hello`, to refresh one `beat`, to close one `bye`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Auth => "auth",
            Self::Beat => "beat",
            Self::Session => "session",
            Self::Sessions => "sessions",
            Self::Bye => "bye",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Claim => "claim",
            Self::Claims => "claims",
            Self::Touch => "touch",
            Self::Release => "release",
            Self::Issue => "issue",
            Self::Revoke => "revoke",
            Self::Revive => "revive",
            Self::Pause => "pause",
            Self::Force => "force",
            Self::Cancel => "cancel",
            Self::Watch => "watch",
            Self::Unwatch => "unwatch",
            Self::Look => "look",
            Self::Resources => "resources",
            Self::Tickets => "tickets",
            Self::Events => "events",
            Self::Dump => "dump",
            Self::Status => "status",
            Self::Metrics => "metrics",
            Self::Drain => "drain",
            Self::Other => "other",
        }
    }

    /// Whether it is asked by REST.
    pub(crate) fn is_of_rest(self) -> bool {
        !matches!(self, Self::Auth | Self::Force | Self::Cancel | Self::Watch | Self::Unwatch)
    }

    /// Whether it is asked by sockets.
    pub(crate) fn is_of_sockets(self) -> bool {
        !matches!(
            self,
            Self::Sessions
                | Self::Claims
                | Self::Resources
                | Self::Tickets
                | Self::Events
                | Self::Dump
                | Self::Status
                | Self::Metrics
                | Self::Drain
        )
    }

    /// What a request on a socket asks.
    pub(crate) fn of(asked: &socket::Op) -> Self {
        match asked {
            socket::Op::Hello(_) => Self::Hello,
            socket::Op::Auth { .. } => Self::Auth,
            socket::Op::Beat => Self::Beat,
            socket::Op::Session => Self::Session,
            socket::Op::Bye => Self::Bye,
            socket::Op::Lock { .. } => Self::Lock,
            socket::Op::Unlock { .. } => Self::Unlock,
            socket::Op::Force { .. } => Self::Force,
            socket::Op::Claim { .. } | socket::Op::ClaimFirst { .. } => Self::Claim,
            socket::Op::Touch { .. } => Self::Touch,
            socket::Op::Release { .. } => Self::Release,
            socket::Op::Issue { .. } => Self::Issue,
            socket::Op::Revoke { .. } => Self::Revoke,
            socket::Op::Revive { .. } => Self::Revive,
            socket::Op::Pause { .. } => Self::Pause,
            socket::Op::Look { .. } => Self::Look,
            socket::Op::Cancel { .. } => Self::Cancel,
            socket::Op::Watch { .. } => Self::Watch,
            socket::Op::Unwatch { .. } => Self::Unwatch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_place_and_a_name_of_its_own() {
        for (at, op) in OpName::ALL.into_iter().enumerate() {
            assert_eq!(op as usize, at);
            assert_eq!(OpName::ALL.iter().filter(|other| other.name() == op.name()).count(), 1);
        }
    }
}
