//! When a snapshot is written, and the thread that writes it. The writer goes on meanwhile, and
//! looks now and then whether it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::journal::{NoSnapshot, Retired, SnapshotWriter, StorageFailure};

use crate::driver::clock::{self, Instant, instant};
use crate::driver::commit::waker::WriterWaker;

use super::background::BackgroundTask;
use super::cycle::JournalWriter;

/// After a snapshot that failed the next is not begun before.
const SNAPSHOT_RETRY: Duration = Duration::from_secs(10);

/// The snapshots of a writer.
pub(super) struct Snapshots {
    /// One was finished.
    last: Instant,
    /// None is begun before.
    not_before: Instant,
    /// One is to be written however small the journal is.
    is_wanted: bool,
    /// One that is being written, and what to set to end that soon.
    task: Option<(BackgroundTask<Done>, Arc<AtomicBool>)>,
}

type Done = (SnapshotWriter, Result<(), NoSnapshot>);

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

    fn is_due(&self, every: Duration) -> bool {
        let now = instant();
        self.task.is_none() && now >= self.not_before && now - self.last >= every
    }

    fn begin(&mut self, mut writing: SnapshotWriter, waker: Arc<WriterWaker>) {
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

    fn retry_later(&mut self) {
        self.not_before = instant() + SNAPSHOT_RETRY;
    }

    /// Whether one is done.
    pub(super) fn is_done(&self) -> bool {
        self.task.as_ref().is_some_and(|(job, _)| job.is_done())
    }
}

impl JournalWriter {
    /// Goes on behind a snapshot that is done, or begins one that is due. Whether anything changed.
    pub(super) fn see_to_snapshots(&mut self) -> Result<bool, StorageFailure> {
        if self.snapshots.is_done()
            && let Some((job, _)) = self.snapshots.task.take()
        {
            let (writing, result) = job.finish()?;
            let switched = result.and_then(|()| {
                self.switch(writing, |old| {
                    let thread = thread::Builder::new().name("remove".to_owned());
                    // Without a thread the next start removes it.
                    let _ = thread.spawn(|| remove(old));
                })
            });
            return switched.or_else(|why| self.no_snapshot(&why)).map(|()| true);
        }
        let (behind, snapshot) = (self.behind_snapshot(), self.status.snapshot_bytes);
        let is_large = behind > self.config.snapshot_after_bytes.max(snapshot);
        if (is_large || self.snapshots.is_wanted) && self.snapshots.is_due(self.config.every) {
            self.look()?;
            if let Some(writing) = self.journal.begin_snapshot() {
                self.snapshots.begin(writing, self.waker());
            }
        }
        Ok(false)
    }

    fn behind_snapshot(&self) -> u64 {
        self.status.bytes.saturating_sub(self.status.snapshot_bytes)
    }

    /// Goes on behind a new snapshot. What is to be removed is left to `remove`.
    fn switch(
        &mut self,
        writing: SnapshotWriter,
        remove: impl FnOnce(Retired),
    ) -> Result<(), NoSnapshot> {
        self.look()?;
        let old = self.journal.switch(writing)?;
        (self.snapshots.last, self.snapshots.is_wanted) = (instant(), false);
        self.note_sync();
        self.status.snapshot_ms = Some(clock::wall_ms());
        remove(old);
        Ok(())
    }

    /// There is no snapshot, which is no reason to end unless the journal has.
    fn no_snapshot(&mut self, why: &NoSnapshot) -> Result<(), StorageFailure> {
        // The reason may be that the directory is another's by now.
        self.look()?;
        if let NoSnapshot::Failed(why) = why {
            tracing::warn!("no snapshot could be written: {why}");
        }
        self.snapshots.retry_later();
        Ok(())
    }

    /// Writes a snapshot here and now.
    ///
    /// # Errors
    /// [`StorageFailure`], when the journal ended by it.
    pub fn snapshot(&mut self) -> Result<(), StorageFailure> {
        let written = self.write_snapshot();
        let result = written.or_else(|why| self.no_snapshot(&why));
        self.describe();
        self.fail_driver(result)
    }

    fn write_snapshot(&mut self) -> Result<(), NoSnapshot> {
        self.look()?;
        let mut writing = self.journal.begin_snapshot().ok_or(NoSnapshot::Stopped)?;
        writing.run()?;
        self.switch(writing, remove)
    }

    /// Writes the last snapshot. That there is none is told: somebody may count on a quick start,
    /// and what hinders a snapshot is nothing to be passed over.
    pub(super) fn last_snapshot(&mut self) -> Result<(), StorageFailure> {
        let written = self.write_snapshot();
        self.describe();
        let why = match written {
            Ok(()) => return Ok(()),
            Err(NoSnapshot::Failed(why)) if self.journal.failure().is_some() => return Err(why),
            Err(NoSnapshot::Failed(why)) => why.to_string(),
            Err(NoSnapshot::Stopped) => "it was stopped".to_owned(),
        };
        Err(StorageFailure::Broken(format!(
            "the last snapshot could not be written, though all that was said is kept: {why}"
        )))
    }

    /// Drops a snapshot that is being written.
    pub(super) fn end_snapshot(&mut self) {
        if let Some((job, stop)) = self.snapshots.task.take() {
            stop.store(true, Ordering::Relaxed);
            let _ = job.finish();
        }
    }
}

fn remove(old: Retired) {
    if let Err(why) = old.remove() {
        tracing::warn!("an old journal stays until the next start: {why}");
    }
}
