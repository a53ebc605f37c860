//! How a server starts: over an empty machine, or over one that a log brought back.

use crate::deadlines::At;
use crate::machine::{Command, Fence, NUMBER_END};

use super::State;
use super::address::ReplyTo;

/// A clock that would leave fewer fences than these is not believed: they would never come back.
const FENCES_LEFT: u64 = 1 << 48;

impl State {
    /// The server starts. Fences go on from `fence` at least, and stay above those of an earlier
    /// run as long as the wall clock does not fall back. What is there is announced to the tables
    /// as if it began now: sessions have their whole TTL, and the waits of sockets their whole
    /// length.
    pub(in crate::driver) fn start(&mut self, fence: u64, wall_ms: u64, now: At) {
        let mut by_clock = wall_ms.saturating_mul(2048);
        if by_clock >= NUMBER_END - FENCES_LEFT {
            tracing::error!("the wall clock is beyond the year 2100: fences go on without it");
            by_clock = 1;
        }
        let fence = Fence(by_clock.max(fence));
        let position = self.submit(&Command::Boot { fence }, ReplyTo::Nobody, now);
        assert!(self.machine.next_fence() >= fence, "the start was not carried out");
        self.machine.announce(&mut self.events);
        self.route_events(position, now);
    }
}
