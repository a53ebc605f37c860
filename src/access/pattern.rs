//! Patterns of names: bytes, and `*` at the end for any ending.

use std::fmt;

use crate::machine::{BadName, Name};

/// Which names a rule speaks of.
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    /// Whether more may follow the text.
    open: bool,
}

impl Pattern {
    /// Accepts a name; if its last byte is `*`, any ending may stand there, the empty one too.
    ///
    /// # Errors
    /// [`BadName`] when it is no name.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        Name::parse(text)?;
        let stem = text.strip_suffix('*');
        Ok(Self { text: stem.unwrap_or(text).into(), open: stem.is_some() })
    }

    /// What all names that belong to it begin with.
    #[must_use]
    pub fn stem(&self) -> &str {
        &self.text
    }

    /// Whether the name belongs to it.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (text, name) = (self.text.as_bytes(), name.as_bytes());
        if self.open { name.starts_with(text) } else { name == text }
    }

    /// Whether every name that begins with `prefix` belongs to it.
    #[must_use]
    pub fn covers(&self, prefix: &str) -> bool {
        self.open && prefix.as_bytes().starts_with(self.text.as_bytes())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", format_args!("{}{}", self.text, if self.open { "*" } else { "" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn a_star_counts_at_the_end_only() {
        for (text, names, others) in [
            (
                "build/*",
                &["build/", "build/a", "build/a/b", "build/*"][..],
                &["build", "Build/a"][..],
            ),
            ("build", &["build"], &["build/", "build/a", "buil", ""]),
            ("*", &["a", "*", "build/a"], &[]),
            ("a*b", &["a*b"], &["ab", "axb", "a*bc"]),
            ("**", &["*", "*a"], &["a"]),
            ("é*", &["é", "éa"], &["e", "e\u{301}"]),
        ] {
            for name in names {
                assert!(pattern(text).matches(name), "{text} {name}");
            }
            for name in others {
                assert!(!pattern(text).matches(name), "{text} {name}");
            }
        }
    }

    #[test]
    fn only_an_open_pattern_covers_a_prefix() {
        for (text, prefix, covered) in [
            ("build/*", "build/", true),
            ("build/*", "build/a", true),
            ("build/*", "build", false),
            ("build/*", "", false),
            ("build/", "build/", false),
            ("*", "", true),
            ("a*b", "a*b", false),
        ] {
            assert_eq!(pattern(text).covers(prefix), covered, "{text} {prefix}");
        }
    }

    #[test]
    fn a_pattern_is_a_name() {
        assert_eq!(Pattern::parse(""), Err(BadName::Empty));
        assert_eq!(Pattern::parse("a\n*"), Err(BadName::Control));
        assert_eq!(Pattern::parse(&"n".repeat(256)), Err(BadName::TooLong));
        assert!(Pattern::parse(&"n".repeat(255)).is_ok());
    }
}
