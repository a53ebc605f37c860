//! The store on disk: one SQLite database a segment, in one directory.
//!
//! A snapshot is written into the database file proper and is static from then on. What is appended
//! later goes to the write-ahead log beside it and stays there: nothing is ever copied back
//! (no checkpoints) and nothing deleted, so an append costs what it writes and nothing stalls.
//! SQLite writes, and we sync: its own syncing is off, and [`Log::sync`] syncs the log's file
//! through a descriptor of ours. A commit's frames bear sums over all frames before them, so their
//! order on disk does not matter.
//!
//! | file | what |
//! | --- | --- |
//! | `lock` | held by the one process that may write here |
//! | `00000001.ticketd` | a segment; `-wal` and `-shm` beside it belong to it |
//! | `*.draft` | a segment in the making; of no use after a crash |
//! | `*.damaged*` | quarantined by a repair |

mod copying;
mod draft;
mod files;
mod log;
mod look;
mod place;
mod wal;

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::storage::{
    Draft, EachRecord, Log, StorageFailure, Store, TORN_TAIL_OVERLAP_BYTES, Tail,
};
pub(super) use copying::{Copied, copy};
use files::beside;
pub(super) use files::sync_dir;
use place::Place;

/// Size of a page. Every append writes whole pages to the log, so small ones suit small batches.
const PAGE_BYTES: u32 = 1024;
/// Torn tails are read so many bytes at a time.
const TORN_TAIL_READ_BYTES: usize = 1 << 20;

/// A directory of segments.
pub struct Sqlite {
    place: Arc<Place>,
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
        let place = Arc::new(Place::taken(dir, files::lock(dir)?)?);
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
        let place = lock.map_or_else(|| Ok(Place::seen(dir)), |lock| Place::taken(dir, lock))?;
        Ok(Self { place: Arc::new(place), looks_only: true })
    }

    /// The same directory, to be looked at only, by who has it open.
    pub(super) fn looking(&self) -> Self {
        Self { place: Arc::new(Place::seen(self.place.dir())), looks_only: true }
    }

    /// The mode of the directory, if it lets in others than its owner.
    #[must_use]
    pub fn lets_in(&self) -> Option<u32> {
        self.place.lets_in()
    }

    fn path(&self, segment: u64) -> PathBuf {
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
        Ok(Box::new(draft::SqliteDraft::new(&self.place, segment)?))
    }

    fn open(&self, segment: u64) -> Result<Box<dyn Log>, StorageFailure> {
        Ok(Box::new(log::SqliteLog::open(&self.place, &self.path(segment))?))
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
        let tail = inspect_wal(&wal, torn).map_err(|error| files::failure(&wal, &error))?;
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

/// Opens a database that is there.
fn connect(path: &Path) -> Result<Connection, StorageFailure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.execute_batch(
            "PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=OFF; PRAGMA cell_size_check=ON;",
        )?;
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| reading(&path.display().to_string(), &error))
}

fn read_rows(
    connection: &Connection,
    after: u64,
    each: &mut EachRecord<'_>,
) -> Result<(), rusqlite::Error> {
    let mut rows = connection.prepare("SELECT n, body FROM rows WHERE n > ? ORDER BY n")?;
    let mut rows = rows.query([after])?;
    while let Some(row) = rows.next()? {
        if each(row.get(0)?, row.get_ref(1)?.as_blob()?).is_break() {
            break;
        }
    }
    Ok(())
}

fn is_sound(name: &str, connection: &Connection) -> Result<(), StorageFailure> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found.map_err(|error| reading(name, &error))?.as_str() {
        "ok" => Ok(()),
        what => Err(StorageFailure::Corrupt(format!("{name} is not sound: {what}"))),
    }
}

/// What went wrong while a database was read. What SQLite does not understand is corrupt.
fn reading(name: &str, error: &rusqlite::Error) -> StorageFailure {
    let what = format!("{name}: {error}");
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            StorageFailure::Denied(what)
        }
        _ if is_full(error) => StorageFailure::Full,
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed,
        ) => StorageFailure::Broken(what),
        _ => StorageFailure::Corrupt(what),
    }
}

/// What went wrong while a database was written.
fn writing(name: &str, error: &rusqlite::Error) -> StorageFailure {
    let what = format!("{name}: {error}");
    match error.sqlite_error_code() {
        _ if is_full(error) => StorageFailure::Full,
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            StorageFailure::Denied(what)
        }
        _ => StorageFailure::Broken(what),
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    // No room for the log's index, which is built anew from the log: nothing was written.
    let lacks_index = |e: &rusqlite::ffi::Error| e.extended_code == SQLITE_IOERR_SHMSIZE;
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error.sqlite_error().is_some_and(lacks_index)
}

/// SQLite stops without a word at the first frame of the log that is not whole. Gives what is
/// behind the last whole commit to `torn`.
fn inspect_wal(path: &Path, torn: &mut dyn FnMut(&[u8])) -> std::io::Result<Option<Tail>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let offset = wal::read(&mut std::io::BufReader::with_capacity(1 << 18, &file), |_| {})?;
    let bytes = file.metadata()?.len().saturating_sub(offset);
    if bytes == 0 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut piece = Vec::new();
    loop {
        let kept = piece.len();
        let read = (&mut file).take(TORN_TAIL_READ_BYTES as u64).read_to_end(&mut piece)?;
        if read == 0 {
            break;
        }
        torn(&piece);
        piece.drain(..(kept + read).saturating_sub(TORN_TAIL_OVERLAP_BYTES));
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Some(Tail { file, offset, bytes }))
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that was full at the start was once said to be broken.
    #[test]
    fn a_full_disk_is_told_from_others() {
        use rusqlite::ffi;
        for (code, is_full, is_denied) in [
            (ffi::SQLITE_FULL, true, false),
            (SQLITE_IOERR_SHMSIZE, true, false),
            (ffi::SQLITE_IOERR_WRITE, false, false),
            (ffi::SQLITE_CANTOPEN, false, true),
            (ffi::SQLITE_READONLY, false, true),
            (ffi::SQLITE_PERM, false, true),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            for failure in [reading("it", &error), writing("it", &error)] {
                assert_eq!(failure == StorageFailure::Full, is_full, "{code}: {failure:?}");
                assert_eq!(
                    matches!(failure, StorageFailure::Denied(_)),
                    is_denied,
                    "{code}: {failure:?}"
                );
            }
        }
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
            assert_eq!(files::failure(Path::new("it"), &kind.into()), StorageFailure::Full);
        }
    }
}
