//! How a rule is written, in the file and in a token: `{ to = […], on = […], priority = n }`.

use std::fmt;

use serde::Deserialize;
use toml::Spanned;

use super::pattern::Pattern;
use super::rights::{Right, Rights};
use super::rules::{PRIORITY_MAX, Rule};
use crate::machine::BadName;

/// A rule as it was read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleShape<W> {
    to: Vec<W>,
    on: Option<Vec<W>>,
    priority: Option<i64>,
}

/// A word of a rule, which may know where it stands.
pub(super) trait Word {
    /// The word itself.
    fn text(&self) -> &str;
    /// Where it begins: bytes from the start of the file.
    fn at(&self) -> Option<usize>;
}

impl Word for String {
    fn text(&self) -> &str {
        self
    }

    fn at(&self) -> Option<usize> {
        None
    }
}

impl Word for Spanned<String> {
    fn text(&self) -> &str {
        self.get_ref()
    }

    fn at(&self) -> Option<usize> {
        Some(self.span().start)
    }
}

/// Why a rule counts as none, and where.
#[derive(Debug)]
pub(super) struct RuleFault {
    /// Where the word begins that is to blame, if one is and it knows.
    pub(super) at: Option<usize>,
    /// What is wrong.
    pub(super) why: BadRule,
}

/// Why a rule counts as none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRule {
    /// `to` has nothing in it.
    NoRight,
    /// There is no right of that name.
    UnknownRight(String),
    /// `on` beside a right that has no names.
    NoNames(Right),
    /// A right on names, and no `on` or nothing in it.
    NamesMissing(Right),
    /// A pattern that is no name.
    Pattern(BadName),
    /// A priority outside of 0 to 9.
    Priority,
}

impl fmt::Display for BadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRight => f.write_str("a rule without `to`"),
            Self::UnknownRight(word) => write!(f, "no right is called {word:?}"),
            Self::NoNames(right) => write!(f, "`{right}` has no names: no `on` beside it"),
            Self::NamesMissing(right) => write!(f, "`on` is missing: `{right}` on which names?"),
            Self::Pattern(why) => write!(f, "a pattern {why}"),
            Self::Priority => write!(f, "a priority is 0 to {PRIORITY_MAX}"),
        }
    }
}

impl<W: Word> RuleShape<W> {
    /// The rule, if it is one.
    pub(super) fn rule(&self) -> Result<Rule, RuleFault> {
        let rule = |why| RuleFault { at: None, why };
        let word = |word: &W, why| RuleFault { at: word.at(), why };
        let mut rights = Vec::with_capacity(self.to.len());
        for to in &self.to {
            let unknown = || word(to, BadRule::UnknownRight(to.text().to_owned()));
            let right = Right::parse(to.text()).ok_or_else(unknown)?;
            if self.on.is_some() && !right.has_names() {
                return Err(word(to, BadRule::NoNames(right)));
            }
            if self.on.as_ref().is_none_or(Vec::is_empty) && right.has_names() {
                return Err(word(to, BadRule::NamesMissing(right)));
            }
            rights.push(right);
        }
        let rights = Rights::from_iter(rights);
        if rights.is_empty() {
            return Err(rule(BadRule::NoRight));
        }
        let pattern =
            |on: &W| Pattern::parse(on.text()).map_err(|why| word(on, BadRule::Pattern(why)));
        let on = self.on.iter().flatten().map(pattern).collect::<Result<_, _>>()?;
        let priority = match self.priority {
            None => PRIORITY_MAX,
            Some(given) => u8::try_from(given)
                .ok()
                .filter(|&given| given <= PRIORITY_MAX)
                .ok_or_else(|| rule(BadRule::Priority))?,
        };
        Ok(Rule::new(rights, on, priority))
    }
}
