//! The directory of segments.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use crate::journal::storage::{Draft, EachRecord, SegmentLog, StorageFailure, Store, Tail};

use super::connection::{connect, is_sound, read_rows, reading};
use super::draft::SqliteDraft;
use super::files::{self, beside};
use super::log::SqliteLog;
use super::place::JournalDir;
use super::{look, tail};

/// A directory of segments.
pub struct Sqlite {
    pub(super) place: Arc<JournalDir>,
    /// Nothing is to be changed here, not even by recovering.
    looks_only: bool,
}

impl Sqlite {
    /// Takes the directory, creating it if need be, and removes what crashes left behind.
    ///
    /// # Errors
    /// [`StorageFailure::InUse`] when another process has it; [`StorageFailure::Denied`] when it is
    /// not to be used, or cannot be written to.
    pub fn open(dir: &Path) -> Result<Self, StorageFailure> {
        files::create_dir(dir)?;
        let place = Arc::new(JournalDir::taken(dir, files::lock(dir)?)?);
        if let Some(what) = files::bereft(dir)? {
            return Err(StorageFailure::Corrupt(what));
        }
        files::clean(dir)?;
        files::probe(dir)?;
        Ok(Self { place, looks_only: false })
    }

    /// Looks at a directory without changing anything in it.
    ///
    /// # Errors
    /// [`StorageFailure::InUse`] when a process has it; [`StorageFailure::Denied`] when it cannot
    /// be read.
    pub fn look(dir: &Path) -> Result<Self, StorageFailure> {
        let lock = files::lock_if_there(dir)?;
        if let Some(what) = files::bereft(dir)? {
            return Err(StorageFailure::Corrupt(what));
        }
        let place =
            lock.map_or_else(|| Ok(JournalDir::seen(dir)), |lock| JournalDir::taken(dir, lock))?;
        Ok(Self { place: Arc::new(place), looks_only: true })
    }

    /// The same directory, to be looked at only, by who has it open.
    pub(in crate::journal) fn looking(&self) -> Self {
        Self { place: Arc::new(JournalDir::seen(self.place.dir())), looks_only: true }
    }

    /// The mode of the directory, if it lets in others than its owner.
    #[must_use]
    pub fn lets_in(&self) -> Option<u32> {
        self.place.lets_in()
    }

    pub(super) fn path(&self, segment: u64) -> PathBuf {
        self.place.dir().join(self.name(segment))
    }

    fn connect(&self, segment: u64) -> Result<Connection, StorageFailure> {
        self.place.in_place()?;
        if self.looks_only {
            look::connect(&self.path(segment))
        } else {
            connect(&self.path(segment))
        }
    }
}

impl Store for Sqlite {
    fn segments(&self) -> Result<Vec<u64>, StorageFailure> {
        files::segments(self.place.dir())
    }

    fn name(&self, segment: u64) -> String {
        files::name(segment)
    }

    fn draft(&self, segment: u64) -> Result<Box<dyn Draft>, StorageFailure> {
        Ok(Box::new(SqliteDraft::new(&self.place, segment)?))
    }

    fn open(&self, segment: u64) -> Result<Box<dyn SegmentLog>, StorageFailure> {
        Ok(Box::new(SqliteLog::open(&self.place, &self.path(segment))?))
    }

    fn records(
        &self,
        segment: u64,
        after: u64,
        each: &mut EachRecord<'_>,
    ) -> Result<(), StorageFailure> {
        let connection = self.connect(segment)?;
        read_rows(&connection, after, each).map_err(|error| reading(&self.name(segment), &error))
    }

    fn inspect(
        &self,
        segment: u64,
        torn: &mut dyn FnMut(&[u8]),
    ) -> Result<Option<Tail>, StorageFailure> {
        let wal = beside(&self.path(segment), "-wal");
        let tail = tail::inspect(&wal, torn).map_err(|error| files::failure(&wal, &error))?;
        look::check_head(&self.path(segment))?;
        Ok(tail)
    }

    fn verify(&self, segment: u64) -> Result<(), StorageFailure> {
        let (name, path) = (self.name(segment), self.path(segment));
        // Pages in the log bear sums, so it is the database file by itself that is checked: that
        // is quick. Unless another program took some of the log into it; then it is all.
        let alone = look::connect_alone(&path).and_then(|connection| is_sound(&name, &connection));
        match alone {
            Err(StorageFailure::Corrupt(_)) => is_sound(&name, &self.connect(segment)?),
            alone => alone,
        }
    }

    fn remove(&self, segment: u64) -> Result<(), StorageFailure> {
        self.place.in_place()?;
        files::remove(&self.path(segment))
    }

    fn quarantine(&self, segment: u64) -> Result<String, StorageFailure> {
        self.place.in_place()?;
        files::quarantine(self.place.dir(), segment)
    }
}
