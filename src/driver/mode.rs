//! What the server does at the moment, and what it lets anybody do then. Pure.
//!
//! | mode | commands and questions | new waits | signs of life | time |
//! | --- | --- | --- | --- | --- |
//! | `Serving` | yes | yes | yes | runs |
//! | `Full` | refused: its disk is full | refused likewise | yes | stands still |
//! | `Leaving` | yes | time out at once | yes | runs |
//! | `Failed` | refused: it can keep nothing | refused likewise | yes | runs |

use std::fmt;

/// Why the server cannot promise that it will remember what it would say: it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// Its disk is full. It goes on when there is room.
    Full,
    /// It is about to end.
    Leaving,
    /// It can keep nothing any more, and ends.
    Failed,
    /// It takes no new sessions.
    Draining,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the server's disk is full: it does nothing until there is room",
            Self::Leaving => "the server is going away",
            Self::Failed => "the server cannot keep anything any more and is going away",
            Self::Draining => "the server takes no new sessions at the moment",
        })
    }
}

impl std::error::Error for Unavailable {}

/// What the server does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DriverMode {
    /// It serves.
    #[default]
    Serving,
    /// Its disk is full: nothing is done until there is room.
    Full,
    /// It is about to end: nobody waits any more.
    Leaving,
    /// Nothing can be kept any more, nor said.
    Failed,
}

impl DriverMode {
    /// Whether commands are carried out and questions answered.
    pub(super) fn may_ask(self) -> Result<(), Unavailable> {
        match self {
            Self::Serving | Self::Leaving => Ok(()),
            Self::Full => Err(Unavailable::Full),
            Self::Failed => Err(Unavailable::Failed),
        }
    }

    /// Whether a request may stay in a queue, and a socket stay open.
    pub(super) fn may_stay(self) -> bool {
        match self {
            Self::Serving | Self::Full => true,
            Self::Leaving | Self::Failed => false,
        }
    }

    /// The disk is full. One who leaves or has failed goes on with that.
    pub(super) fn fill_up(&mut self) {
        if *self == Self::Serving {
            *self = Self::Full;
        }
    }

    /// There is room on the disk again.
    pub(super) fn have_room(&mut self) {
        if *self == Self::Full {
            *self = Self::Serving;
        }
    }

    /// The server is about to end. One that has failed stays so.
    pub(super) fn leave(&mut self) {
        if *self != Self::Failed {
            *self = Self::Leaving;
        }
    }

    /// Nothing can be kept any more. Whether that is news.
    pub(super) fn fail(&mut self) -> bool {
        std::mem::replace(self, Self::Failed) != Self::Failed
    }

    /// Why a waiting request is answered no more.
    pub(super) fn why_unanswered(self) -> Unavailable {
        self.may_ask().err().unwrap_or(Unavailable::Leaving)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_says_why_and_is_left_only_for_what_it_may_be_left_for() {
        let mut mode = DriverMode::default();
        assert_eq!((mode.may_ask(), mode.may_stay()), (Ok(()), true));
        mode.fill_up();
        assert_eq!((mode.may_ask(), mode.may_stay()), (Err(Unavailable::Full), true));
        mode.have_room();
        assert_eq!(mode, DriverMode::Serving);
        mode.leave();
        assert_eq!((mode.may_ask(), mode.may_stay()), (Ok(()), false));
        assert_eq!(mode.why_unanswered(), Unavailable::Leaving);
        mode.fill_up();
        mode.have_room();
        assert_eq!(mode, DriverMode::Leaving, "what ends does not serve again");
        assert!(mode.fail());
        mode.leave();
        assert!(!mode.fail(), "only the first failure is news");
        assert_eq!((mode.may_ask(), mode.may_stay()), (Err(Unavailable::Failed), false));
    }
}
