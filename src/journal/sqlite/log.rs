//! An epoch that is appended to: every append is a commit to the log, every sync one of its file.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, params};

use super::super::store::{Failure, Log};
use super::files::{beside, failure, sync_dir};
use super::{connect, length, reading, writing};

pub(super) const INSERT: &str = "INSERT INTO rows(n, body) VALUES(?, ?)";

pub(super) struct SqliteLog {
    connection: Connection,
    name: String,
    rows: u64,
    /// The log's file. SQLite keeps its locks on the other files, so that it may be opened here.
    wal: File,
    /// Size of the database file, which does not change.
    image_bytes: u64,
}

impl SqliteLog {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let connection = connect(path)?;
        let rows = connection.query_row("SELECT coalesce(max(n), 0) FROM rows", [], |r| r.get(0));
        let rows = rows.map_err(|error| reading(&name, &error))?;
        // Having read, SQLite has opened the log, and created it if it was not there.
        let wal = beside(path, "-wal");
        let wal = File::open(&wal).map_err(|error| failure(&wal, &error))?;
        sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok(Self { connection, name, rows, wal, image_bytes: length(path) })
    }

    fn insert(&mut self, rows: &[&[u8]]) -> Result<(), rusqlite::Error> {
        let mut insert = self.connection.prepare_cached(INSERT)?;
        match rows {
            [row] => {
                insert.execute(params![self.rows + 1, row])?;
            }
            _ => {
                self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
                for (number, row) in (self.rows + 1..).zip(rows) {
                    insert.execute(params![number, row])?;
                }
                self.connection.prepare_cached("COMMIT")?.execute([])?;
            }
        }
        Ok(())
    }

    /// Whether nothing of the last transaction is left.
    fn undone(&self) -> bool {
        self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok()
    }
}

impl Log for SqliteLog {
    fn append(&mut self, rows: &[&[u8]]) -> Result<(), Failure> {
        match self.insert(rows) {
            Ok(()) => {
                self.rows += rows.len() as u64;
                Ok(())
            }
            Err(error) => Err(match writing(&self.name, &error) {
                Failure::Full if !self.undone() => {
                    Failure::Broken(format!("{}: the disk is full ({error})", self.name))
                }
                failure => failure,
            }),
        }
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.wal.sync_data().map_err(|error| {
            // Whatever it says, and be it that the disk is full: what is on disk is in doubt.
            Failure::Broken(format!("{}-wal cannot be synced: {error}", self.name))
        })
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn size_bytes(&self) -> u64 {
        self.image_bytes + self.wal.metadata().map_or(0, |metadata| metadata.len())
    }
}
