//! Wakes the journal writer's thread.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::{self, Thread};
use std::time::Duration;

/// Wakes the writer's thread, which sleeps while there is nothing to write.
#[derive(Debug, Default)]
pub(in crate::driver) struct WriterWaker {
    sleeps: AtomicBool,
    thread: OnceLock<Thread>,
}

impl WriterWaker {
    /// The calling thread is the writer's.
    pub(in crate::driver) fn adopt(&self) {
        let _ = self.thread.set(thread::current());
    }

    pub(in crate::driver) fn wake(&self) {
        // What was applied before is seen by a writer that is about to sleep, or it is seen here.
        fence(Ordering::SeqCst);
        if self.sleeps.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    /// Sleeps until it is woken, or `most` is over, unless there is something to do.
    pub(in crate::driver) fn sleep(&self, most: Duration, is_needed: impl FnOnce() -> bool) {
        // Whoever comes with something after this looks, wakes.
        self.sleeps.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !is_needed() {
            thread::park_timeout(most);
        }
        self.sleeps.store(false, Ordering::SeqCst);
    }
}

/// Wakes the writer when it is dropped, if that is due.
pub(in crate::driver) struct WakeOnDrop<'a> {
    pub(in crate::driver) waker: &'a WriterWaker,
    pub(in crate::driver) is_due: bool,
}

impl Drop for WakeOnDrop<'_> {
    fn drop(&mut self) {
        if self.is_due {
            self.waker.wake();
        }
    }
}
