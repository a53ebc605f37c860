//! Copying segments while a server appends to them. Nothing is locked and SQLite is not asked, so
//! that the server does not notice.
//!
//! A database does not change once it has its name, and of its log only what comes behind the last
//! whole commit. So a copied segment has all that was in its log when that began to be copied.
//! Segments are copied oldest first. If a newer one is active in the copy, it is complete by
//! itself. If it is not, it was not yet when it was copied; then the older one was, had been copied
//! before, and has all that was said before the copying began.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::files::{self, beside, failure, sync_dir};
use crate::journal::storage::StorageFailure;

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum CopyResult {
    /// There is none to copy.
    Nothing,
    /// All that there were are copied, and durable.
    All,
    /// One went before it was copied: a newer one is active.
    Overtaken,
}

/// Copies the segments of a directory into an empty one.
pub(in super::super) fn copy(from: &Path, to: &Path) -> Result<CopyResult, StorageFailure> {
    if let Some(what) = files::bereft(from)? {
        return Err(StorageFailure::Corrupt(what));
    }
    let segments = files::segments(from)?;
    for &segment in &segments {
        let name = files::name(segment);
        let (database, log) = (from.join(&name), beside(&from.join(&name), "-wal"));
        // Open, they may lose their names. A log goes after its database.
        let (open_database, open_log) = (open(&database)?, open(&log)?);
        let Some(open_database) = open_database.filter(|_| open_log.is_some() || database.exists())
        else {
            return Ok(CopyResult::Overtaken);
        };
        write(&open_database, &to.join(&name))?;
        if let Some(open_log) = open_log {
            write(&open_log, &beside(&to.join(&name), "-wal"))?;
        }
    }
    sync_dir(to)?;
    Ok(if segments.is_empty() { CopyResult::Nothing } else { CopyResult::All })
}

fn open(path: &Path) -> Result<Option<File>, StorageFailure> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure(path, &error)),
    }
}

fn write(from: &File, path: &Path) -> Result<(), StorageFailure> {
    let copied = || {
        // What is appended from now on is not waited for: it may come faster than it is copied.
        let bytes = from.metadata()?.len();
        let mut to = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        io::copy(&mut from.take(bytes), &mut to)?;
        to.sync_all()
    };
    copied().map_err(|error| failure(path, &error))
}
