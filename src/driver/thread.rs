//! The keeper at work: a thread of its own, which sleeps while there is nothing to keep.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use crate::journal::StorageFailure;

use super::Driver;
use super::writer::{Cycle, JournalWriter};

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(100);
/// Most times that others go first.
const YIELDS_MAX: u32 = 16;

/// Wakes the keeper's thread.
#[derive(Debug, Default)]
pub(super) struct WriterWaker {
    sleeps: AtomicBool,
    thread: OnceLock<Thread>,
}

impl WriterWaker {
    pub(super) fn wake(&self) {
        if self.sleeps.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Sleeps until it is rung, or `most` is over, unless there is something to do.
    fn sleep(&self, most: Duration, is_needed: impl FnOnce() -> bool) {
        // Whoever comes with something after this looks, rings.
        self.sleeps.store(true, Ordering::SeqCst);
        if !is_needed() {
            thread::park_timeout(most);
        }
        self.sleeps.store(false, Ordering::SeqCst);
    }
}

impl JournalWriter {
    /// Keeps until `stop` is set and all that was applied is durable, then writes a last snapshot.
    ///
    /// # Errors
    /// [`StorageFailure`]: what waited for it was told that it is not kept.
    pub fn run(mut self, stop: &AtomicBool) -> Result<(), StorageFailure> {
        let result = self.run_until(stop);
        self.end_snapshot();
        self.told(result)
    }

    fn run_until(&mut self, stop: &AtomicBool) -> Result<(), StorageFailure> {
        let driver = self.driver().clone();
        let waker = &driver.0.waker;
        let _ = waker.thread.set(thread::current());
        if self.report().commands > 0 {
            self.images.want_one();
        }
        loop {
            // Before the round: what is applied before it is set is kept.
            let stopping = stop.load(Ordering::SeqCst);
            let_others_go(&driver);
            match self.round()? {
                Cycle::Wrote => {}
                Cycle::Full if stopping || driver.is_leaving() => return Err(StorageFailure::Full),
                Cycle::Full => thread::sleep(FULL_RETRY),
                Cycle::Idle if stopping => return self.finish(),
                Cycle::Idle => waker.sleep(self.due(), || {
                    driver.pending() > 0 || stop.load(Ordering::SeqCst) || self.has_done()
                }),
            }
        }
    }
}

/// As long as more comes by letting others go first, they do: whoever is ready to ask goes into the
/// same batch. It costs one who is alone a microsecond.
fn let_others_go(driver: &Driver) {
    let mut before = 0;
    for _ in 0..YIELDS_MAX {
        let pending = driver.pending();
        if pending == before {
            break;
        }
        before = pending;
        thread::yield_now();
    }
}

/// Should keeping panic, nobody waits for it for ever.
struct Notice(Driver);

impl Drop for Notice {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail("keeping panicked");
        }
    }
}

/// A keeper at work in a thread of its own.
#[derive(Debug)]
pub struct WriterThread {
    driver: Driver,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), StorageFailure>>,
}

impl WriterThread {
    /// Sets a keeper to work.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn new(keeper: JournalWriter) -> std::io::Result<Self> {
        let (driver, stop) = (keeper.driver().clone(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        let run = move || {
            let _told = Notice(keeper.driver().clone());
            keeper.run(&stopped)
        };
        let thread = thread::Builder::new().name("keeper".to_owned()).spawn(run)?;
        Ok(Self { driver, stop, thread })
    }

    /// Waits until all that was applied is durable and a last snapshot is written. Blocks.
    ///
    /// # Errors
    /// Why it is not.
    pub fn finish(self) -> Result<(), StorageFailure> {
        self.stop.store(true, Ordering::SeqCst);
        self.driver.0.waker.wake();
        match self.thread.join() {
            Ok(result) => result,
            Err(_) => Err(StorageFailure::Broken("keeping panicked".to_owned())),
        }
    }
}
