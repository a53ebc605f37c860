//! When an image is written, and the thread that writes it. The keeper goes on meanwhile, and
//! looks now and then whether it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::journal::{Failure, Imaging, NoImage, Retired};

use super::clock::{self, Instant, instant};
use super::keeper::Keeper;
use super::work::Bell;

/// After an image that failed the next is not begun before.
const IMAGE_RETRY: Duration = Duration::from_secs(10);

type Done = (Imaging, Result<(), NoImage>);

/// An image that is being written.
struct Job {
    thread: JoinHandle<()>,
    done: Receiver<Done>,
    stop: Arc<AtomicBool>,
}

/// The images of a keeper.
pub(super) struct Images {
    /// One was finished.
    last: Instant,
    /// None is begun before.
    not_before: Instant,
    job: Option<Job>,
    /// What the job came to, if it was looked at.
    done: Option<Done>,
}

impl Images {
    pub(super) fn new() -> Self {
        let now = instant();
        Self { last: now, not_before: now, job: None, done: None }
    }

    fn is_due(&self, every: Duration) -> bool {
        let now = instant();
        self.job.is_none() && now >= self.not_before && now - self.last >= every
    }

    fn begin(&mut self, mut imaging: Imaging, bell: Arc<Bell>) {
        let (stop, (tell, done)) = (imaging.stop(), mpsc::channel());
        let image = move || {
            let result = imaging.run();
            // A keeper that is gone does not care.
            let _ = tell.send((imaging, result));
            bell.ring();
        };
        match thread::Builder::new().name("image".to_owned()).spawn(image) {
            Ok(thread) => self.job = Some(Job { thread, done, stop }),
            Err(why) => {
                tracing::warn!("no thread for an image: {why}");
                self.retry_later();
            }
        }
    }

    fn retry_later(&mut self) {
        self.not_before = instant() + IMAGE_RETRY;
    }

    /// Whether the job is done.
    fn look(&mut self) -> Result<bool, Failure> {
        let Some(job) = &self.job else { return Ok(self.done.is_some()) };
        match job.done.try_recv() {
            Ok(done) => {
                self.done = Some(done);
                self.job = None;
                Ok(true)
            }
            Err(TryRecvError::Empty) => Ok(false),
            Err(TryRecvError::Disconnected) => {
                Err(Failure::Broken("writing an image panicked".to_owned()))
            }
        }
    }
}

impl Keeper {
    /// Whether an image is done, which the next round sees to.
    pub(super) fn has_image(&mut self) -> bool {
        self.images.look().unwrap_or(true)
    }

    /// Goes on behind an image that is done, or begins one that is due. Whether anything changed.
    pub(super) fn see_to_images(&mut self) -> Result<bool, Failure> {
        if self.images.look()?
            && let Some((imaging, result)) = self.images.done.take()
        {
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
        if behind > self.keeping.image_after_bytes.max(image)
            && self.images.is_due(self.keeping.every)
        {
            let bell = self.driver().0.bell.clone();
            self.images.begin(self.journal.begin_image(), bell);
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
                self.images.last = instant();
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
        let mut imaging = self.journal.begin_image();
        let result = match imaging.run() {
            Ok(()) => self.switch(imaging, remove),
            Err(why) => self.no_image(&why),
        };
        self.describe();
        self.told(result)
    }

    /// Drops an image that is being written.
    pub(super) fn end_image(&mut self) {
        if let Some(job) = self.images.job.take() {
            job.stop.store(true, Ordering::Relaxed);
            let _ = job.thread.join();
        }
        self.images.done = None;
    }
}

fn remove(old: Retired) {
    if let Err(why) = old.remove() {
        tracing::warn!("an old journal stays until the next start: {why}");
    }
}
