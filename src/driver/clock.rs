//! The only clock. Its time stands still while the server does: a pause of the whole process
//! (suspended, starved) is left out, so that it runs nobody's deadline down.
//!
//! A pause shows when a look at the clock comes late. Signs of life may lie in the kernel then. So
//! time stands still until the process has demonstrably run: until some looks in succession have
//! come when they were planned, between which the sockets are read.

use std::time::Duration;

pub(super) use tokio::time::Instant;

use crate::deadlines::At;

/// Time between two looks at the clock while anything has a deadline, in ms. A pause is known to
/// within this.
const PULSE_MS: std::ops::RangeInclusive<u64> = 25..=50;
/// Lateness that no timer is free of, in ms: never a pause.
const ORDINARY_MS: u64 = 20;
/// Time between two looks after a pause, in ms.
const GRACE_PULSE_MS: u64 = 5;
/// Looks in succession that must come when planned before time goes on.
const GRACE_LOOKS: u32 = 10;
/// Looks after which time goes on though none came when planned: a server that is starved for good
/// still ends the dead.
const GRACE_LOOKS_MAX: u32 = 100;

/// What has happened since a pause was found out. Time stands still meanwhile.
#[derive(Debug, Default)]
struct Grace {
    /// When the next look is planned; `None` before the timer has come.
    planned: Option<Instant>,
    /// Looks in succession that came when planned.
    on_time: u32,
    /// All looks.
    looks: u32,
}

#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    /// Pauses so far, in µs.
    paused: u64,
    /// When the driver last ran.
    last: At,
    /// When it was to run next.
    planned: At,
    /// How late it may run before all the time since it last ran is left out, in µs.
    patience: u64,
    /// There was a pause: the sockets are yet to be read.
    grace: Option<Grace>,
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

/// What tells what time it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum WallClock {
    /// The system's.
    System,
    /// One that was set, and goes on from there by itself.
    Set {
        /// To what, in ms since 1970.
        ms: u64,
        /// When.
        at: Instant,
    },
}

impl WallClock {
    /// One that shows `ms` now.
    pub(super) fn set(ms: u64) -> Self {
        Self::Set { ms, at: instant() }
    }

    /// What time it is, in ms since 1970.
    pub(super) fn ms(self) -> u64 {
        match self {
            Self::System => wall_ms(),
            Self::Set { ms, at } => {
                let since = u64::try_from((instant() - at).as_millis()).unwrap_or(u64::MAX);
                ms.saturating_add(since)
            }
        }
    }
}

impl Clock {
    pub(super) fn new(expire_ms: u64) -> Self {
        Self {
            start: instant(),
            paused: 0,
            last: At::default(),
            planned: At::NEVER,
            patience: expire_ms.max(ORDINARY_MS).saturating_mul(1000),
            grace: None,
            pulse_ms: (expire_ms / 2).clamp(*PULSE_MS.start(), *PULSE_MS.end()),
            stopped: false,
        }
    }

    /// The time now. Finds out whether the driver was paused since it last ran, and if so lets
    /// the clock go on from there. While it is idle, nothing being due ever, it is not to run.
    pub(super) fn now(&mut self, idle: bool) -> (At, Option<Duration>) {
        if self.stopped || self.grace.is_some() {
            return (self.last, None);
        }
        let now = self.running();
        let late = now.since(self.planned);
        if idle {
            // Nobody was to come, so that nobody is late.
            self.planned = At::NEVER;
        }
        if idle || late <= ORDINARY_MS * 1000 {
            self.last = self.last.max(now);
            return (now, None);
        }
        let away = now.since(self.last);
        if late <= self.patience {
            // Nothing was due before the look was planned, and nothing is until time goes on. (To
            // leave out all since the last look would stop the time of a server that is often
            // late.)
            self.last = self.last.max(At::from_micros(self.planned.as_micros() - 1));
        }
        self.grace = Some(Grace::default());
        (self.last, Some(Duration::from_micros(away)))
    }

    /// The timer looks at the clock after a pause. Lets time go on when the sockets have been read.
    fn look(&mut self) {
        let Some(grace) = &mut self.grace else { return };
        let now = instant();
        if grace.planned.is_some_and(|planned| now < planned) {
            return;
        }
        if let Some(planned) = grace.planned {
            let is_on_time = now - planned <= Duration::from_millis(ORDINARY_MS);
            grace.on_time = if is_on_time { grace.on_time + 1 } else { 0 };
            grace.looks += 1;
        }
        grace.planned = Some(now + Duration::from_millis(GRACE_PULSE_MS));
        if grace.on_time >= GRACE_LOOKS || grace.looks >= GRACE_LOOKS_MAX {
            self.leave_out();
        }
    }

    /// Time goes on from where it was.
    fn leave_out(&mut self) {
        self.grace = None;
        self.paused += self.running().since(self.last);
    }

