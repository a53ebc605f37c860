//! Durations, never moments: how long sessions live and waits last.

use super::limits::{TTL_MAX_MS, TTL_MIN_MS};

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
    /// So many ms, 1 to [`super::limits::WAIT_MAX_MS`].
    Ms(u32),
    /// As long as the session lives.
    Session,
}
