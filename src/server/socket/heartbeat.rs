//! A socket's heartbeats, and when they fall due.

use std::sync::OnceLock;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};

use crate::driver::{Connection, ping_ms};
use crate::wire::socket::SocketEvent;

use super::feed::text;

/// A socket's heartbeats.
pub(super) struct Pulse {
    beats: Interval,
    /// Whether they are events instead of pings.
    beat: bool,
}

impl Pulse {
    pub(super) fn new(connection: &Connection, beat: bool) -> Self {
        let every = Duration::from_millis(u64::from(ping_ms(connection.ttl())));
        let mut beats = interval_at(first_beat(every, connection.phase()), every);
        // What was missed in a pause is not made up for.
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { beats, beat }
    }

    fn frame(&self) -> Frame {
        if !self.beat {
            return Frame::Ping(Bytes::new());
        }
        let mut out = Vec::new();
        SocketEvent::Beat.write(&mut out);
        text(out.into())
    }

    /// The next heartbeat, when it is due.
    pub(super) async fn next(&mut self) -> Frame {
        self.beats.tick().await;
        self.frame()
    }

    /// The heartbeat that is due, if one is.
    pub(super) fn due(&mut self) -> Option<Frame> {
        self.beats.tick().now_or_never().map(|_| self.frame())
    }
}

/// Spreads heartbeats over their interval, in so many groups: to wake once for many costs far less
/// than to wake for each.
const BEAT_GROUPS: u32 = 64;

/// When the first heartbeat is due: within the interval, at a moment that others share.
#[expect(clippy::disallowed_methods, reason = "heartbeats are paced by real time, pauses or not")]
fn first_beat(every: Duration, phase: u8) -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    let now = Instant::now();
    let start = *START.get_or_init(|| now);
    let apart = every / BEAT_GROUPS;
    let wanted = now + apart * (u32::from(phase) % BEAT_GROUPS + 1);
    let since = wanted.saturating_duration_since(start);
    let beyond = since.as_nanos().checked_rem(apart.as_nanos()).unwrap_or(0);
    wanted - Duration::from_nanos(u64::try_from(beyond).unwrap_or(0))
}
