//! The keeper: it gives the journal what was applied, in order, and says what of it is durable.
//! It is alone with the disk; nobody waits for it under the driver's lock.
//!
//! What gathers while it writes goes into the next batch: one sync for as many as wait. A failed
//! write or sync is the end. Only a full disk that has undone everything is waited for.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use crate::journal::{
    Batch, Description, Failure, Imaging, Journal, NoImage, Options, Recovered, Report, Retired,
    Sqlite, Store,
};

use super::clock::{self, Instant, instant};
use super::durable::Stamp;
use super::{Driver, ids};

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(100);
/// After an image that failed the next is not begun before.
const IMAGE_RETRY: Duration = Duration::from_secs(10);

/// When what was applied counts as durable, and may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When it is synced: it survives a power cut.
    Always,
    /// When it is written; it is synced a while later. It survives the process, but in a power cut
    /// as much may be lost.
    Interval,
    /// When it is written; syncing is left to the system.
    None,
}

/// What is kept, and how well.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The journal's directory.
    pub dir: PathBuf,
    /// When it counts as durable.
    pub durability: Durability,
    /// How often at most an image is written, and for [`Durability::Interval`] how long a sync may
    /// take to come.
    pub every: Duration,
    /// An image is written when the journal behind the last one is larger than this, and than
    /// that image.
    pub image_after_bytes: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            dir: PathBuf::new(),
            durability: Durability::Always,
            every: Duration::from_secs(1),
            image_after_bytes: 64 << 20,
        }
    }
}

/// Figures for the status page.
#[derive(Clone, Debug)]
pub struct Kept {
    /// When it counts as durable.
    pub durability: Durability,
    /// The journal's file.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// How much of it is image.
    pub image_bytes: u64,
    /// Commands behind the image.
    pub commands: u64,
    /// Wall clock of the last sync, in ms since 1970.
    pub synced_ms: Option<u64>,
    /// Wall clock of the last image of this run, in ms since 1970.
    pub imaged_ms: Option<u64>,
    /// The disk is full.
    pub is_full: bool,
}

/// Why there is no keeper: the journal cannot be opened.
#[derive(Debug)]
pub struct NotKept(String);

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotKept {}

/// Wakes the keeper's thread.
#[derive(Debug, Default)]
pub(super) struct Bell {
    sleeps: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Bell {
    pub(super) fn ring(&self) {
        if self.sleeps.swap(false, Ordering::AcqRel)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }
}

/// What is on its way to the journal.
#[derive(Default)]
struct Parcel {
    commands: Vec<u8>,
    count: u32,
    next_fence: u64,
    stamp: Stamp,
}

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Something was made durable.
    Kept,
    /// There was nothing to do.
    Idle,
    /// The disk is full.
    Full,
}

