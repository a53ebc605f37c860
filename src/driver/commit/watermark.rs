//! How far what was applied is durable: nothing leaves before all that was applied before it is.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use crate::driver::mode::Unavailable;

/// A point in the order of applied commands. What bears it may leave when everything up to it is
/// durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition(u64);

/// Counts what is applied and what of it is durable.
#[derive(Debug)]
pub(in crate::driver) struct Watermark {
    applied: AtomicU64,
    watermark: AtomicU64,
    /// Who waits, for what, in order; the second number tells those apart who wait for the same.
    waiting: Mutex<BTreeMap<(LogPosition, u64), Waker>>,
    /// Numbers those who wait.
    numbers: AtomicU64,
    /// Something has become durable, or never will.
    news: Notify,
    /// Somebody else says what is durable; otherwise everything is at once.
    gated: bool,
    /// Nothing more will ever become durable.
    failed: AtomicBool,
}

impl Watermark {
    pub(in crate::driver) fn new(gated: bool) -> Self {
        let (applied, watermark) = (AtomicU64::new(0), AtomicU64::new(0));
        let (waiting, numbers) = (Mutex::default(), AtomicU64::new(0));
        let (news, failed) = (Notify::new(), AtomicBool::new(false));
        Self { applied, watermark, waiting, numbers, news, gated, failed }
    }

    /// One more command was applied. Called under the driver's lock.
    pub(in crate::driver) fn applied(&self) -> LogPosition {
        let position = self.applied.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.gated {
            self.watermark.store(position, Ordering::Release);
        }
        LogPosition(position)
    }

    /// Everything applied so far.
    pub(in crate::driver) fn now(&self) -> LogPosition {
        LogPosition(self.applied.load(Ordering::Relaxed))
    }

    /// Everything up to here has become durable. Whoever waits for it finds out by
    /// [`Watermark::notify`] when this is said by a thread that is not the runtime's: it would wake
    /// one by one from afar, which costs more than all that there is to do for them.
    pub(in crate::driver) fn advance(&self, position: LogPosition) {
        self.watermark.fetch_max(position.0, Ordering::Release);
        self.tell();
    }

    /// Whatever is not durable by now never will be.
    pub(in crate::driver) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.tell();
    }

    fn tell(&self) {
        if tokio::runtime::Handle::try_current().is_ok() {
            self.wake();
        } else {
            self.news.notify_one();
        }
    }

    /// Wakes those who wait, as things become durable. Runs until it is dropped.
    pub(in crate::driver) async fn notify(&self) {
        loop {
            self.news.notified().await;
            self.wake();
        }
    }

    fn wake(&self) {
        let ready = {
            let mut waiting = self.waiting();
            let reached = if self.failed.load(Ordering::Acquire) {
                u64::MAX
            } else {
                self.watermark.load(Ordering::Acquire)
            };
            let later = waiting.split_off(&(LogPosition(reached.saturating_add(1)), 0));
            std::mem::replace(&mut *waiting, later)
        };
        ready.into_values().for_each(Waker::wake);
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(LogPosition, u64), Waker>> {
        match self.waiting.lock() {
            Ok(waiting) => waiting,
            Err(_) => std::process::abort(),
        }
    }

    #[inline]
    pub(in crate::driver) fn has(&self, position: LogPosition) -> bool {
        self.watermark.load(Ordering::Acquire) >= position.0
    }

    /// Waits until everything up to the position is durable.
    pub(in crate::driver) fn reached(&self, position: LogPosition) -> Reached<'_> {
        Reached { watermark: self, position, number: None }
    }
}

/// Waits until everything up to a position is durable, or never will be.
#[derive(Debug)]
pub(in crate::driver) struct Reached<'a> {
    watermark: &'a Watermark,
    position: LogPosition,
    /// Under which it waits.
    number: Option<u64>,
}

impl Future for Reached<'_> {
    type Output = Result<(), Unavailable>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let watermark = self.watermark;
        if watermark.has(self.position) {
            return Poll::Ready(Ok(()));
        }
        let number =
            *self.number.get_or_insert_with(|| watermark.numbers.fetch_add(1, Ordering::Relaxed));
        let mut waiting = watermark.waiting();
        // Looked at under the lock: who wakes looks at them first and at the list then.
        if watermark.has(self.position) {
            return Poll::Ready(Ok(()));
        }
        if watermark.failed.load(Ordering::Acquire) {
            return Poll::Ready(Err(Unavailable::Failed));
        }
        waiting.insert((self.position, number), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Reached<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.watermark.waiting().remove(&(self.position, number));
        }
    }
}
