//! The one lock and the one door to what is under it. Whoever comes is let in by the mode, finds
//! what is due by now applied, and on leaving wakes the timer and the journal writer if they are
//! needed.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::deadlines::At;

use super::clock::{Clock, Instant};
use super::commit::waker::{WakeOnDrop, WriterWaker};
use super::mode::Unavailable;
use super::state::State;

/// Who comes, and so what the mode has to say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A client with a command or a question: the mode may refuse it.
    Client,
    /// A client that says that it is there: it is heard in every mode.
    Alive,
    /// The driver itself, in every mode. It counts for nothing.
    Driver,
}

/// What the lock protects.
#[derive(Debug)]
struct UnderLock {
    state: State,
    clock: Clock,
}

impl UnderLock {
    /// When something is next due; never while time stands still.
    fn next_due(&self) -> At {
        if self.clock.is_stopped() { At::NEVER } else { self.state.next_due() }
    }

    /// The time now; what is due by now has been applied when this returns. (The timer alone works
    /// a backlog off.)
    fn enter(&mut self) -> At {
        let idle = self.next_due() == At::NEVER;
        let (now, pause) = self.clock.now(idle);
        match pause.map(|pause| pause.as_millis()) {
            Some(ms) if ms >= 1000 => tracing::warn!(ms, "the server stood still; deadlines moved"),
            Some(ms) => tracing::debug!(ms, "the server was late; deadlines moved"),
            None => {}
        }
        if !self.clock.is_stopped() {
            self.state.fall_due(now);
        }
        now
    }
}

/// The one lock.
pub(super) struct Door {
    /// Fair in the end, so that the slices of a backlog let others in between.
    inner: Mutex<UnderLock>,
    /// Wakes the timer when something has become due earlier than it was to wake.
    pub(super) earlier: Notify,
    /// When the timer wakes, in µs of the driver's clock.
    wakes: AtomicU64,
    /// How often the timer has come.
    ticks: AtomicU64,
    /// Wakes the journal writer.
    pub(super) waker: Arc<WriterWaker>,
}

/// A visit under the lock. A panic meanwhile stops the process: the machine may be half changed,
/// and a restart is better than a second grant.
pub(super) struct Visit<'a> {
    inner: MutexGuard<'a, UnderLock>,
    /// The time of the visit.
    pub(super) now: At,
    /// Dropped behind the lock: the writer's first step is to take that.
    wake: WakeOnDrop<'a>,
    door: &'a Door,
    /// The thread was panicking before it came here: that is not the machine's doing.
    was_panicking: bool,
}

impl Door {
    pub(super) fn new(state: State, clock: Clock) -> Self {
        Self {
            inner: Mutex::new(UnderLock { state, clock }),
            earlier: Notify::new(),
            wakes: AtomicU64::new(u64::MAX),
            ticks: AtomicU64::new(0),
            waker: Arc::default(),
        }
    }

    /// Lets somebody in, unless the mode refuses it.
    ///
    /// # Errors
    /// [`Unavailable`], for a client.
    #[inline]
    pub(super) fn visit(&self, caller: Caller) -> Result<Visit<'_>, Unavailable> {
        let was_panicking = std::thread::panicking();
        let inner = self.inner.lock();
        if caller == Caller::Client {
            inner.state.mode.may_ask()?;
        }
        let wake = WakeOnDrop { waker: &self.waker, is_due: false };
        let mut visit = Visit { inner, now: At::default(), wake, door: self, was_panicking };
        visit.now = visit.inner.enter();
        if caller != Caller::Driver {
            visit.operations += 1;
        }
        Ok(visit)
    }

    /// Lets the driver itself in.
    #[inline]
    pub(super) fn visit_as_driver(&self) -> Visit<'_> {
        match self.visit(Caller::Driver) {
            Ok(visit) => visit,
            Err(_) => unreachable!("the driver is let in by every mode"),
        }
    }

    /// Looks at how the last visit left things: what is due by now may not be applied.
    #[inline]
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.inner.lock().state)
    }

    /// How often the timer has come.
    pub(super) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Whether the lock is to be had within a while.
    pub(super) fn can_be_had(&self, within: Duration) -> bool {
        self.inner.try_lock_for(within).is_some()
    }

    /// Lets in one who is alive.
    #[inline]
    pub(super) fn visit_alive(&self) -> Visit<'_> {
        match self.visit(Caller::Alive) {
            Ok(visit) => visit,
            Err(_) => unreachable!("signs of life are heard in every mode"),
        }
    }
}

impl Visit<'_> {
    /// The timer has come. When it is to come again: at once, at some time, or when it is woken.
    pub(super) fn tick(&mut self, had_backlog: bool) -> Tick {
        let now = self.now;
        if !self.inner.clock.is_stopped() {
            if had_backlog {
                self.state_mut().run_due_slice(now);
                self.state_mut().serve_next(now);
            }
            self.state_mut().tell_now_and_then(now);
        }
        let next = self.inner.next_due();
        let wake = if next == At::NEVER {
            self.inner.clock.rest();
            None
        } else {
            Some(self.inner.clock.wake(next))
        };
        self.door.wakes.store(self.inner.next_due().as_micros(), Ordering::Relaxed);
        self.door.ticks.fetch_add(1, Ordering::Relaxed);
        let goes_on = self.has_backlog() && !self.inner.clock.is_stopped();
        if goes_on { Tick::AtOnce } else { wake.map_or(Tick::WhenWoken, Tick::At) }
    }

    fn state_mut(&mut self) -> &mut State {
        &mut self.inner.state
    }

    /// Time stands still until [`Visit::resume_time`].
    pub(super) fn stop_time(&mut self) {
        self.inner.clock.stop();
    }

    /// Time goes on from where it stood still.
    pub(super) fn resume_time(&mut self) {
        self.inner.clock.go_on();
        // What is due is looked at anew.
        self.inner.clock.expect();
    }
}

/// When the timer is to come again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tick {
    /// There is more to do, when others had their turn.
    AtOnce,
    /// Then.
    At(Instant),
    /// Nothing is due ever.
    WhenWoken,
}

impl Deref for Visit<'_> {
    type Target = State;
    #[inline]
    fn deref(&self) -> &State {
        &self.inner.state
    }
}

impl DerefMut for Visit<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut State {
        &mut self.inner.state
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            std::process::abort();
        }
        #[cfg(debug_assertions)]
        self.inner.state.check_if_small();
        self.wake.is_due = self.inner.state.take_news();
        let at = self.inner.next_due().as_micros();
        if at < self.door.wakes.load(Ordering::Relaxed) {
            self.door.wakes.store(at, Ordering::Relaxed);
            // The timer was asked to wake.
            self.inner.clock.expect();
            self.door.earlier.notify_one();
        }
    }
}
