//! Work for the disk that the writer does not wait for.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::journal::StorageFailure;

use crate::driver::commit::waker::WriterWaker;

/// Something that is done in a thread of its own.
#[derive(Debug)]
pub(super) struct BackgroundTask<T> {
    thread: JoinHandle<T>,
    is_done: Arc<AtomicBool>,
}

impl<T: Send + 'static> BackgroundTask<T> {
    /// Begins; wakes the writer when it is done.
    pub(super) fn begin(
        name: &str,
        waker: Arc<WriterWaker>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Self> {
        let is_done = Arc::new(AtomicBool::new(false));
        let tell = is_done.clone();
        let work = move || {
            let done = work();
            tell.store(true, Ordering::SeqCst);
            waker.wake();
            done
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { thread, is_done })
    }

    /// Whether it is done, or came to nothing.
    pub(super) fn is_done(&self) -> bool {
        self.is_done.load(Ordering::SeqCst) || self.thread.is_finished()
    }

    /// What it came to. Waits for it.
    pub(super) fn finish(self) -> Result<T, StorageFailure> {
        self.thread
            .join()
            .map_err(|_| StorageFailure::Broken("work for the disk panicked".to_owned()))
    }
}
