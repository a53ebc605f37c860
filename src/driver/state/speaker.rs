//! A socket that speaks for a session.

use std::sync::Arc;

use crate::driver::commit::watermark::Watermark;
use crate::driver::outbox::Outbox;
use crate::machine::{SessionId, Ttl};

/// Longest time between two heartbeats, in ms.
pub const PING_MAX_MS: u32 = 25_000;

/// A socket that speaks for a session, and where it is told everything.
#[derive(Clone, Debug)]
pub(in crate::driver) struct Speaker {
    pub(in crate::driver) session: SessionId,
    /// Also tells this socket from the session's former and later ones.
    pub(in crate::driver) outbox: Arc<Outbox>,
    pub(in crate::driver) ttl: Ttl,
    /// The session was there before.
    pub(in crate::driver) resumed: bool,
}

impl Speaker {
    /// A socket that comes now.
    pub(in crate::driver) fn new(
        watermark: &Arc<Watermark>,
        session: SessionId,
        ttl: Ttl,
        resumed: bool,
    ) -> Self {
        let outbox = Arc::new(Outbox::new(watermark.clone()));
        Self { session, outbox, ttl, resumed }
    }
}

/// Time between two heartbeats of a session, in ms.
#[must_use]
pub fn ping_ms(ttl: Ttl) -> u32 {
    (ttl.as_ms() / 3).clamp(1, PING_MAX_MS)
}
