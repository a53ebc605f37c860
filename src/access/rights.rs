//! The rights that there are, and sets of them.

use std::fmt;

/// What somebody may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To lock.
    Lock,
    /// To claim and touch.
    Claim,
    /// To claim and touch, and to revoke what one has claimed.
    Work,
    /// To issue, issue again, and revoke what anybody has issued.
    Issue,
    /// To watch and look, and to read a resource.
    Watch,
    /// To steal, force and pause.
    Force,
    /// To read metrics and status; has no names.
    Metrics,
    /// All of these everywhere, dumps and lists, and others' sessions; has no names.
    Admin,
}

impl Right {
    /// All rights, in the order in which the bits of a set stand for them.
    pub const ALL: [Self; 8] = [
        Self::Lock,
        Self::Claim,
        Self::Work,
        Self::Issue,
        Self::Watch,
        Self::Force,
        Self::Metrics,
        Self::Admin,
    ];

    /// The word for it in the file and in tokens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Claim => "claim",
            Self::Work => "work",
            Self::Issue => "issue",
            Self::Watch => "watch",
            Self::Force => "force",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
        }
    }

    /// The right that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str() == word)
    }

    /// Whether it is a right on names, so that a rule that gives it says on which.
    #[must_use]
    pub fn has_names(self) -> bool {
        !matches!(self, Self::Metrics | Self::Admin)
    }

    /// The rights of which each includes this one.
    fn givers(self) -> Rights {
        let itself = Rights(self.bit() | Self::Admin.bit());
        match self {
            Self::Claim => Rights(itself.0 | Self::Work.bit()),
            _ => itself,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of rights.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `right` itself is in it.
    #[must_use]
    pub fn contains(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// Whether it gives `right`, by itself or by a right that includes it.
    #[must_use]
    pub fn gives(self, right: Right) -> bool {
        self.0 & right.givers().0 != 0
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |bits, right| bits | right.bit()))
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Right::ALL.into_iter().filter(|&right| self.contains(right))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_gives_itself_and_what_it_includes() {
        for given in Right::ALL {
            for asked in Right::ALL {
                let expected = given == asked
                    || given == Right::Admin
                    || (given, asked) == (Right::Work, Right::Claim);
                assert_eq!(Rights::from_iter([given]).gives(asked), expected, "{given} {asked}");
            }
            assert_eq!(Right::parse(given.as_str()), Some(given));
            assert!(!Rights::default().gives(given));
        }
        for word in ["", "Lock", "lock ", "all", "*"] {
            assert_eq!(Right::parse(word), None);
        }
    }
}
