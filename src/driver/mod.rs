//! The driver: the one owner of machine and deadlines, and the only clock. It knows nothing of
//! HTTP or JSON.
//!
//! The machine is reached under one short lock. Each visit first applies what is due, then its own
//! command, then puts what was announced into outboxes; nothing is awaited meanwhile. Each answer
//! and event bears a stamp and leaves when all that was applied before it is durable.

mod announce;
mod busy;
mod clock;
mod core;
mod durable;
mod expiry;
mod gathered;
mod ids;
mod images;
mod job;
mod keeper;
mod keeping;
mod levels;
mod message;
mod narration;
mod outbox;
mod requests;
mod sockets;
mod views;
mod work;

pub use durable::Stamp;
pub use keeper::{Keeper, Round};
pub use keeping::{Durability, Keeping, Kept, NotKept};
pub use levels::LevelEvent;
pub use message::{Answered, Ending, MESSAGE_COST_BYTES, Message, State};
pub use outbox::{Next, OUTBOX_BYTES_MAX, OUTBOX_MESSAGES_MAX, Outbox};
pub use requests::{Answer, Held};
pub use sockets::{Asked, Connection, NotAttached, PING_MAX_MS, ping_ms, reason};
pub use views::{Seen, Viewed, WHOLE_MAX};
pub use work::AtWork;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, watch};

use crate::machine::{Counts, Machine};
use crate::notices::Notices;

use self::core::Core;
use self::durable::Durable;
use self::gathered::Gathered;
use self::work::Bell;

/// Why the server cannot promise that it will remember what it would say: it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// Its disk is full. It goes on when there is room.
    Full,
    /// It is about to end.
    Leaving,
    /// It can keep nothing any more, and ends.
    Failed,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the server's disk is full: it does nothing until there is room",
            Self::Leaving => "the server is going away",
            Self::Failed => "the server cannot keep anything any more and is going away",
        })
    }
}

impl std::error::Error for Unavailable {}

/// A handle on the one machine of the process. Cheap to clone.
#[derive(Clone)]
pub struct Driver(Arc<Shared>);

struct Shared {
    /// Fair in the end, so that the slices of a backlog let others in between.
    core: parking_lot::Mutex<Core>,
    durable: Arc<Durable>,
    /// Wakes the timer when something has become due earlier than it was to wake.
    earlier: Notify,
    /// When the timer wakes, in µs of the driver's clock.
    wakes: AtomicU64,
    /// Wakes the keeper.
    bell: Arc<Bell>,
    /// Figures of what is kept.
    kept: Mutex<Option<Kept>>,
    /// Why nothing can be kept any more.
    failure: watch::Sender<Option<String>>,
    notices: Arc<Notices>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}

/// The locked core. A panic while it is held stops the process: the machine may be half changed,
/// and a restart is better than a second grant. Letting go of it wakes the timer when something
/// has become due earlier than it was to wake.
struct Guard<'a> {
    core: parking_lot::MutexGuard<'a, Core>,
    /// Dropped behind the lock: the keeper's first step is to take that.
    ring: Ring<'a>,
    shared: &'a Shared,
    /// The thread was panicking before it came here: that is not the machine's doing.
    was_panicking: bool,
}

/// Rings for the keeper, if that is due.
struct Ring<'a> {
    bell: &'a Bell,
    is_due: bool,
}

impl Drop for Ring<'_> {
    fn drop(&mut self) {
        if self.is_due {
            self.bell.ring();
        }
    }
}

impl std::ops::Deref for Guard<'_> {
    type Target = Core;
    fn deref(&self) -> &Core {
        &self.core
    }
}

impl std::ops::DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            std::process::abort();
        }
        if let Some(gathered) = &mut self.core.gathered {
            self.ring.is_due = std::mem::take(&mut gathered.is_news);
        }
        let at = self.core.next_due().as_micros();
        if at < self.shared.wakes.load(Ordering::Relaxed) {
            self.shared.wakes.store(at, Ordering::Relaxed);
            self.core.expect_pulse();
            self.shared.earlier.notify_one();
        }
    }
}

/// Figures for the status page.
#[derive(Clone, Debug)]
pub struct Status {
    /// How many there are of everything.
    pub counts: Counts,
    /// Requests carried out since the start.
    pub operations: u64,
    /// What is kept on disk, if anything is.
    pub kept: Option<Kept>,
}

impl Driver {
    /// A driver over an empty machine. `expire_ms` bounds how late a session ends, and is how long
    /// an emptied resource stays known. [`Driver::run`] must run beside it.
    #[must_use]
    pub fn new(expire_ms: u32) -> Self {
        Self::with(expire_ms, false)
    }

    /// A driver in which nothing is durable before [`Driver::make_durable`] says so.
    #[must_use]
    pub fn gated(expire_ms: u32) -> Self {
        Self::with(expire_ms, true)
    }

