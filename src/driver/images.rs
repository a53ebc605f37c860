//! When an image is written, and the thread that writes it. The keeper goes on meanwhile, and
//! looks now and then whether it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::journal::{Failure, Imaging, NoImage, Retired};

use super::clock::{self, Instant, instant};
use super::job::Job;
use super::keeper::Keeper;
use super::work::Bell;

/// After an image that failed the next is not begun before.
const IMAGE_RETRY: Duration = Duration::from_secs(10);

/// The images of a keeper.
pub(super) struct Images {
    /// One was finished.
    last: Instant,
    /// None is begun before.
    not_before: Instant,
    /// One is to be written however small the journal is.
    is_wanted: bool,
    /// One that is being written, and what to set to end that soon.
    job: Option<(Job<Done>, Arc<AtomicBool>)>,
}

type Done = (Imaging, Result<(), NoImage>);

impl Images {
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

    fn begin(&mut self, mut imaging: Imaging, bell: Arc<Bell>) {
        let stop = imaging.stop();
        let job = Job::begin("image", bell, move || {
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

impl Keeper {
    /// Goes on behind an image that is done, or begins one that is due. Whether anything changed.
    pub(super) fn see_to_images(&mut self) -> Result<bool, Failure> {
        if self.images.is_done()
            && let Some((job, _)) = self.images.job.take()
        {
            let (imaging, result) = job.finish()?;
            let switched = match result {
                Ok(()) => self.switch(imaging, |old| {
                    let thread = thread::Builder::new().name("remove".to_owned());
                    // Without a thread the next start removes it.
                    let _ = thread.spawn(|| remove(old));
                }),
                Err(why) => self.no_image(&why),
            };
            return switched.map(|()| true);
        }
        let (behind, image) = (self.behind_image(), self.kept.image_bytes);
        let is_large = behind > self.keeping.image_after_bytes.max(image);
        if (is_large || self.images.is_wanted)
            && self.images.is_due(self.keeping.every)
            && let Some(imaging) = self.journal.begin_image()
        {
            self.images.begin(imaging, self.bell());
        }
        Ok(false)
    }

    fn behind_image(&self) -> u64 {
        self.kept.bytes.saturating_sub(self.kept.image_bytes)
    }

    /// Goes on behind a new image. What is to be removed is left to `remove`.
    fn switch(&mut self, imaging: Imaging, remove: impl FnOnce(Retired)) -> Result<(), Failure> {
        match self.journal.switch(imaging) {
            Ok(old) => {
                (self.images.last, self.images.is_wanted) = (instant(), false);
                self.note_sync();
                self.kept.imaged_ms = Some(clock::wall_ms());
                remove(old);
                Ok(())
            }
            Err(why) => self.no_image(&why),
        }
    }

    fn no_image(&mut self, why: &NoImage) -> Result<(), Failure> {
        if let Some(failure) = self.journal.failure() {
            return Err(failure.clone());
        }
        if let NoImage::Failed(why) = why {
            tracing::warn!("no image could be written: {why}");
        }
        self.images.retry_later();
        Ok(())
    }

    /// Writes an image here and now.
    ///
    /// # Errors
    /// [`Failure`], when the journal ended by it.
    pub fn image(&mut self) -> Result<(), Failure> {
        let Some(mut imaging) = self.journal.begin_image() else { return Ok(()) };
        let result = match imaging.run() {
            Ok(()) => self.switch(imaging, remove),
            Err(why) => self.no_image(&why),
        };
        self.describe();
        self.told(result)
    }

    /// Drops an image that is being written.
    pub(super) fn end_image(&mut self) {
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
