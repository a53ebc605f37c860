//! A segment that is appended to: every append is a commit to the log, every sync one of its file.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::connection::{connect, reading, writing};
use super::files::{beside, failure, length, sync_dir};
use super::place::{JournalDir, Named, gone};
use crate::journal::storage::{SegmentLog, StorageFailure, Syncer};

pub(super) const INSERT: &str = "INSERT INTO rows(n, body) VALUES(?, ?)";

pub(super) struct SqliteLog {
    connection: Connection,
    name: String,
    rows: u64,
    /// The log's file. SQLite keeps its locks on the other files, so that it may be opened here.
    wal: File,
    /// Once more, for syncs from elsewhere: the kernel tells each descriptor of a failed write,
    /// but each only once.
    wal_elsewhere: Arc<File>,
    /// Size of the database file, which does not change.
    snapshot_bytes: u64,
    place: Arc<JournalDir>,
    /// The database, its log and the log's index.
    files: [Named; 3],
    wal_path: PathBuf,
}

impl SqliteLog {
    pub(super) fn open(place: &Arc<JournalDir>, path: &Path) -> Result<Self, StorageFailure> {
        place.in_place()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let connection = connect(path)?;
        let rows = connection.query_row("SELECT coalesce(max(n), 0) FROM rows", [], |r| r.get(0));
        let rows = rows.map_err(|error| reading(&name, &error))?;
        // Having read, SQLite has opened the log, and created it if it was not there.
        let wal_path = beside(path, "-wal");
        let open = || File::open(&wal_path).map_err(|error| failure(&wal_path, &error));
        let (wal, wal_elsewhere) = (open()?, Arc::new(open()?));
        sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        let snapshot_bytes = length(path);
        let log = Named::open(&wal_path, &wal)?;
        let files = [Named::at(path)?, log, Named::at(&beside(path, "-shm"))?];
        let place = place.clone();
        Ok(Self {
            connection,
            name,
            rows,
            wal,
            wal_elsewhere,
            snapshot_bytes,
            place,
            files,
            wal_path,
        })
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

struct SqliteSyncer {
    wal: Arc<File>,
    path: PathBuf,
}

impl Syncer for SqliteSyncer {
    fn sync(self: Box<Self>) -> Result<(), StorageFailure> {
        sync(&self.wal, &self.path)
    }
}

fn sync(wal: &File, path: &Path) -> Result<(), StorageFailure> {
    // Whatever it says, and be it that the disk is full: what is on disk is in doubt.
    let broken = |error| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        StorageFailure::Broken(format!("{name} cannot be synced: {error}"))
    };
    wal.sync_data().map_err(broken)?;
    // So that nothing is acknowledged which was synced into a deleted file.
    if wal.metadata().map_err(broken)?.nlink() == 0 { Err(gone(path)) } else { Ok(()) }
}

impl SegmentLog for SqliteLog {
    fn append(&mut self, rows: &[&[u8]]) -> Result<(), StorageFailure> {
        match self.insert(rows) {
            Ok(()) => {
                self.rows += rows.len() as u64;
                Ok(())
            }
            Err(error) => Err(match writing(&self.name, &error) {
                StorageFailure::Full if !self.undone() => {
                    StorageFailure::Broken(format!("{}: the disk is full ({error})", self.name))
                }
                failure => failure,
            }),
        }
    }

    fn sync(&mut self) -> Result<(), StorageFailure> {
        sync(&self.wal, &self.wal_path)
    }

    fn syncer(&self) -> Box<dyn Syncer> {
        Box::new(SqliteSyncer { wal: self.wal_elsewhere.clone(), path: self.wal_path.clone() })
    }

    fn records(&self) -> u64 {
        self.rows
    }

    fn size_bytes(&self) -> u64 {
        self.snapshot_bytes + self.wal.metadata().map_or(0, |metadata| metadata.len())
    }

    fn in_place(&self) -> Result<(), StorageFailure> {
        self.place.in_place()?;
        self.files.iter().try_for_each(Named::in_place)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::journal::{Sqlite, Store};

    /// A disk that fills up, and is given room again.
    #[test]
    fn a_full_disk_undoes_the_append() {
        let dir = std::env::temp_dir().join(format!("ticketd-full-{}", std::process::id()));
        let store = Sqlite::open(&dir).unwrap();
        drop(store.draft(1).unwrap().complete(b"first").unwrap());
        let mut log = SqliteLog::open(&store.place, &store.path(1)).unwrap();
        let pages = |log: &SqliteLog, max: u32| {
            let set = format!("PRAGMA max_page_count={max}");
            log.connection.query_row(&set, [], |row| row.get::<_, u32>(0)).unwrap()
        };
        pages(&log, 12);
        let row = vec![7; 3000];
        let mut kept = 1;
        let full = loop {
            match log.append(&[&row]) {
                Ok(()) => kept += 1,
                Err(failure) => break failure,
            }
        };
        assert_eq!(full, StorageFailure::Full);
        assert_eq!(log.append(&[b"small", &row, &row]), Err(StorageFailure::Full));
        assert!(log.connection.is_autocommit());
        assert_eq!((log.records(), kept), (4, 4));
        pages(&log, 1000);
        log.append(&[b"small", &row, &row]).unwrap();
        log.sync().unwrap();
        drop(log);
        let mut lengths = Vec::new();
        store
            .records(1, 0, &mut |number, row| {
                lengths.push((number, row.len()));
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        let expected = [5, 3000, 3000, 3000, 5, 3000, 3000];
        assert_eq!(lengths, (1..).zip(expected).collect::<Vec<_>>());
        assert_eq!(store.inspect(1, &mut |_| {}), Ok(None));
        fs::remove_dir_all(dir).unwrap();
    }
}
