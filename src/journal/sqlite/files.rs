//! The directory: which files there are, and that their entries are durable.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::journal::storage::StorageFailure;

pub(super) const LOCK: &str = "lock";
const SEGMENT: &str = "ticketd";
const DRAFT: &str = "draft";
/// Segments count from 1: a draft of this one is of none.
const NO_EPOCH: u64 = 0;
/// What SQLite keeps beside a database.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// What a segment's file is called.
pub(super) fn name(segment: u64) -> String {
    format!("{segment:08}.{SEGMENT}")
}

/// Where a segment is made.
pub(super) fn draft(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("{segment:08}.{DRAFT}"))
}

/// A file that SQLite keeps beside a database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// What went wrong with a file.
pub(super) fn failure(path: &Path, error: &io::Error) -> StorageFailure {
    let what = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StorageFailure::Full,
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::NotADirectory
        | ErrorKind::IsADirectory
        | ErrorKind::AlreadyExists
        | ErrorKind::NotFound => StorageFailure::Denied(what),
        _ => StorageFailure::Broken(what),
    }
}

/// Creates a directory, and its parents, so that they stay.
pub(super) fn create_dir(dir: &Path) -> Result<(), StorageFailure> {
    let parent = match dir.parent() {
        Some(parent) if parent == Path::new("") => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    if dir.is_dir() {
        // Whoever created it may have ended before this. If the parent is not ours, it is not new.
        let _ = sync_dir(parent);
        return Ok(());
    }
    create_dir(parent)?;
    // Sessions' ids are in there, and they are secrets.
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match dir.is_dir() {
            true => sync_dir(parent),
            false => Err(StorageFailure::Denied(format!("{} is no directory", dir.display()))),
        },
        Err(error) => Err(failure(dir, &error)),
        Ok(()) => sync_dir(parent),
    }
}

/// Makes the entries of a directory durable.
pub(in super::super) fn sync_dir(dir: &Path) -> Result<(), StorageFailure> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failure(dir, &error))
}

/// Makes a file durable.
pub(super) fn sync_file(path: &Path) -> Result<(), StorageFailure> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| failure(path, &error))
}

/// Takes the directory for this process, as long as the file lives.
pub(super) fn lock(dir: &Path) -> Result<File, StorageFailure> {
    let path = dir.join(LOCK);
    let file = File::options().create(true).append(true).open(&path);
    take(dir, file.map_err(|error| failure(&path, &error))?)
}

/// Refuses a directory in which no file can be made: appending may go well for hours before the
/// next snapshot finds that out.
pub(super) fn probe(dir: &Path) -> Result<(), StorageFailure> {
    let path = draft(dir, NO_EPOCH);
    File::create(&path).map_err(|error| failure(&path, &error))?;
    remove_one(&path)
}

/// Takes the directory, if it was ever used by a server.
pub(super) fn lock_if_there(dir: &Path) -> Result<Option<File>, StorageFailure> {
    let path = dir.join(LOCK);
    match File::open(&path) {
        Ok(file) => take(dir, file).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure(&path, &error)),
    }
}

fn take(dir: &Path, file: File) -> Result<File, StorageFailure> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StorageFailure::InUse(dir.display().to_string())),
        Err(TryLockError::Error(error)) => Err(failure(dir, &error)),
    }
}

fn list(dir: &Path) -> Result<Vec<String>, StorageFailure> {
    let read = || {
        let names = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().into_string()));
        names
            .filter_map(|name: io::Result<_>| name.map(Result::ok).transpose())
            .collect::<Result<_, _>>()
    };
    read().map_err(|error: io::Error| failure(dir, &error))
}

/// The segments that are there, ascending.
pub(super) fn segments(dir: &Path) -> Result<Vec<u64>, StorageFailure> {
    let mut segments: Vec<u64> = list(dir)?.iter().filter_map(|name| segment(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

fn segment(file: &str) -> Option<u64> {
    numbered(file, SEGMENT)
}

/// The number in a name of our making.
fn numbered(file: &str, kind: &str) -> Option<u64> {
    let number = file.strip_suffix(kind)?.strip_suffix('.')?.parse().ok()?;
    (format!("{number:08}.{kind}") == file).then_some(number)
}

/// A log whose database is gone, though it was there: its segment was not in the making. Beside
/// others it is what is left of one that was removed.
pub(super) fn bereft(dir: &Path) -> Result<Option<String>, StorageFailure> {
    let names = list(dir)?;
    if names.iter().any(|name| segment(name).is_some()) {
        return Ok(None);
    }
    let logs = names.iter().filter_map(|file| segment(file.strip_suffix("-wal")?));
    let lost = logs.filter(|&log| !draft(dir, log).exists()).max();
    Ok(lost.map(|log| {
        let file = name(log);
        format!(
            "{file} is missing, though its log {file}-wal is there: put it back, or move the log \
             away to go on without it"
        )
    }))
}

/// Removes drafts, and what stood beside segments that are gone.
pub(super) fn clean(dir: &Path) -> Result<(), StorageFailure> {
    let names = list(dir)?;
    for file in &names {
        let (stem, is_beside) = BESIDE
            .iter()
            .find_map(|suffix| file.strip_suffix(suffix))
            .map_or((file.as_str(), false), |stem| (stem, true));
        let is_draft = numbered(stem, DRAFT).is_some();
        let is_orphan = is_beside && segment(stem).is_some() && !names.iter().any(|n| n == stem);
        if is_draft || is_orphan {
            remove_one(&dir.join(file))?;
        }
    }
    Ok(())
}

/// Removes a database; first its own file, for good, since with it but without its log it would
/// be damaged.
pub(super) fn remove(path: &Path) -> Result<(), StorageFailure> {
    if path.exists() {
        remove_one(path)?;
        sync_dir(path.parent().unwrap_or(Path::new(".")))?;
    }
    BESIDE.iter().try_for_each(|suffix| remove_one(&beside(path, suffix)))
}

pub(super) fn remove_one(path: &Path) -> Result<(), StorageFailure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failure(path, &error)),
        _ => Ok(()),
    }
}

/// Renames a file, if it is there.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StorageFailure> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failure(from, &error)),
        _ => Ok(()),
    }
}

/// Renames a segment so that it is none any more, and returns its new name.
pub(super) fn quarantine(dir: &Path, segment: u64) -> Result<String, StorageFailure> {
    let names = list(dir)?;
    let mut aside = format!("{}.damaged", name(segment));
    let mut number = 1;
    while names.iter().any(|name| name.starts_with(&aside)) {
        number += 1;
        aside = format!("{}.damaged{number}", name(segment));
    }
    let (from, to) = (dir.join(name(segment)), dir.join(&aside));
    // First the log: without its database it would be cleaned away.
    rename(&beside(&from, "-wal"), &beside(&to, "-wal"))?;
    rename(&from, &to)?;
    remove_one(&beside(&from, "-shm"))?;
    sync_dir(dir)?;
    Ok(aside)
}

/// Size of a file; 0 when there is none.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
