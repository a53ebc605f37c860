//! A segment in the making: its snapshot is written into the database file itself, without any
//! journal and without syncing, since a draft that was not completed is dropped. Then once in
//! full.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::connection::{PAGE_BYTES, connect, writing};
use super::files::{self, beside, failure, remove_one, rename, sync_dir, sync_file};
use super::log::{INSERT, SqliteLog};
use super::place::JournalDir;
use crate::journal::storage::{Draft, SegmentLog, StorageFailure};

pub(super) struct SqliteDraft {
    connection: Option<Connection>,
    place: Arc<JournalDir>,
    path: PathBuf,
    /// What it is to be called.
    complete: PathBuf,
    rows: u64,
}

impl SqliteDraft {
    pub(super) fn new(place: &Arc<JournalDir>, segment: u64) -> Result<Self, StorageFailure> {
        place.in_place()?;
        let dir = place.dir();
        let (path, complete) = (files::draft(dir, segment), dir.join(files::name(segment)));
        files::remove(&path)?;
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
        drop(file.map_err(|error| failure(&path, &error))?);
        let mut draft = Self { connection: None, place: place.clone(), path, complete, rows: 0 };
        draft.write(|draft| {
            let connection = Connection::open(&draft.path)?;
            connection.execute_batch(&format!(
                "PRAGMA page_size={PAGE_BYTES}; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
                 PRAGMA locking_mode=EXCLUSIVE;
                 CREATE TABLE rows(n INTEGER PRIMARY KEY, body BLOB NOT NULL);
                 BEGIN;"
            ))?;
            draft.connection = Some(connection);
            Ok(())
        })?;
        Ok(draft)
    }

    fn write(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), rusqlite::Error>,
    ) -> Result<(), StorageFailure> {
        work(self).map_err(|error| writing(&self.path.display().to_string(), &error))
    }
}

impl Draft for SqliteDraft {
    fn append(&mut self, row: &[u8]) -> Result<(), StorageFailure> {
        self.write(|draft| {
            draft.rows += 1;
            let Some(connection) = &draft.connection else { return Ok(()) };
            connection.prepare_cached(INSERT)?.execute(params![draft.rows, row])?;
            Ok(())
        })
    }

    fn complete(mut self: Box<Self>, first: &[u8]) -> Result<Box<dyn SegmentLog>, StorageFailure> {
        self.write(|draft| {
            let Some(connection) = draft.connection.take() else { return Ok(()) };
            connection.execute_batch("COMMIT; PRAGMA journal_mode=WAL;")?;
            connection.close().map_err(|(_, error)| error)
        })?;
        sync_file(&self.path)?;
        self.place.in_place()?;
        // The log must be there before the database has its name: a segment without one is damaged.
        let first_row = params![self.rows + 1, first];
        let connection = connect(&self.path)?;
        self.write(|_| {
            connection.execute(INSERT, first_row)?;
            connection.close().map_err(|(_, error)| error)
        })?;
        let wal = beside(&self.path, "-wal");
        sync_file(&wal)?;
        remove_one(&beside(&self.path, "-shm"))?;
        rename(&wal, &beside(&self.complete, "-wal"))?;
        sync_dir(self.place.dir())?;
        rename(&self.path, &self.complete)?;
        sync_dir(self.place.dir())?;
        Ok(Box::new(SqliteLog::open(&self.place, &self.complete)?))
    }
}

impl Drop for SqliteDraft {
    /// What is not complete is of no use, and takes room.
    fn drop(&mut self) {
        self.connection.take();
        if self.place.in_place().is_ok() {
            let _ = files::remove(&self.path);
        }
    }
}
