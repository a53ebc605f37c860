//! Names and data: text and bytes of the users' choice, parsed once and then trusted.

use std::borrow::Borrow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use smol_str::SmolStr;

use super::limits::{DATA_MAX_BYTES, NAME_MAX_BYTES, NOTE_MAX_BYTES};

/// Why a name was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    /// It has no bytes.
    Empty,
    /// It has more than [`NAME_MAX_BYTES`] bytes.
    TooLong,
    /// It has a control character.
    Control,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "must not be empty",
            Self::TooLong => "must be at most 255 bytes long",
            Self::Control => "must not contain control characters",
        })
    }
}

impl std::error::Error for BadName {}

fn check_name(text: &str) -> Result<(), BadName> {
    if text.len() > NAME_MAX_BYTES {
        return Err(BadName::TooLong);
    }
    let control = if text.is_ascii() {
        text.bytes().any(|byte| byte.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    };
    if control { Err(BadName::Control) } else { Ok(()) }
}

/// Name of a resource or of a ticket: 1 to 255 bytes of UTF-8 without control characters.
///
/// Up to 23 bytes stand in the value itself; a longer name is shared by its clones.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(SmolStr);

const _: () = assert!(size_of::<Name>() == 24 && size_of::<Option<Name>>() == 24);

impl Name {
    /// Accepts `text` as a name.
    ///
    /// # Errors
    /// [`BadName`] when it is empty, too long or has control characters.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        check_name(text).map(|()| Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Name of a session: like [`Name`], but may be empty and need not be unique.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(SmolStr);

impl SessionName {
    /// Accepts `text` as a session's name.
    ///
    /// # Errors
    /// [`BadName`] when it is too long or has control characters.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        check_name(text).map(|()| Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Why a ticket was given back: 1 to [`NOTE_MAX_BYTES`] bytes of UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note(Arc<str>);

impl Note {
    /// Checks and takes over `text`. (An empty one is none.)
    ///
    /// # Errors
    /// See [`BadName`].
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.len() > NOTE_MAX_BYTES {
            return Err(BadName::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What carries nothing is one.
static EMPTY: LazyLock<Arc<[u8]>> = LazyLock::new(|| Arc::from([]));

/// What a ticket carries: up to [`DATA_MAX_BYTES`] bytes of the issuer's choice.
#[derive(Clone, PartialEq, Eq)]
pub struct Data(Arc<[u8]>);

impl Data {
    /// Accepts `bytes` as a ticket's data; `None` when they are too many.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self(EMPTY.clone()));
        }
        (bytes.len() <= DATA_MAX_BYTES).then(|| Self(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Data {
    /// Data is the users' own: logs get its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    #[test]
    fn a_name_of_any_length_is_found_and_ordered_as_its_text() {
        let texts: Vec<_> = (1..=NAME_MAX_BYTES).map(|length| "n".repeat(length)).collect();
        let names: Vec<_> = texts.iter().map(|text| Name::parse(text).unwrap()).collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        let hashed: HashMap<_, _> = names.iter().cloned().zip(0..).collect();
        let ordered: BTreeMap<_, _> = names.iter().cloned().zip(0..).collect();
        for (number, text) in (0..).zip(&texts) {
            assert_eq!(hashed.get(text.as_str()), Some(&number));
            assert_eq!(ordered.get(text.as_str()), Some(&number));
        }
        assert_eq!(Name::parse(&"n".repeat(NAME_MAX_BYTES + 1)), Err(BadName::TooLong));
    }
}
