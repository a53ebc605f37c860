//! How the writer comes by a snapshot: it goes on meanwhile, looks now and then whether one is
//! done, and goes on behind it.

use std::sync::atomic::Ordering;
use std::thread;

use crate::journal::{NoSnapshot, Retired, SnapshotWriter, StorageFailure};

use crate::driver::clock::{self, instant};

use super::cycle::JournalWriter;

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