/// Alone with the journal.
pub struct Keeper {
    driver: Driver,
    journal: Journal,
    keeping: Keeping,
    parcel: Parcel,
    is_full: bool,
    /// Something was written and is not synced.
    is_unsynced: bool,
    synced: Instant,
    imaged: Instant,
    imaging: Option<JoinHandle<(Imaging, Result<(), NoImage>)>>,
    stop_imaging: Arc<AtomicBool>,
    kept: Kept,
    report: Report,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl Keeper {
    /// Opens the journal of a directory and takes up what it keeps. For `expire_ms` see
    /// [`Driver::new`].
    ///
    /// # Errors
    /// When the journal is damaged, in use, or not ours to use.
    pub fn open(expire_ms: u32, keeping: Keeping) -> Result<(Driver, Self), NotKept> {
        let store = Sqlite::open(&keeping.dir).map_err(|why| NotKept(why.to_string()))?;
        Self::over(Arc::new(store), expire_ms, keeping)
    }

    /// The same over any store.
    ///
    /// # Errors
    /// As [`Keeper::open`].
    pub fn over(
        store: Arc<dyn Store>,
        expire_ms: u32,
        keeping: Keeping,
    ) -> Result<(Driver, Self), NotKept> {
        let options = Options { identity: ids::number() };
        let opened = Journal::open(store, options).map_err(|why| NotKept(why.to_string()))?;
        let Recovered { machine, fence, journal, report } = opened;
        if let Some(dropped) = &report.dropped {
            tracing::warn!("{}: {dropped}", report.file);
        }
        let driver = Driver::over(machine, expire_ms, fence);
        let now = instant();
        let description = journal.describe();
        let mut keeper = Self {
            driver: driver.clone(),
            journal,
            parcel: Parcel::default(),
            is_full: false,
            is_unsynced: false,
            synced: now,
            imaged: now,
            imaging: None,
            stop_imaging: Arc::default(),
            kept: Kept {
                durability: keeping.durability,
                file: String::new(),
                bytes: 0,
                image_bytes: 0,
                commands: 0,
                synced_ms: None,
                imaged_ms: None,
                is_full: false,
            },
            keeping,
            report,
        };
        keeper.describe(description);
        // The start itself is kept before anybody is served, and with it the fences' new range.
        keeper.gather();
        keeper.keep(true).map_err(|why| NotKept(why.to_string()))?;
        Ok((driver, keeper))
    }

    /// What was found at the start.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The journal's description.
    #[must_use]
    pub fn journal(&self) -> Description {
        self.journal.describe()
    }

    fn describe(&mut self, description: Description) {
        let Description { file, bytes, image_bytes, commands, .. } = description;
        self.kept = Kept { file, bytes, image_bytes, commands, ..self.kept.clone() };
        self.kept.is_full = self.is_full;
        self.driver.set_kept(self.kept.clone());
    }

    /// Takes what has gathered. What could not be written for lack of room goes first, by itself.
    fn gather(&mut self) {
        if self.parcel.count > 0 {
            return;
        }
        let mut core = self.driver.core();
        let (next_fence, stamp) = (core.machine.next_fence().0, core.stamp());
        let Some(gathered) = &mut core.gathered else { return };
        std::mem::swap(&mut gathered.commands, &mut self.parcel.commands);
        gathered.commands.clear();
        (gathered.is_news, self.parcel.count) = (false, std::mem::take(&mut gathered.count));
        (self.parcel.next_fence, self.parcel.stamp) = (next_fence, stamp);
    }

    /// Writes the parcel, and says that it is durable.
    fn keep(&mut self, sync: bool) -> Result<(), Failure> {
        let Parcel { commands, count, next_fence, stamp } = &self.parcel;
        let batch = Batch { commands, count: *count, next_fence: *next_fence };
        let appended = self.journal.append(&batch, sync)?;
        let stamp = *stamp;
        self.is_unsynced = !appended.synced;
        if appended.synced {
            self.note_sync();
        }
        self.parcel.count = 0;
        // A buffer that had to be large once is not kept for ever.
        if self.parcel.commands.capacity() > 1 << 20 {
            self.parcel.commands = Vec::new();
        }
        self.driver.is_durable(stamp);
        Ok(())
    }

    fn note_sync(&mut self) {
        self.synced = instant();
        self.kept.synced_ms = Some(clock::wall_ms());
    }

    /// Does once what is to be done.
    ///
    /// # Errors
    /// [`Failure`] is final: nothing that waits will become durable.
    pub fn round(&mut self) -> Result<Round, Failure> {
        self.gather();
        let mut round = Round::Idle;
        if self.parcel.count > 0 {
            match self.keep(self.keeping.durability == Durability::Always) {
                Ok(()) => round = Round::Kept,
                Err(Failure::Full) => {
                    if !self.is_full {
                        self.is_full = true;
                        tracing::error!("the disk is full: nothing is done until it is no more");
                        self.driver.wait_for_room();
                        self.describe(self.journal.describe());
                    }
                    return Ok(Round::Full);
                }
                Err(failure) => return Err(failure),
            }
            if std::mem::take(&mut self.is_full) {
                tracing::info!("the disk has room again");
                self.driver.go_on();
            }
        }
        if self.is_unsynced && self.sync_due().is_some_and(|due| due.is_zero()) {
            self.journal.sync()?;
            self.is_unsynced = false;
            self.note_sync();
        }
        self.see_to_images()?;
        self.describe(self.journal.describe());
        Ok(round)
    }

    /// In how long a sync is due, if one is.
    fn sync_due(&self) -> Option<Duration> {
        let due = self.is_unsynced && self.keeping.durability == Durability::Interval;
        due.then(|| self.keeping.every.saturating_sub(instant() - self.synced))
    }

    fn see_to_images(&mut self) -> Result<(), Failure> {
        if self.imaging.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(job) = self.imaging.take()
        {
            self.imaged = instant();
            return match job.join() {
                Ok((imaging, Ok(()))) => self.switch(imaging, |old| {
                    let thread = thread::Builder::new().name("remove".to_owned());
                    // Without a thread the next start removes it.
                    let _ = thread.spawn(|| remove(old));
                }),
                Ok((_, Err(why))) => self.no_image(&why),
                Err(_) => Err(Failure::Broken("writing an image panicked".to_owned())),
            };
        }
        let Description { bytes, image_bytes, .. } = self.journal.describe();
        let behind = bytes.saturating_sub(image_bytes);
        if self.imaging.is_none()
            && behind > self.keeping.image_after_bytes.max(image_bytes)
            && instant().saturating_duration_since(self.imaged) >= self.keeping.every
        {
            let imaging = self.journal.begin_image();
            self.stop_imaging = imaging.stop();
            let driver = self.driver.clone();
            let image = move || {
                let mut imaging = imaging;
                let result = imaging.run();
                // The keeper may sleep.
                driver.0.bell.ring();
                (imaging, result)
            };
            let spawned = thread::Builder::new().name("image".to_owned()).spawn(image);
            self.imaging = match spawned {
                Ok(job) => Some(job),
                Err(why) => {
                    tracing::warn!("no thread for an image: {why}");
                    self.imaged = instant() + IMAGE_RETRY;
                    None
                }
            };
        }
        Ok(())
    }

    /// Goes on behind a new image. What is to be removed is left to `remove`.
    fn switch(&mut self, imaging: Imaging, remove: impl FnOnce(Retired)) -> Result<(), Failure> {
        match self.journal.switch(imaging) {
            Ok(old) => {
                self.is_unsynced = false;
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
        self.imaged = instant() + IMAGE_RETRY;
        Ok(())
    }

    /// Writes an image here and now.
    ///
    /// # Errors
    /// [`Failure`], when the journal ended by it.
    pub fn image(&mut self) -> Result<(), Failure> {
        let mut imaging = self.journal.begin_image();
        match imaging.run() {
            Ok(()) => self.switch(imaging, remove),
            Err(why) => self.no_image(&why),
        }
    }

    /// Keeps until `stop` is set and all that was applied is durable, then writes a last image.
    ///
    /// # Errors
    /// [`Failure`]: what waited for it was told that it is not kept.
    pub fn run(mut self, stop: &AtomicBool) -> Result<(), Failure> {
        let result = self.run_until(stop);
        if let Err(failure) = &result {
            self.driver.fail(&failure.to_string());
        }
        self.stop_imaging.store(true, Ordering::Relaxed);
        if let Some(job) = self.imaging.take() {
            let _ = job.join();
        }
        result
    }

    fn run_until(&mut self, stop: &AtomicBool) -> Result<(), Failure> {
        let bell = self.driver.0.bell.clone();
        let _ = bell.thread.set(thread::current());
        loop {
            let round = self.round()?;
            let stopping = stop.load(Ordering::Acquire);
            match round {
                Round::Kept => continue,
                Round::Full if stopping => return Err(Failure::Full),
                Round::Full => thread::sleep(FULL_RETRY),
                Round::Idle if stopping => return self.last(),
                Round::Idle => {
                    bell.sleeps.store(true, Ordering::SeqCst);
                    if self.driver.has_gathered() || stop.load(Ordering::Acquire) {
                        bell.sleeps.store(false, Ordering::SeqCst);
                    } else {
                        self.sleep();
                        bell.sleeps.store(false, Ordering::SeqCst);
                    }
                }
            }
        }
    }

    fn sleep(&self) {
        match self.sync_due() {
            Some(due) => thread::park_timeout(due),
            None => thread::park(),
        }
    }

    fn last(&mut self) -> Result<(), Failure> {
        self.stop_imaging.store(true, Ordering::Relaxed);
        if let Some(job) = self.imaging.take() {
            let _ = job.join();
        }
        self.journal.sync()?;
        self.image()
    }
}

fn remove(old: Retired) {
    if let Err(why) = old.remove() {
        tracing::warn!("an old journal stays until the next start: {why}");
    }
}

/// A keeper at work in a thread of its own.
#[derive(Debug)]
pub struct AtWork {
    driver: Driver,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl AtWork {
    /// Sets a keeper to work.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn new(keeper: Keeper) -> std::io::Result<Self> {
        let (driver, stop) = (keeper.driver.clone(), Arc::new(AtomicBool::new(false)));
        let stopped = stop.clone();
        let run = move || keeper.run(&stopped);
        let thread = thread::Builder::new().name("keeper".to_owned()).spawn(run)?;
        Ok(Self { driver, stop, thread })
    }

    /// Waits until all that was applied is durable and a last image is written. Blocks.
    ///
    /// # Errors
    /// Why it is not.
    pub fn finish(self) -> Result<(), Failure> {
        self.stop.store(true, Ordering::Release);
        self.driver.0.bell.ring();
        match self.thread.join() {
            Ok(result) => result,
            Err(_) => Err(Failure::Broken("keeping panicked".to_owned())),
        }
    }
}
