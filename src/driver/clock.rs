//! The only clock. Its time stands still while the server does: a pause of the whole process
//! (suspended, starved) is left out, so that it runs nobody's deadline down.

use std::time::Duration;

pub(super) use tokio::time::Instant;

use crate::deadlines::At;

/// Time between two looks at the clock while anything has a deadline, in ms. A pause is known to
/// within this.
const PULSE_MS: std::ops::RangeInclusive<u64> = 25..=250;
/// Lateness that no timer is free of, in ms: never a pause.
const ORDINARY_MS: u64 = 20;

#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    /// Pauses so far, in µs.
    paused: u64,
    /// When the driver last ran.
    last: At,
    /// When it was to run next.
    planned: At,
    /// How late it may run before that counts as a pause, in µs.
    patience: u64,
    /// Time between two looks, in ms.
    pulse_ms: u64,
    /// It was stopped.
    stopped: bool,
}

#[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
pub(super) fn instant() -> Instant {
    Instant::now()
}

/// The wall clock, in ms since 1970; 0 when it stands before.
#[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
pub(super) fn wall_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Clock {
    pub(super) fn new(expire_ms: u64) -> Self {
        Self {
            start: instant(),
            paused: 0,
            last: At::default(),
            planned: At::NEVER,
            patience: expire_ms.max(ORDINARY_MS).saturating_mul(1000),
            pulse_ms: (expire_ms / 2).clamp(*PULSE_MS.start(), *PULSE_MS.end()),
            stopped: false,
        }
    }

    /// The time now. Finds out whether the driver was paused since it last ran, and if so lets
    /// the clock go on from there. While it is idle, nothing being due ever, it is not to run.
    pub(super) fn now(&mut self, idle: bool) -> (At, Option<Duration>) {
        if self.stopped {
            return (self.last, None);
        }
        let now = self.running();
        if idle || now.since(self.planned) <= self.patience {
            self.last = self.last.max(now);
            return (now, None);
        }
        // It goes on from when it last ran: what was due just then may have been heard of since.
        let away = now.since(self.last);
        self.paused += away;
        (self.last, Some(Duration::from_micros(away)))
    }

    fn running(&self) -> At {
        let running = u64::try_from((instant() - self.start).as_micros()).unwrap_or(u64::MAX);
        At::from_micros(running.saturating_sub(self.paused))
    }

    /// Stops time: nothing falls due until it goes on.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        self.rest();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Lets time go on from where it was stopped.
    pub(super) fn go_on(&mut self) {
        if std::mem::take(&mut self.stopped) {
            self.paused += self.running().since(self.last);
        }
    }

    /// The timer was asked to wake: from now on it is late if it does not come.
    pub(super) fn expect(&mut self) {
        self.planned = self.planned.min(self.last.after_ms(self.pulse_ms));
    }

    /// Nothing is due ever: nobody is late.
    pub(super) fn rest(&mut self) {
        self.planned = At::NEVER;
    }

    /// When to run next at the latest, given the next deadline.
    pub(super) fn wake(&mut self, next: At) -> Instant {
        let at = next.min(self.last.after_ms(self.pulse_ms));
        self.planned = at;
        // Rounded up by the timer; a µs more, so that what is due is due when it wakes.
        self.start + Duration::from_micros(at.as_micros().saturating_add(self.paused + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_left_out_and_ordinary_lateness_is_not() {
        let mut clock = Clock::new(500);
        clock.wake(At::NEVER);
        tokio::time::advance(Duration::from_millis(700)).await;
        let (now, pause) = clock.now(false);
        assert_eq!((now.as_micros(), pause), (700_000, None));
        clock.wake(At::NEVER);
        tokio::time::advance(Duration::from_secs(20)).await;
        let (now, pause) = clock.now(false);
        assert_eq!((now.as_micros(), pause), (700_000, Some(Duration::from_secs(20))));
        clock.wake(At::NEVER);
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(clock.now(false).0.as_micros(), 800_000);
    }

    #[tokio::test(start_paused = true)]
    async fn it_can_be_stopped() {
        let mut clock = Clock::new(500);
        clock.wake(At::NEVER);
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(clock.now(false).0.as_micros(), 100_000);
        clock.stop();
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!(clock.now(false), (At::default().after_ms(100), None));
        clock.go_on();
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(clock.now(false), (At::default().after_ms(200), None));
    }

    #[tokio::test(start_paused = true)]
    async fn late_is_measured_from_when_it_was_to_run() {
        let mut clock = Clock::new(500);
        clock.wake(At::default().after_ms(10));
        tokio::time::advance(Duration::from_millis(520)).await;
        assert!(clock.now(false).1.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_least_expire_does_not_stop_time() {
        let mut clock = Clock::new(1);
        for _ in 0..100 {
            let wake = clock.wake(At::NEVER);
            tokio::time::sleep_until(wake + Duration::from_millis(5)).await;
            assert_eq!(clock.now(false).1, None);
        }
        assert!(clock.now(false).0 > At::default().after_ms(2500));
    }
}
