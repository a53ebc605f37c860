//! The journal writer's thread, which sleeps while there is nothing to write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::journal::StorageFailure;

use crate::driver::commit::watermark::{LogPosition, Watermark};
use crate::driver::handle::Driver;

use super::cycle::{Cycle, JournalWriter};

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(100);
/// Most times that others go first.
const YIELDS_MAX: u32 = 16;

impl JournalWriter {
    /// Keeps until `stop` is set and all that was applied is durable, then writes a last snapshot.
    ///
    /// # Errors
    /// [`StorageFailure`]: what waited for it was told that it is not kept.
    pub fn run(mut self, stop: &AtomicBool) -> Result<(), StorageFailure> {
        let result = self.run_until(stop);
        self.end_snapshot();
        self.fail_driver(result)
    }

    fn run_until(&mut self, stop: &AtomicBool) -> Result<(), StorageFailure> {
        let driver = self.driver().clone();
        let (waker, watermark) = (&driver.door().waker, driver.watermark());
        waker.adopt();
        if self.report().commands > 0 {
            self.snapshots.want_one();
        }
        loop {
            // Before the cycle: what is applied before it is set is kept.
            let stopping = stop.load(Ordering::SeqCst);
            let_others_go(watermark);
            match self.cycle()? {
                Cycle::Wrote => {}
                Cycle::Full if stopping || driver.is_leaving() => return Err(StorageFailure::Full),
                Cycle::Full => thread::sleep(FULL_RETRY),
                Cycle::Idle if stopping => return self.finish(),
                Cycle::Idle => waker.sleep(self.due(), || {
                    watermark.now() > self.taken() || stop.load(Ordering::SeqCst) || self.has_done()
                }),
            }
        }
    }
}

/// As long as more comes by letting others go first, they do: whoever is ready to ask goes into the
/// same batch. It costs one who is alone a microsecond.
fn let_others_go(watermark: &Watermark) {
    let mut before = LogPosition::default();
    for _ in 0..YIELDS_MAX {
        let applied = watermark.now();
        if applied == before {
            break;
        }
        before = applied;
        thread::yield_now();
    }
}

/// Fails the driver when the writer panics: nobody waits for it for ever.
struct FailOnPanic(Driver);

impl Drop for FailOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail("the journal writer panicked");
        }
    }
}

/// A journal writer in a thread of its own.
#[derive(Debug)]
pub struct WriterThread {
    driver: Driver,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), StorageFailure>>,
}

impl WriterThread {
    /// Starts a writer.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn new(writer: JournalWriter) -> std::io::Result<Self> {
        let (driver, stop) = (writer.driver().clone(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        let run = move || {
            let _guard = FailOnPanic(writer.driver().clone());
            writer.run(&stopped)
        };
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(run)?;
        Ok(Self { driver, stop, thread })
    }

    /// Waits until all that was applied is durable and a last snapshot is written. Blocks.
    ///
    /// # Errors
    /// Why it is not.
    pub fn finish(self) -> Result<(), StorageFailure> {
        self.stop.store(true, Ordering::SeqCst);
        self.driver.door().waker.wake();
        match self.thread.join() {
            Ok(result) => result,
            Err(_) => Err(StorageFailure::Broken("the journal writer panicked".to_owned())),
        }
    }
}
