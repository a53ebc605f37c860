//! When holds and delays of tickets end by themselves. Follows the machine's events only.

use std::collections::HashMap;

use crate::deadlines::{At, Deadlines, Slot};
use crate::machine::{DelayId, Fence};

use super::due::Due;

/// A claim is told of its end when a quarter of it is left, but no more than this, in ms.
const WARNING_MAX_MS: u32 = 30_000;

/// A hold that ends by itself.
#[derive(Debug)]
struct TimedHold {
    slot: Slot,
    ends: At,
    /// It was lost, and is nobody's.
    is_lost: bool,
}

/// What it is time for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoldDue {
    /// To tell that it ends in so many ms.
    Warning(u32),
    /// To end it.
    End,
    /// Nothing.
    Nothing,
}

/// Holds and delays that end by themselves.
#[derive(Debug, Default)]
pub(super) struct Timings {
    holds: HashMap<Fence, TimedHold>,
    delays: HashMap<DelayId, Slot>,
}

impl Timings {
    /// A claim lasts so long from now on.
    pub(super) fn claim_began(
        &mut self,
        fence: Fence,
        hold_ms: u32,
        deadlines: &mut Deadlines<Due>,
        now: At,
    ) {
        let warning_ms = (hold_ms / 4).min(WARNING_MAX_MS);
        let warns = now.after_ms((hold_ms - warning_ms).into());
        let ends = now.after_ms(hold_ms.into());
        if let Some(hold) = self.holds.get_mut(&fence).filter(|hold| !hold.is_lost) {
            hold.ends = ends;
            return deadlines.set(hold.slot, warns);
        }
        self.hold_ended(fence, deadlines);
        let slot = deadlines.insert(Due::Claim(fence), warns);
        self.holds.insert(fence, TimedHold { slot, ends, is_lost: false });
    }

    /// A hold was lost, and stays for so long from now on.
    pub(super) fn hold_lost(
        &mut self,
        fence: Fence,
        delay_ms: u32,
        deadlines: &mut Deadlines<Due>,
        now: At,
    ) {
        self.hold_ended(fence, deadlines);
        let ends = now.after_ms(delay_ms.into());
        let slot = deadlines.insert(Due::Lost(fence), ends);
        self.holds.insert(fence, TimedHold { slot, ends, is_lost: true });
    }

    /// A hold does not end by itself any more, for it has ended.
    pub(super) fn hold_ended(&mut self, fence: Fence, deadlines: &mut Deadlines<Due>) {
        if let Some(hold) = self.holds.remove(&fence) {
            deadlines.remove(hold.slot);
        }
    }

    /// The deadline of a claim has come: what it is time for. After a warning it comes again.
    pub(super) fn claim_due(
        &self,
        fence: Fence,
        deadlines: &mut Deadlines<Due>,
        now: At,
    ) -> HoldDue {
        match self.holds.get(&fence) {
            Some(hold) if hold.ends > now => {
                deadlines.set(hold.slot, hold.ends);
                HoldDue::Warning(ms_until(hold.ends, now))
            }
            Some(_) => HoldDue::End,
            None => HoldDue::Nothing,
        }
    }

    /// Whether a hold is there, and its time is up.
    pub(super) fn is_over(&self, fence: Fence, now: At) -> bool {
        self.holds.get(&fence).is_some_and(|hold| hold.ends <= now)
    }

    /// What is left of a hold, in whole ms; `None` when it does not end by itself.
    pub(super) fn left_ms(&self, fence: Fence, now: At) -> Option<u32> {
        self.holds.get(&fence).map(|hold| ms_until(hold.ends, now))
    }

    /// A delay lasts so long from now on.
    pub(super) fn delay_began(
        &mut self,
        delay: DelayId,
        delay_ms: u32,
        deadlines: &mut Deadlines<Due>,
        now: At,
    ) {
        self.delay_ended(delay, deadlines);
        let slot = deadlines.insert(Due::Delay(delay), now.after_ms(delay_ms.into()));
        self.delays.insert(delay, slot);
    }

