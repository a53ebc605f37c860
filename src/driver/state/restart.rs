//! How a server starts: over an empty machine, or over one that a log brought back.

use crate::deadlines::At;
use crate::machine::{Command, Event, Fence, NUMBER_END};

use super::State;
use super::address::ReplyTo;

/// A clock that would leave fewer fences than these is not believed: they would never come back.
const FENCES_LEFT: u64 = 1 << 48;

/// The lowest fence to hand out from now on: `fence` at least, and above those of an earlier run as
/// long as the wall clock, in ms since 1970, does not fall back.
pub(in crate::driver) fn first_fence(fence: u64, wall_ms: u64) -> Fence {
    let mut by_clock = wall_ms.saturating_mul(2048);
    if by_clock >= NUMBER_END - FENCES_LEFT {
        tracing::error!("the wall clock is beyond the year 2100: fences go on without it");
        by_clock = 1;
    }
    Fence(by_clock.max(fence))
}

impl State {
    /// The server starts, and fences go on from `fence` at least. What is there is announced to the
    /// tables as if it began now: sessions have their whole TTL, and the waits of sockets, claims
    /// and lost holds their whole length. Delays end when they were to end, by the wall clock.
    pub(in crate::driver) fn start(&mut self, fence: Fence, now: At) {
        let wall_ms = self.wall.ms();
        self.apply(&Command::Boot { fence }, ReplyTo::Nobody, now);
        assert!(self.machine.next_fence() >= fence, "the start was not carried out");
        self.machine.announce(&mut self.events);
        for event in &mut self.events {
            if let Event::DelayBegan { delay_ms, until_ms, .. } = event {
                let left_ms = u32::try_from(until_ms.saturating_sub(wall_ms)).unwrap_or(u32::MAX);
                *delay_ms = left_ms.min(*delay_ms);
            }
        }
        self.route_events(self.position(), now);
    }
}
