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
            let switched = result.and_then(|()| {
                self.switch(imaging, |old| {
                    let thread = thread::Builder::new().name("remove".to_owned());
                    // Without a thread the next start removes it.
                    let _ = thread.spawn(|| remove(old));
                })
            });
            return switched.or_else(|why| self.no_image(&why)).map(|()| true);
        }
        let (behind, image) = (self.behind_image(), self.kept.image_bytes);
        let is_large = behind > self.keeping.image_after_bytes.max(image);
        if (is_large || self.images.is_wanted) && self.images.is_due(self.keeping.every) {
            self.look()?;
            if let Some(imaging) = self.journal.begin_image() {
                self.images.begin(imaging, self.bell());
            }
        }
        Ok(false)
    }

    fn behind_image(&self) -> u64 {
        self.kept.bytes.saturating_sub(self.kept.image_bytes)
    }

    /// Goes on behind a new image. What is to be removed is left to `remove`.
    fn switch(&mut self, imaging: Imaging, remove: impl FnOnce(Retired)) -> Result<(), NoImage> {
        self.look()?;
        let old = self.journal.switch(imaging)?;
        (self.images.last, self.images.is_wanted) = (instant(), false);
        self.note_sync();
        self.kept.imaged_ms = Some(clock::wall_ms());
        remove(old);
        Ok(())
    }

    /// There is no image, which is no reason to end unless the journal has.
    fn no_image(&mut self, why: &NoImage) -> Result<(), Failure> {
        // The reason may be that the directory is another's by now.
        self.look()?;
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
        let imaged = self.imaged();
        let result = imaged.or_else(|why| self.no_image(&why));
        self.describe();
        self.told(result)
    }

    fn imaged(&mut self) -> Result<(), NoImage> {
        self.look()?;
        let mut imaging = self.journal.begin_image().ok_or(NoImage::Stopped)?;
        imaging.run()?;
        self.switch(imaging, remove)
    }

    /// Writes the last image. That there is none is told: somebody may count on a quick start, and
    /// what hinders an image is nothing to be passed over.
    pub(super) fn last_image(&mut self) -> Result<(), Failure> {
        let imaged = self.imaged();
        self.describe();
        let why = match imaged {
            Ok(()) => return Ok(()),
            Err(NoImage::Failed(why)) if self.journal.failure().is_some() => return Err(why),
            Err(NoImage::Failed(why)) => why.to_string(),
            Err(NoImage::Stopped) => "it was stopped".to_owned(),
        };
        Err(Failure::Broken(format!(
            "the last image could not be written, though all that was said is kept: {why}"
        )))
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