    pub(super) fn delay_ended(&mut self, delay: DelayId, deadlines: &mut Deadlines<Due>) {
        if let Some(slot) = self.delays.remove(&delay) {
            deadlines.remove(slot);
        }
    }

    /// Whether a delay is there yet.
    pub(super) fn has_delay(&self, delay: DelayId) -> bool {
        self.delays.contains_key(&delay)
    }

    /// Claims, or lost holds, in order.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn fences(&self, are_lost: bool) -> Vec<Fence> {
        let of_kind = self.holds.iter().filter(|(_, hold)| hold.is_lost == are_lost);
        let mut fences: Vec<Fence> = of_kind.map(|(&fence, _)| fence).collect();
        fences.sort_unstable();
        fences
    }

    /// Delays, in order.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn delays(&self) -> Vec<DelayId> {
        let mut delays: Vec<DelayId> = self.delays.keys().copied().collect();
        delays.sort_unstable();
        delays
    }
}

/// How many whole ms there are from `now` to `at`.
fn ms_until(at: At, now: At) -> u32 {
    u32::try_from(at.since(now) / 1000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> At {
        At::default().after_ms(ms)
    }

    /// What comes up by then.
    fn due(timings: &Timings, deadlines: &mut Deadlines<Due>, ms: u64) -> Option<HoldDue> {
        match deadlines.pop(at(ms), &mut 100)?.1 {
            Due::Claim(fence) => Some(timings.claim_due(fence, deadlines, at(ms))),
            _ => Some(HoldDue::End),
        }
    }

    #[test]
    fn a_claim_is_told_of_its_end_when_a_quarter_is_left_and_not_more_than_half_a_minute() {
        for (hold_ms, warning_ms) in [(100, 25), (1000, 250), (86_400_000, 30_000)] {
            let (mut timings, mut deadlines) = (Timings::default(), Deadlines::default());
            timings.claim_began(Fence(1), hold_ms, &mut deadlines, at(10));
            assert_eq!(timings.left_ms(Fence(1), at(10)), Some(hold_ms));
            let end = 10 + u64::from(hold_ms);
            let warns = end - u64::from(warning_ms);
            assert_eq!(due(&timings, &mut deadlines, warns - 1), None);
            let told = due(&timings, &mut deadlines, warns);
            assert_eq!(told, Some(HoldDue::Warning(warning_ms)));
            assert_eq!(due(&timings, &mut deadlines, end - 1), None);
            assert_eq!(due(&timings, &mut deadlines, end), Some(HoldDue::End));
            assert!(timings.is_over(Fence(1), at(end)));
        }
    }

    #[test]
    fn a_touch_begins_it_anew_and_who_is_late_is_not_warned() {
        let (mut timings, mut deadlines) = (Timings::default(), Deadlines::default());
        timings.claim_began(Fence(1), 1000, &mut deadlines, at(0));
        timings.claim_began(Fence(1), 2000, &mut deadlines, at(900));
        assert_eq!(timings.left_ms(Fence(1), at(900)), Some(2000));
        assert_eq!(due(&timings, &mut deadlines, 2399), None);
        assert_eq!(due(&timings, &mut deadlines, 2900), Some(HoldDue::End));
        timings.hold_ended(Fence(1), &mut deadlines);
        assert_eq!(timings.left_ms(Fence(1), at(2900)), None);
    }

    #[test]
    fn a_claim_that_is_lost_has_another_time() {
        let (mut timings, mut deadlines) = (Timings::default(), Deadlines::default());
        timings.claim_began(Fence(1), 1000, &mut deadlines, at(0));
        timings.hold_lost(Fence(1), 5000, &mut deadlines, at(100));
        assert_eq!(timings.left_ms(Fence(1), at(100)), Some(5000));
        assert_eq!(due(&timings, &mut deadlines, 5099), None);
        assert_eq!(due(&timings, &mut deadlines, 5100), Some(HoldDue::End));
        assert_eq!((timings.fences(false), timings.fences(true)), (vec![], vec![Fence(1)]));
    }
}
