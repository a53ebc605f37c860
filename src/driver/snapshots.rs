//! When an image is written, and the thread that writes it. The keeper goes on meanwhile, and
//! looks now and then whether it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::journal::{NoSnapshot, Retired, SnapshotWriter, StorageFailure};

use super::background::BackgroundTask;
use super::clock::{self, Instant, instant};
use super::thread::WriterWaker;
use super::writer::JournalWriter;

/// After an image that failed the next is not begun before.
const IMAGE_RETRY: Duration = Duration::from_secs(10);

/// The images of a keeper.
pub(super) struct Snapshots {
    /// One was finished.
    last: Instant,
    /// None is begun before.
    not_before: Instant,
    /// One is to be written however small the journal is.
    is_wanted: bool,
    /// One that is being written, and what to set to end that soon.
    job: Option<(BackgroundTask<Done>, Arc<AtomicBool>)>,
}

type Done = (SnapshotWriter, Result<(), NoSnapshot>);

impl Snapshots {
    pub(super) fn new() -> Self {
        let now = instant();
        Self { last: now, not_before: now, is_wanted: false, job: None }
    }

    /// What was read at the start may never have reached the disk, if the run before ended by a
    /// failed sync: the system forgets what it could not write. What is behind an image does not
    /// build on it.
    pub(super) fn want_one(&mut self) {
        self.is_wanted = true;
    }

    fn is_due(&self, every: Duration) -> bool {
        let now = instant();
        self.job.is_none() && now >= self.not_before && now - self.last >= every
    }

    fn begin(&mut self, mut imaging: SnapshotWriter, waker: Arc<WriterWaker>) {
        let stop = imaging.stop();
        let job = BackgroundTask::begin("snapshot", waker, move || {
            let result = imaging.run();
            (imaging, result)
        });
        match job {
            Ok(job) => self.job = Some((job, stop)),
            Err(why) => {
                tracing::warn!("no thread for an image: {why}");
                self.retry_later();
            }
        }
    }

    fn retry_later(&mut self) {
        self.not_before = instant() + IMAGE_RETRY;
    }

    /// Whether one is done.
    pub(super) fn is_done(&self) -> bool {
        self.job.as_ref().is_some_and(|(job, _)| job.is_done())
    }
}

impl JournalWriter {
    /// Goes on behind an image that is done, or begins one that is due. Whether anything changed.
    pub(super) fn see_to_snapshots(&mut self) -> Result<bool, StorageFailure> {
        if self.images.is_done()
            && let Some((job, _)) = self.images.job.take()
        {
            let (imaging, result) = job.finish()?;
            let switched = result.and_then(|()| {
                self.switch(imaging, |old| {
                    let thread = thread::Builder::new().name("remove".to_owned());
                    // Without a thread the next start removes it.
                    let _ = thread.spawn(|| remove(old));
                })
            });
            return switched.or_else(|why| self.no_image(&why)).map(|()| true);
        }
        let (behind, image) = (self.behind_image(), self.kept.snapshot_bytes);
        let is_large = behind > self.keeping.snapshot_after_bytes.max(image);
        if (is_large || self.images.is_wanted) && self.images.is_due(self.keeping.every) {
            self.look()?;
            if let Some(imaging) = self.journal.begin_snapshot() {
                self.images.begin(imaging, self.waker());
            }
        }
        Ok(false)
    }

    fn behind_image(&self) -> u64 {
        self.kept.bytes.saturating_sub(self.kept.snapshot_bytes)
    }

    /// Goes on behind a new image. What is to be removed is left to `remove`.
    fn switch(
        &mut self,
        imaging: SnapshotWriter,
        remove: impl FnOnce(Retired),
    ) -> Result<(), NoSnapshot> {
        self.look()?;
        let old = self.journal.switch(imaging)?;
        (self.images.last, self.images.is_wanted) = (instant(), false);
        self.note_sync();
        self.kept.snapshot_ms = Some(clock::wall_ms());
        remove(old);
        Ok(())
    }

    /// There is no image, which is no reason to end unless the journal has.
    fn no_image(&mut self, why: &NoSnapshot) -> Result<(), StorageFailure> {
        // The reason may be that the directory is another's by now.
        self.look()?;
        if let NoSnapshot::Failed(why) = why {
            tracing::warn!("no image could be written: {why}");
        }
        self.images.retry_later();
        Ok(())
    }

    /// Writes an image here and now.
    ///
    /// # Errors
    /// [`StorageFailure`], when the journal ended by it.
    pub fn snapshot(&mut self) -> Result<(), StorageFailure> {
        let imaged = self.imaged();
        let result = imaged.or_else(|why| self.no_image(&why));
        self.describe();
        self.told(result)
    }

    fn imaged(&mut self) -> Result<(), NoSnapshot> {
        self.look()?;
        let mut imaging = self.journal.begin_snapshot().ok_or(NoSnapshot::Stopped)?;
        imaging.run()?;
        self.switch(imaging, remove)
    }

    /// Writes the last snapshot. That there is none is told: somebody may count on a quick start,
    /// and what hinders an image is nothing to be passed over.
    pub(super) fn last_snapshot(&mut self) -> Result<(), StorageFailure> {
        let imaged = self.imaged();
        self.describe();
        let why = match imaged {
            Ok(()) => return Ok(()),
            Err(NoSnapshot::Failed(why)) if self.journal.failure().is_some() => return Err(why),
            Err(NoSnapshot::Failed(why)) => why.to_string(),
            Err(NoSnapshot::Stopped) => "it was stopped".to_owned(),
        };
        Err(StorageFailure::Broken(format!(
            "the last snapshot could not be written, though all that was said is kept: {why}"
        )))
    }

    /// Drops an image that is being written.
    pub(super) fn end_snapshot(&mut self) {
        if let Some((job, stop)) = self.images.job.take() {
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
