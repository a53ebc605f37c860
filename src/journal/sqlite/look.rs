//! Looking at a segment without touching it. To read a database with a log, SQLite would create a
//! file beside it; so the log's pages are laid over the file's in memory, and SQLite reads that.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::connection::{PAGE_BYTES, reading};
use super::files::{beside, failure};
use super::wal;
use crate::journal::storage::StorageFailure;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEAD_BYTES: usize = 100;

/// Checks the header of a database file, before SQLite sees it: of an empty file it would drop the
/// log.
pub(super) fn check_head(path: &Path) -> Result<(), StorageFailure> {
    let mut header = [0; HEAD_BYTES];
    let file = File::open(path).map_err(|error| failure(path, &error))?;
    let bytes = file.metadata().map_err(|error| failure(path, &error))?.len();
    let read = (&file).read_exact(&mut header);
    match read {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(failure(path, &error)),
        Ok(()) if is_ours(&header, bytes) => Ok(()),
        _ => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Err(StorageFailure::Corrupt(format!(
                "the header of {name} or its length is not as written"
            )))
        }
    }
}

fn is_ours(header: &[u8; HEAD_BYTES], bytes: u64) -> bool {
    let word = |at: usize| u32::from_be_bytes(std::array::from_fn(|n| header[at + n]));
    let pages = u64::from(word(28));
    // The shape of the file, that it has a log, and that it has no free pages.
    header.starts_with(&shape(header)[..])
        && header[18..20] == [2, 2]
        && pages > 0
        && pages * u64::from(PAGE_BYTES) == bytes
        && (word(32), word(36)) == (0, 0)
        && word(56) == 1
}

/// What the header begins with; which journal it has is as in `header`.
fn shape(header: &[u8]) -> [u8; 24] {
    let mut shape = [0; 24];
    shape[..16].copy_from_slice(MAGIC);
    shape[16..18].copy_from_slice(&PAGE_BYTES.to_be_bytes()[2..]);
    shape[18..20].copy_from_slice(&header[18..20]);
    shape[20..].copy_from_slice(&[0, 64, 32, 32]);
    shape
}

/// A database in memory with what the file and its log have.
pub(super) fn connect(path: &Path) -> Result<Connection, StorageFailure> {
    let mut bytes = fs::read(path).map_err(|error| failure(path, &error))?;
    lay_over(path, &mut bytes).map_err(|error| failure(path, &error))?;
    let open = || {
        let mut connection = Connection::open_in_memory()?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.execute_batch("PRAGMA cell_size_check=ON;")?;
        connection.deserialize_read_exact("main", &bytes[..], bytes.len(), true)?;
        Ok(connection)
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    open().map_err(|error: rusqlite::Error| reading(&name, &error))
}

/// The database file by itself, as if there were no log. Nothing is created and nothing locked.
pub(super) fn connect_alone(path: &Path) -> Result<Connection, StorageFailure> {
    let escaped = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.execute_batch("PRAGMA cell_size_check=ON;")?;
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| reading(&path.display().to_string(), &error))
}

fn lay_over(path: &Path, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    match File::open(beside(path, "-wal")) {
        Ok(log) => {
            let mut pages: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
            let (mut open, mut size) = (Vec::new(), None);
            wal::read(&mut BufReader::with_capacity(1 << 18, log), |frame| {
                open.push((frame.page, frame.bytes.to_vec()));
                if frame.commit != 0 {
                    pages.extend(open.drain(..));
                    size = Some(frame.commit as usize * frame.bytes.len());
                }
            })?;
            bytes.resize(size.unwrap_or(bytes.len()), 0);
            for (page, content) in pages {
                let start = (page as usize - 1) * content.len();
                if let Some(place) = bytes.get_mut(start..start + content.len()) {
                    place.copy_from_slice(&content);
                }
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Where the header was hit, what must stand there is known. There is no log any more.
    if bytes.len() >= HEAD_BYTES {
        let pages = u32::try_from(bytes.len() / PAGE_BYTES as usize).unwrap_or(u32::MAX);
        bytes[18..20].copy_from_slice(&[1, 1]);
        let shape = shape(bytes);
        bytes[..24].copy_from_slice(&shape);
        bytes[28..32].copy_from_slice(&pages.to_be_bytes());
        bytes[32..40].fill(0);
        bytes[56..60].copy_from_slice(&[0, 0, 0, 1]);
    }
    Ok(())
}
