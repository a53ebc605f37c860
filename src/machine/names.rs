//! The machine's vocabulary: ids, names, durations and numbers, parsed once and then trusted.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

/// Longest name of a session, resource or ticket, in bytes of UTF-8 (protocol, section 6).
pub const NAME_MAX_BYTES: usize = 255;
/// Most data a ticket carries, in bytes.
pub const DATA_MAX_BYTES: usize = 1024;
/// Shortest TTL of a session, in ms.
pub const TTL_MIN_MS: u32 = 50;
/// Longest TTL of a session, in ms: a day.
pub const TTL_MAX_MS: u32 = 86_400_000;
/// Longest bounded wait, in ms: a day.
pub const WAIT_MAX_MS: u32 = 86_400_000;
/// Most locks and tickets that one session may hold when it asks for another.
pub const HOLDS_MAX: usize = 10_000;
/// Most places in queues that one session may have.
pub const WAITS_MAX: usize = 10_000;
/// Most watches that one session may have.
pub const WATCHES_MAX: usize = 10_000;
/// Most tickets that one session may have issued.
pub const ISSUED_MAX: usize = 100_000;
/// Most waits that may stand in one resource's queue.
pub const WAITERS_MAX: usize = 100_000;
/// First integer that a JSON reader may round: fences and wait ids stay below it.
pub const NUMBER_END: u64 = 1 << 53;

const _: () = assert!(TTL_MIN_MS < TTL_MAX_MS && NAME_MAX_BYTES < DATA_MAX_BYTES);
const _: () = assert!(WAITS_MAX <= WAITERS_MAX && HOLDS_MAX <= ISSUED_MAX);

/// A session's id: the 20 bytes of a KSUID, drawn outside the machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 20]);

impl fmt::Debug for SessionId {
    /// Ids are secrets: whoever knows one can act as its session. Logs get six digits of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [.., a, b, c] = self.0;
        write!(f, "session-{a:02x}{b:02x}{c:02x}")
    }
}

/// Number of a place in a queue; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitId(pub u64);

/// Number of a waiting REST request, drawn outside the machine; means nothing after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Number of a grant: strictly increasing over the whole server, below 2^53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

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

/// What a ticket carries: up to [`DATA_MAX_BYTES`] bytes of the issuer's choice.
#[derive(Clone, PartialEq, Eq)]
pub struct Data(Arc<[u8]>);

impl Data {
    /// Accepts `bytes` as a ticket's data; `None` when they are too many.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
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

/// How long a session lives after it was last heard from, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl(u32);

impl Ttl {
    /// Accepts a TTL in ms; `None` outside [`TTL_MIN_MS`]..=[`TTL_MAX_MS`].
    #[must_use]
    pub fn new(ttl_ms: i64) -> Option<Self> {
        let ttl_ms = u32::try_from(ttl_ms).ok()?;
        (TTL_MIN_MS..=TTL_MAX_MS).contains(&ttl_ms).then_some(Self(ttl_ms))
    }

    /// The TTL in ms.
    #[must_use]
    pub fn as_ms(self) -> u32 {
        self.0
    }
}

/// How long a wait lasts at most. Ordered: the longer is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitTimeout {
    /// So many ms, 1 to [`WAIT_MAX_MS`].
    Ms(u32),
    /// As long as the session lives.
    Session,
}

/// By which way a session waits. The answer goes back the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOrigin {
    /// By its socket: survives a restart and a change of sockets.
    Socket,
    /// By a REST request: gone when its connection is.
    Request(RequestId),
}

/// The wish to wait when what was asked for is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitRequest {
    /// Where the answer goes.
    pub origin: WaitOrigin,
    /// How long to wait at most; counts for waits by socket (the driver times requests).
    pub timeout: WaitTimeout,
}

/// Who a session is, as others see it. Shared, so that grants are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub name: SessionName,
    /// Its TTL.
    pub ttl: Ttl,
    /// The address it was opened from.
    pub source: Box<str>,
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
