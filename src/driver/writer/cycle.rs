//! The journal writer gives the journal what was applied, in order, and says what of it is durable.
//! It is the only thread that writes to disk; nobody waits for it under the driver's lock.
//!
//! What gathers while it writes goes into the next batch: one sync for as many as wait. A failed
//! write or sync is the end. Only a full disk that has undone everything is waited for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::journal::{
    self, Description, Journal, JournalOptions, Recovered, Report, Sqlite, StorageFailure, Store,
    Synced,
};

use crate::log::{Batch, CommandLog};
use crate::machine::Counts;

use crate::driver::clock::{self, Instant, WallClock, instant};
use crate::driver::commit::buffer;
use crate::driver::commit::waker::WriterWaker;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::handle::Driver;
use crate::driver::ids;
use crate::driver::state::restart::first_fence;

use super::background::BackgroundTask;
use super::config::{Durability, PersistenceConfig, PersistenceError, PersistenceStatus};
use super::snapshots::Snapshots;

/// How often is looked whether the journal's files still have their names.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a cycle came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// Something was made durable.
    Wrote,
    /// There was nothing to do.
    Idle,
    /// The disk is full.
    Full,
}

/// Owns the journal; the only thread that writes to disk.
pub struct JournalWriter {
    driver: Driver,
    pub(super) journal: Journal,
    pub(super) config: PersistenceConfig,
    /// What is on its way to the journal.
    in_flight: buffer::PendingBatch,
    /// Up to where commands were taken: the last one of the batch in flight.
    taken: LogPosition,
    /// The machine's next fence then.
    next_fence: u64,
    /// Something was written and no sync of it was begun.
    is_unsynced: bool,
    /// A sync was begun.
    synced: Instant,
    /// A sync that runs.
    syncing: Option<BackgroundTask<Synced>>,
    /// The files were looked at, and whether they could be seen.
    looked: Instant,
    is_blind: bool,
    pub(super) snapshots: Snapshots,
    pub(super) status: PersistenceStatus,
    report: Report,
}

impl fmt::Debug for JournalWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalWriter").field("status", &self.status).finish_non_exhaustive()
    }
}

impl JournalWriter {
    /// Opens the journal of a directory and takes up what it keeps. For `expire_ms` see
    /// [`Driver::new`].
    ///
    /// # Errors
    /// When the journal is damaged, in use, or not ours to use.
    pub fn open(
        expire_ms: u32,
        config: PersistenceConfig,
    ) -> Result<(Driver, Self), PersistenceError> {
        let store =
            Sqlite::open(&config.dir).map_err(|why| PersistenceError::over(&config.dir, &why))?;
        let lets_in = store.lets_in();
        let dir = config.dir.clone();
        let kept = Self::open_over(Arc::new(store), expire_ms, config, WallClock::System)?;
        if let Some(mode) = lets_in {
            tracing::warn!(
                "{} has the mode {mode:03o}: others than its owner may look or write there, where \
                 sessions' ids are, which are secrets; chmod 700 it",
                dir.display()
            );
        }
        Ok(kept)
    }

    /// The same over any store, and by a wall clock that is set to `wall_ms` (since 1970) now and
    /// may be wrong.
    ///
    /// # Errors
    /// As [`JournalWriter::open`].
    pub fn over(
        store: Arc<dyn Store>,
        expire_ms: u32,
        config: PersistenceConfig,
        wall_ms: u64,
    ) -> Result<(Driver, Self), PersistenceError> {
        Self::open_over(store, expire_ms, config, WallClock::set(wall_ms))
    }