    fn with(expire_ms: u32, gated: bool) -> Self {
        let durable = Arc::new(Durable::new(gated));
        let mut core = Core::new(u64::from(expire_ms), durable.clone());
        core.boot(0, clock::wall_ms());
        Self::of(core, durable)
    }

    /// A driver over what a journal kept, whose keeper says what is durable.
    fn over(machine: Machine, expire_ms: u32, fence: u64, wall_ms: u64) -> Self {
        let durable = Arc::new(Durable::new(true));
        let mut core = Core::over(machine, u64::from(expire_ms), durable.clone());
        core.gathered = Some(Gathered::default());
        core.boot(fence, wall_ms);
        Self::of(core, durable)
    }

    fn of(core: Core, durable: Arc<Durable>) -> Self {
        Self(Arc::new(Shared {
            notices: core.notices.clone(),
            core: parking_lot::Mutex::new(core),
            durable,
            earlier: Notify::new(),
            wakes: AtomicU64::new(u64::MAX),
            bell: Arc::default(),
            kept: Mutex::default(),
            failure: watch::Sender::new(None),
        }))
    }

    fn core(&self) -> Guard<'_> {
        let core = self.0.core.lock();
        let was_panicking = std::thread::panicking();
        let ring = Ring { bell: &self.0.bell, is_due: false };
        Guard { core, ring, shared: &self.0, was_panicking }
    }

    /// Everything applied so far has become durable.
    pub fn make_durable(&self) {
        let stamp = self.core().stamp();
        self.is_durable(stamp);
    }

    /// Everything up to here has become durable.
    fn is_durable(&self, stamp: Stamp) {
        self.0.durable.advance(stamp);
        let mut core = self.core();
        let now = core.enter();
        core.settle(now);
    }

    /// Waits until everything up to the stamp is durable.
    async fn settled(&self, stamp: Stamp) -> Result<(), Unavailable> {
        self.0.durable.reached(stamp).await
    }

    /// How many commands are yet to be kept.
    fn gathered(&self) -> u32 {
        self.core().gathered.as_ref().map_or(0, |gathered| gathered.count)
    }

    /// Whether the server is about to end.
    fn is_leaving(&self) -> bool {
        self.core().leaving
    }

    fn set_kept(&self, kept: Kept) {
        *lock(&self.0.kept) = Some(kept);
    }

    /// The disk is full: nothing is done, and time stands still, until [`Driver::go_on`].
    fn wait_for_room(&self) {
        self.core().wait_for_room();
    }

    fn go_on(&self) {
        self.core().go_on();
        self.0.earlier.notify_one();
    }

    /// Nothing can be kept any more: whoever waits for it is told so, and sockets that the server
    /// goes away.
    fn fail(&self, why: &str) {
        if self.core().give_up() {
            tracing::error!("nothing can be kept any more: {why}");
        }
        self.0.failure.send_replace(Some(why.to_owned()));
    }

    /// Waits for the end of keeping, which is the end of the server; gives its reason.
    pub async fn failed(&self) -> String {
        let mut failure = self.0.failure.subscribe();
        loop {
            let why = failure.borrow_and_update().clone();
            match why {
                Some(why) => return why,
                // The sender lives as long as this does.
                None => drop(failure.changed().await),
            }
        }
    }

    /// Applies what falls due, when it does, and wakes who waits for the keeper. Runs until it is
    /// dropped.
    pub async fn run(self) {
        tokio::join!(self.0.durable.herald(), self.tick());
    }

    async fn tick(&self) {
        loop {
            let wake = {
                let mut core = self.core();
                let wake = core.pulse();
                self.0.wakes.store(core.next_due().as_micros(), Ordering::Relaxed);
                if core.goes_on_at_once() { None } else { Some(wake) }
            };
            let Some(wake) = wake else {
                // Whoever waits for the lock goes before the next slice.
                tokio::task::yield_now().await;
                continue;
            };
            match wake {
                None => self.0.earlier.notified().await,
                Some(wake) => tokio::select! {
                    () = tokio::time::sleep_until(wake) => {}
                    () = self.0.earlier.notified() => {}
                },
            }
        }
    }

    /// Where the log is told what is refused.
    #[must_use]
    pub fn notices(&self) -> Arc<Notices> {
        self.0.notices.clone()
    }

    /// Figures for the status page.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut core = self.core();
        core.enter();
        let (counts, operations) = (core.machine.counts(), core.operations);
        drop(core);
        Status { counts, operations, kept: lock(&self.0.kept).clone() }
    }

    /// Answers all requests that wait as if their time were up; from now on none waits.
    pub fn stop_waiting(&self) {
        let mut core = self.core();
        let now = core.enter();
        core.leaving = true;
        core.stop_all_waiting(now);
    }
}

/// A lock under which nothing can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(_) => std::process::abort(),
    }
}