    fn running(&self) -> At {
        let running = u64::try_from((instant() - self.start).as_micros()).unwrap_or(u64::MAX);
        At::from_micros(running.saturating_sub(self.paused))
    }

    /// Stops time: nothing falls due until it goes on.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
        self.grace = None;
        self.planned = At::NEVER;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Lets time go on from where it was stopped.
    pub(super) fn go_on(&mut self) {
        if std::mem::take(&mut self.stopped) {
            self.leave_out();
        }
    }

    /// The timer was asked to wake: from now on it is late if it does not come.
    pub(super) fn expect(&mut self) {
        self.planned = self.planned.min(self.last.after_ms(self.pulse_ms));
    }

    /// Nothing is due ever: nobody is late.
    pub(super) fn rest(&mut self) {
        if self.grace.is_some() {
            self.leave_out();
        }
        self.planned = At::NEVER;
    }

    /// When the timer is to run next at the latest, given the next deadline.
    pub(super) fn wake(&mut self, next: At) -> Instant {
        self.look();
        if let Some(Grace { planned: Some(planned), .. }) = self.grace {
            return planned;
        }
        let at = next.max(self.last).min(self.last.after_ms(self.pulse_ms));
        self.planned = at;
        // Rounded up by the timer; a µs more, so that what is due is due when it wakes.
        self.start + Duration::from_micros(at.as_micros().saturating_add(self.paused + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The timer looks whenever it planned to, until time has gone on to `until_ms`.
    async fn run_until(clock: &mut Clock, until_ms: u64) {
        while clock.now(false).0 < At::default().after_ms(until_ms) {
            let wake = clock.wake(At::default().after_ms(until_ms));
            tokio::time::sleep_until(wake).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_pause_is_left_out_and_ordinary_lateness_is_not() {
        let mut clock = Clock::new(500);
        clock.wake(At::NEVER);
        tokio::time::advance(Duration::from_millis(70)).await;
        let (now, pause) = clock.now(false);
        assert_eq!((now.as_micros(), pause), (70_000, None));
        clock.wake(At::NEVER);
        tokio::time::advance(Duration::from_secs(20)).await;
        let (now, pause) = clock.now(false);
        assert_eq!((now.as_micros(), pause), (70_000, Some(Duration::from_secs(20))));
        run_until(&mut clock, 170).await;
        let (now, pause) = clock.now(false);
        assert!(now < At::default().after_ms(175) && pause.is_none(), "{now:?}");
    }

    /// A server that was stopped for 450 ms, which is less than `--expire`, woke up to find all
    /// sessions overdue whose beats lay in the kernel: of 10 none lived.
    #[tokio::test(start_paused = true)]
    async fn after_a_short_pause_nothing_is_due_before_the_sockets_have_been_read() {
        let mut clock = Clock::new(500);
        let due = At::default().after_ms(30);
        clock.wake(due);
        tokio::time::advance(Duration::from_millis(450)).await;
        assert!(clock.now(false).1.is_some());
        for _ in 0..=GRACE_LOOKS {
            // Others who come find the same time, and do not hurry it.
            assert!(clock.now(false).0 < due);
            assert!(clock.now(false).0 < due);
            let wake = clock.wake(due);
            clock.wake(due);
            tokio::time::sleep_until(wake).await;
        }
        clock.wake(due);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(clock.now(false).0 >= due, "time goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_pause_right_behind_the_first_begins_the_wait_anew() {
        let mut clock = Clock::new(500);
        let due = At::default().after_ms(30);
        clock.wake(due);
        for _ in 0..5 {
            tokio::time::advance(Duration::from_millis(450)).await;
            for _ in 0..GRACE_LOOKS {
                assert!(clock.now(false).0 < due);
                tokio::time::sleep_until(clock.wake(due)).await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_always_late_ends_the_dead_all_the_same() {
        let mut clock = Clock::new(500);
        let due = At::default().after_ms(1000);
        for _ in 0..1000 {
            let wake = clock.wake(due);
            tokio::time::sleep_until(wake + Duration::from_millis(ORDINARY_MS + 5)).await;
            clock.now(false);
        }
        assert!(clock.now(false).0 >= At::default().after_ms(400));
    }

    #[tokio::test(start_paused = true)]
    async fn it_can_be_stopped() {
        let mut clock = Clock::new(500);
        clock.wake(At::NEVER);
        tokio::time::advance(Duration::from_millis(70)).await;
        assert_eq!(clock.now(false).0.as_micros(), 70_000);
        clock.stop();
        tokio::time::advance(Duration::from_secs(100)).await;
        assert_eq!(clock.now(false), (At::default().after_ms(70), None));
        clock.go_on();
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(clock.now(false), (At::default().after_ms(170), None));
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
