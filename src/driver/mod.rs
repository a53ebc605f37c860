//! The driver: the one owner of machine and deadlines, and the only clock. It knows nothing of
//! HTTP or JSON.
//!
//! The machine is reached under one short lock. Each visit first applies what is due, then its own
//! command, then puts what was announced into outboxes; nothing is awaited meanwhile. Each answer
//! and event bears a position and leaves when all that was applied before it is durable.

mod background;
mod changes;
mod clock;
mod core;
mod expiry;
mod ids;
mod message;
mod narration;
mod outbox;
mod pending;
mod persistence;
mod pins;
mod requests;
mod route;
mod snapshots;
mod sockets;
mod thread;
mod views;
mod watermark;
mod writer;

pub use changes::ChangeEvent;
pub use message::{Answered, Ending, MESSAGE_COST_BYTES, Message, State};
pub use outbox::{Next, OUTBOX_BYTES_MAX, OUTBOX_MESSAGES_MAX, Outbox};
pub use persistence::{Durability, PersistenceConfig, PersistenceError, PersistenceStatus};
pub use requests::{Answer, Pin};
pub use sockets::{Asked, Connection, NotAttached, PING_MAX_MS, ping_ms, reason};
pub use thread::WriterThread;
pub use views::{Seen, Viewed, WHOLE_MAX};
pub use watermark::LogPosition;
pub use writer::{Cycle, JournalWriter};

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, watch};

use crate::machine::{Counts, Machine};
use crate::notices::Notices;

use self::core::Core;
use self::pending::PendingBatch;
use self::thread::WriterWaker;
use self::watermark::Watermark;

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
    watermark: Arc<Watermark>,
    /// Wakes the timer when something has become due earlier than it was to wake.
    earlier: Notify,
    /// When the timer wakes, in µs of the driver's clock.
    wakes: AtomicU64,
    /// Wakes the keeper.
    waker: Arc<WriterWaker>,
    /// Figures of what is kept.
    kept: Mutex<Option<PersistenceStatus>>,
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
    wake: WakeOnDrop<'a>,
    shared: &'a Shared,
    /// The thread was panicking before it came here: that is not the machine's doing.
    was_panicking: bool,
}

/// Rings for the keeper, if that is due.
struct WakeOnDrop<'a> {
    waker: &'a WriterWaker,
    is_due: bool,
}

impl Drop for WakeOnDrop<'_> {
    fn drop(&mut self) {
        if self.is_due {
            self.waker.wake();
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
        if let Some(pending) = &mut self.core.pending {
            self.wake.is_due = std::mem::take(&mut pending.is_news);
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
    pub kept: Option<PersistenceStatus>,
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
        let watermark = Arc::new(Watermark::new(gated));
        let mut core = Core::new(u64::from(expire_ms), watermark.clone());
        core.boot(0, clock::wall_ms());
        Self::of(core, watermark)
    }

    /// A driver over what a journal kept, whose keeper says what is durable.
    fn over(machine: Machine, expire_ms: u32, fence: u64, wall_ms: u64) -> Self {
        let watermark = Arc::new(Watermark::new(true));
        let mut core = Core::over(machine, u64::from(expire_ms), watermark.clone());
        core.pending = Some(PendingBatch::default());
        core.boot(fence, wall_ms);
        Self::of(core, watermark)
    }

    fn of(core: Core, watermark: Arc<Watermark>) -> Self {
        Self(Arc::new(Shared {
            notices: core.notices.clone(),
            core: parking_lot::Mutex::new(core),
            watermark,
            earlier: Notify::new(),
            wakes: AtomicU64::new(u64::MAX),
            waker: Arc::default(),
            kept: Mutex::default(),
            failure: watch::Sender::new(None),
        }))
    }

    fn core(&self) -> Guard<'_> {
        let core = self.0.core.lock();
        let was_panicking = std::thread::panicking();
        let wake = WakeOnDrop { waker: &self.0.waker, is_due: false };
        Guard { core, wake, shared: &self.0, was_panicking }
    }

    /// Everything applied so far has become durable.
    pub fn make_durable(&self) {
        let position = self.core().position();
        self.advance_watermark(position);
    }

    /// Everything up to here has become durable.
    fn advance_watermark(&self, position: LogPosition) {
        self.0.watermark.advance(position);
        let mut core = self.core();
        let now = core.enter();
        core.release(now);
    }

    /// Waits until everything up to the position is durable.
    async fn committed(&self, position: LogPosition) -> Result<(), Unavailable> {
        self.0.watermark.reached(position).await
    }

    /// How many commands are yet to be kept.
    fn pending(&self) -> u32 {
        self.core().pending.as_ref().map_or(0, |pending| pending.count)
    }

    /// Whether the server is about to end.
    fn is_leaving(&self) -> bool {
        self.core().leaving
    }

    fn set_kept(&self, kept: PersistenceStatus) {
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
        tokio::join!(self.0.watermark.notify(), self.tick());
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
