//! What somebody may do: rules, and rules narrowed by those that a token carries.

use std::fmt;
use std::sync::Arc;

use super::pattern::Pattern;
use super::rights::{Right, Rights};

/// Highest priority, and the one of a rule that names none.
pub const PRIORITY_MAX: u8 = 9;

/// Some rights on some names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    to: Rights,
    /// Without meaning for the rights that have no names.
    on: Box<[Pattern]>,
    /// With more than this, nothing is allowed.
    priority: u8,
}

impl Rule {
    /// Puts a rule together; what may stand beside what is looked at where rules are read.
    pub(super) fn new(to: Rights, on: Box<[Pattern]>, priority: u8) -> Self {
        debug_assert!(priority <= PRIORITY_MAX && !to.is_empty());
        Self { to, on, priority }
    }

    fn allows(&self, right: Right, priority: u8, fits: impl Fn(&Pattern) -> bool) -> bool {
        let everywhere = self.to.contains(Right::Admin) || !right.has_names();
        self.to.gives(right)
            && priority <= self.priority
            && (everywhere || self.on.iter().any(fits))
    }
}

/// Everything that somebody may do. Clones share the rules.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Rules {
    allow: Arc<[Rule]>,
    /// What the token says itself; an action must be allowed by both.
    narrowed: Option<Arc<[Rule]>>,
}

impl Rules {
    /// The rules of an entry of the file, narrowed by those of a token if it has some.
    #[must_use]
    pub fn new(allow: Arc<[Rule]>, narrowed: Option<Arc<[Rule]>>) -> Self {
        Self { allow, narrowed }
    }

    /// Whether `right` is given on `name`, with any priority.
    ///
    /// A right without names is given or not, whatever the name.
    #[must_use]
    pub fn may(&self, right: Right, name: &str) -> bool {
        self.may_with(right, name, 0)
    }

    /// Whether `right` is given on `name` with `priority`, 0 (the least) to [`PRIORITY_MAX`].
    #[must_use]
    pub fn may_with(&self, right: Right, name: &str, priority: u8) -> bool {
        self.both(|rule| rule.allows(right, priority, |pattern| pattern.matches(name)))
    }

    /// Whether `right`, which has no names, is given.
    #[must_use]
    pub fn may_at_all(&self, right: Right) -> bool {
        debug_assert!(!right.has_names(), "a right on names is asked for with one");
        self.both(|rule| rule.allows(right, 0, |_| false))
    }

    /// Whether what one has claimed oneself may be revoked, on `name`.
    #[must_use]
    pub fn may_finish(&self, name: &str) -> bool {
        self.may(Right::Work, name) || self.may(Right::Issue, name)
    }

    /// Whether `right` is given on all names that begin with `prefix`, by one pattern.
    #[must_use]
    pub fn covers(&self, right: Right, prefix: &str) -> bool {
        self.both(|rule| rule.allows(right, 0, |pattern| pattern.covers(prefix)))
    }

    /// What the token itself allows, if it says so.
    #[must_use]
    pub fn narrowed(&self) -> Option<&Arc<[Rule]>> {
        self.narrowed.as_ref()
    }

    fn both(&self, allows: impl Fn(&Rule) -> bool) -> bool {
        self.allow.iter().any(&allows)
            && self.narrowed.as_ref().is_none_or(|rules| rules.iter().any(&allows))
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let narrowed = self.narrowed.as_ref().map_or(0, |rules| rules.len());
        write!(f, "{} rules, narrowed by {narrowed}", self.allow.len())
    }
}