    fn open_over(
        store: Arc<dyn Store>,
        expire_ms: u32,
        config: PersistenceConfig,
        wall: WallClock,
    ) -> Result<(Driver, Self), PersistenceError> {
        let options = JournalOptions { identity: ids::number() };
        let begun = instant();
        let opened = Journal::open(store, options).map_err(|why| match why {
            journal::OpenError::Failed(failure) => PersistenceError::over(&config.dir, &failure),
            damaged @ journal::OpenError::Damaged(_) => PersistenceError(damaged.to_string()),
        })?;
        let Recovered { machine, fence, journal, report } = opened;
        tell(&report, &machine.counts(), instant() - begun);
        let first = (first_fence(fence, wall.ms()), wall);
        let driver = Driver::over(machine, journal.order(), expire_ms, first);
        let status = PersistenceStatus::new(config.durability);
        let mut writer = Self {
            driver: driver.clone(),
            journal,
            config,
            in_flight: buffer::PendingBatch::default(),
            taken: LogPosition::default(),
            next_fence: 0,
            is_unsynced: false,
            synced: instant(),
            syncing: None,
            looked: instant(),
            is_blind: false,
            snapshots: Snapshots::new(),
            status,
            report,
        };
        // The start itself is kept before anybody is served, and with it the fences' new range.
        writer.take_pending();
        writer.write(true).map_err(|why| PersistenceError::over(&writer.config.dir, &why))?;
        writer.describe();
        Ok((driver, writer))
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

    pub(super) fn driver(&self) -> &Driver {
        &self.driver
    }

    /// Tells the status page.
    pub(super) fn describe(&mut self) {
        let Description { file, bytes, snapshot_bytes, commands, .. } = self.journal.describe();
        self.status = PersistenceStatus { file, bytes, snapshot_bytes, commands, ..self.status };
        self.driver.set_persistence(self.status.clone());
    }

    /// Takes what has gathered. What could not be written for lack of room goes first, by itself.
    fn take_pending(&mut self) {
        if self.in_flight.count > 0 {
            return;
        }
        let mut visit = self.driver.visit_as_driver();
        (self.next_fence, self.taken) = (visit.machine.next_fence().0, visit.position());
        visit.buffer.swap(&mut self.in_flight);
    }

    /// Writes the batch in flight, and says that it is durable.
    fn write(&mut self, sync: bool) -> Result<(), StorageFailure> {
        let buffer::PendingBatch { commands, count } = &self.in_flight;
        let batch = Batch { commands, count: *count, next_fence: self.next_fence };
        let begun = instant();
        let appended = self.journal.append(&batch, sync)?;
        self.is_unsynced = true;
        if appended.synced {
            self.driver.meters().syncs.measure(instant() - begun);
            self.note_sync();
        }
        self.in_flight.count = 0;
        // A buffer that had to be large once is not kept for ever.
        if self.in_flight.commands.capacity() > 1 << 20 {
            self.in_flight.commands = Vec::new();
        }
        self.driver.advance_watermark(self.taken);
        Ok(())
    }

    /// All that was written is synced.
    pub(super) fn note_sync(&mut self) {
        self.is_unsynced = false;
        self.synced = instant();
        self.status.synced_ms = Some(clock::wall_ms());
    }

    /// Does once what is to be done.
    ///
    /// # Errors
    /// [`StorageFailure`] is final: nothing that waits will become durable, and whoever waits was
    /// told.
    pub fn cycle(&mut self) -> Result<Cycle, StorageFailure> {
        let cycle = self.work();
        self.fail_driver(cycle)
    }

    /// Tells everybody of a failure.
    pub(super) fn fail_driver<T>(
        &self,
        result: Result<T, StorageFailure>,
    ) -> Result<T, StorageFailure> {
        result.inspect_err(|failure| self.driver.fail(&failure.to_string()))
    }

    fn work(&mut self) -> Result<Cycle, StorageFailure> {
        if let Some(failure) = self.journal.failure() {
            return Err(failure.clone());
        }
        if self.look_due().is_zero() {
            self.look()?;
        }
        self.take_pending();
        let mut cycle = Cycle::Idle;
        if self.in_flight.count > 0 {
            match self.write(self.config.durability == Durability::Always) {
                Ok(()) => cycle = Cycle::Wrote,
                Err(StorageFailure::Full) => {
                    self.wait_for_room();
                    // What was written is synced all the same, and a new image may make room.
                    self.see_to_syncs()?;
                    if self.snapshots.is_done() {
                        self.see_to_snapshots()?;
                    }
                    return Ok(Cycle::Full);
                }
                Err(failure) => return Err(failure),
            }
            if std::mem::take(&mut self.status.is_full) {
                tracing::info!("the disk has room again");
                self.driver.have_room();
            }
        }
        if self.see_to_syncs()? {
            cycle = Cycle::Wrote;
        }
        if cycle == Cycle::Wrote {
            self.describe();
        }
        if self.see_to_snapshots()? {
            self.describe();
        }
        Ok(cycle)
    }

    /// Looks whether a restart would find what is kept. That it cannot be seen is no end: it may be
    /// seen the next time.
    ///
    /// # Errors
    /// Any [`StorageFailure`] is final.
    pub(super) fn look(&mut self) -> Result<(), StorageFailure> {
        self.looked = instant();
        let seen = self.journal.look();
        if let Some(failure) = self.journal.failure() {
            return Err(failure.clone());
        }
        match seen {
            Ok(()) => self.is_blind = false,
            Err(why) if !std::mem::replace(&mut self.is_blind, true) => {
                tracing::warn!("the journal's files cannot be seen, though written to: {why}");
            }
            Err(_) => {}
        }
        Ok(())
    }

    fn look_due(&self) -> Duration {
        LOOK_EVERY.saturating_sub(instant() - self.looked)
    }

    /// In how long there is something to do, though nobody asks for anything.
    pub(super) fn due(&self) -> Duration {
        let look = self.look_due();
        self.sync_due().map_or(look, |sync| sync.min(look))
    }

    fn wait_for_room(&mut self) {
        if !std::mem::replace(&mut self.status.is_full, true) {
            tracing::error!("the disk is full: nothing is done until it is no more");
            self.driver.wait_for_room();
            self.describe();
        }
    }

    /// In how long a sync is due, if one is.
    fn sync_due(&self) -> Option<Duration> {
        let due = self.is_unsynced
            && self.syncing.is_none()
            && self.config.durability == Durability::Interval;
        due.then(|| self.config.every.saturating_sub(instant() - self.synced))
    }

    /// Begins a sync that is due. Nobody waits for it, so the writer does not either. Whether one
    /// has ended.
    fn see_to_syncs(&mut self) -> Result<bool, StorageFailure> {
        if self.sync_due().is_some_and(|due| due.is_zero()) {
            let syncing = self.journal.begin_sync()?;
            (self.is_unsynced, self.synced) = (false, instant());
            let meters = self.driver.meters();
            let run = move || {
                let begun = instant();
                let synced = syncing.run();
                meters.syncs.measure(instant() - begun);
                synced
            };
            let job = BackgroundTask::begin("sync", self.waker(), run);
            match job {
                Ok(job) => self.syncing = Some(job),
                Err(why) => {
                    tracing::debug!("no thread for a sync: {why}");
                    self.journal.sync()?;
                    self.note_sync();
                }
            }
        }
        let Some(job) = self.syncing.take_if(|job| job.is_done()) else { return Ok(false) };
        self.journal.end_sync(job.finish()?)?;
        self.status.synced_ms = Some(clock::wall_ms());
        Ok(true)
    }

    pub(super) fn waker(&self) -> Arc<WriterWaker> {
        self.driver.door().waker.clone()
    }

    /// Up to where commands were taken.
    pub(super) fn taken(&self) -> LogPosition {
        self.taken
    }

    /// Whether something is done that the next round sees to.
    pub(super) fn has_done(&self) -> bool {
        self.snapshots.is_done() || self.syncing.as_ref().is_some_and(BackgroundTask::is_done)
    }

    /// Makes all durable and writes a last snapshot: the next start is quick.
    pub(super) fn finish(&mut self) -> Result<(), StorageFailure> {
        self.end_snapshot();
        if let Some(job) = self.syncing.take() {
            self.journal.end_sync(job.finish()?)?;
        }
        self.journal.sync()?;
        self.note_sync();
        self.last_snapshot()
    }
}

/// Tells the operator what was found.
fn tell(report: &Report, counts: &Counts, took: Duration) {
    let Report { is_new, file, commands, dropped, removed } = report;
    if let Some(dropped) = dropped {
        tracing::warn!("{file}: {dropped}");
    }
    if *is_new {
        tracing::info!("a new journal begins: {file}");
        return;
    }
    let Counts { sessions, resources, tickets, locks, .. } = counts;
    tracing::info!(
        sessions,
        resources,
        tickets,
        locks,
        commands,
        ms = took.as_millis(),
        "restored from {file}"
    );
    for file in removed {
        tracing::info!("{file} was of no use any more and is removed");
    }
}
