//! Connections to a segment's database, and what SQLite's errors mean.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::journal::storage::{EachRecord, StorageFailure};

/// Size of a page. Every append writes whole pages to the log, so small ones suit small batches.
pub(super) const PAGE_BYTES: u32 = 1024;
/// Opens a database that is there.
pub(super) fn connect(path: &Path) -> Result<Connection, StorageFailure> {
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

pub(super) fn read_rows(
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

pub(super) fn is_sound(name: &str, connection: &Connection) -> Result<(), StorageFailure> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found.map_err(|error| reading(name, &error))?.as_str() {
        "ok" => Ok(()),
        what => Err(StorageFailure::Corrupt(format!("{name} is not sound: {what}"))),
    }
}

/// What went wrong while a database was read. What SQLite does not understand is corrupt.
pub(super) fn reading(name: &str, error: &rusqlite::Error) -> StorageFailure {
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
pub(super) fn writing(name: &str, error: &rusqlite::Error) -> StorageFailure {
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

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

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
            assert_eq!(
                super::super::files::failure(Path::new("it"), &kind.into()),
                StorageFailure::Full
            );
        }
    }
}
