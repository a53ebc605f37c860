//! When a snapshot is written, and the thread that writes it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::journal::{NoSnapshot, SnapshotWriter};

use crate::driver::clock::{Instant, instant};
use crate::driver::commit::waker::WriterWaker;

use super::background::BackgroundTask;

/// After a snapshot that failed the next is not begun before.
const SNAPSHOT_RETRY: Duration = Duration::from_secs(10);

/// The snapshots of a writer.
pub(super) struct Snapshots {
    /// One was finished.
    pub(super) last: Instant,
    /// None is begun before.
    not_before: Instant,
    /// One is to be written however small the journal is.
    pub(super) is_wanted: bool,
    /// One that is being written, and what to set to end that soon.
    pub(super) task: Option<(BackgroundTask<Done>, Arc<AtomicBool>)>,
}

pub(super) type Done = (SnapshotWriter, Result<(), NoSnapshot>);

impl Snapshots {
    pub(super) fn new() -> Self {
        let now = instant();
        Self { last: now, not_before: now, is_wanted: false, task: None }
    }

    /// What was read at the start may never have reached the disk, if the run before ended by a
    /// failed sync: the system forgets what it could not write. What is behind a snapshot does not
    /// build on it.
    pub(super) fn want_one(&mut self) {
        self.is_wanted = true;
    }

    pub(super) fn is_due(&self, every: Duration) -> bool {
        let now = instant();
        self.task.is_none() && now >= self.not_before && now - self.last >= every
    }

    pub(super) fn begin(&mut self, mut writing: SnapshotWriter, waker: Arc<WriterWaker>) {
        let stop = writing.stop();
        let job = BackgroundTask::begin("snapshot", waker, move || {
            let result = writing.run();
            (writing, result)
        });
        match job {
            Ok(job) => self.task = Some((job, stop)),
            Err(why) => {
                tracing::warn!("no thread for a snapshot: {why}");
                self.retry_later();
            }
        }
    }

    pub(super) fn retry_later(&mut self) {
        self.not_before = instant() + SNAPSHOT_RETRY;
    }

    /// Whether one is done.
    pub(super) fn is_done(&self) -> bool {
        self.task.as_ref().is_some_and(|(job, _)| job.is_done())
    }
}
