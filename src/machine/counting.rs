//! How what happens is counted.

use super::command::Command;
use super::event::EndReason;
use super::rows::Held;
use super::tables::Machine;
use super::tally::{GrantHow, HoldEnd, Since, Tally, Teller};

impl Machine {
    /// What has happened since the machine began, or [`Machine::begin_tally`].
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.teller.tally
    }

    /// Counts from nothing on: what a log brought back happened to others.
    pub fn begin_tally(&mut self) {
        self.teller = Teller::default();
    }

    /// Says how much later it is than the last [`Command::Clock`] said, in ms. Durations are
    /// counted by that.
    #[inline]
    pub fn set_behind_ms(&mut self, behind_ms: u64) {
        self.teller.behind_ms = u16::try_from(behind_ms).unwrap_or(u16::MAX);
    }

    /// What is told from now on is a command's doing.
    #[inline]
    pub(super) fn count_for(&mut self, command: &Command) {
        self.teller.why = HoldEnd::by(command);
    }

    /// Something ends holds for a reason of its own.
    pub(super) fn count_as<T>(&mut self, why: HoldEnd, act: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.teller.why, why);
        let made = act(self);
        self.teller.why = before;
        made
    }

    /// When something begins that is counted later.
    #[inline]
    pub(super) fn now(&self) -> Since {
        Since::with(self.clock_ms, self.teller.behind_ms)
    }

    #[inline]
    fn lasted_ms(&self, since: Since) -> u64 {
        self.now().exact_ms().saturating_sub(since.exact_ms())
    }

    #[inline]
    pub(super) fn count_grant(&mut self, what: Held, how: GrantHow) {
        self.teller.tally.of(what.kind()).grants[how as usize] += 1;
    }

    #[inline]
    pub(super) fn count_wait(&mut self, what: Held, since: Since) {
        let ms = self.lasted_ms(since);
        self.teller.tally.of(what.kind()).waits.add(ms);
    }

    #[inline]
    pub(super) fn count_hold(&mut self, what: Held, since: Since) {
        let (ms, why) = (self.lasted_ms(since), self.teller.why);
        let tally = self.teller.tally.of(what.kind());
        tally.ended[why as usize] += 1;
        tally.holds.add(ms);
    }

    pub(super) fn count_session(&mut self, why: EndReason) {
        match why {
            EndReason::Closed => self.teller.tally.sessions_closed += 1,
            EndReason::Expired => self.teller.tally.sessions_expired += 1,
        }
    }
}
