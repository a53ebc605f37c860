//! A copy of a journal, made while a server works on it, and checked as `check` does.

use std::fmt;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::check::{CheckReport, check};
use super::identity::JournalOptions;
use super::sqlite::{CopyResult, copy, sync_dir};
use super::storage::StorageFailure;

/// Most copies that are made until one is whole: a segment may go meanwhile, and what a full disk
/// left half written may be overwritten while it is copied.
const TRIES: u32 = 10;

/// Why there is no backup. Nothing is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotBackedUp {
    /// It cannot be called that; why.
    Target(String),
    /// The directory holds no journal.
    NoJournal(PathBuf),
    /// Each copy is damaged. What is in the last one.
    Damaged(CheckReport),
    /// Files cannot be read or written.
    Failed(StorageFailure),
    /// Whenever it was copied, a newer segment came into activate meanwhile.
    Overtaken,
}

impl fmt::Display for NotBackedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(why) => f.write_str(why),
            Self::NoJournal(dir) => write!(f, "{} holds no journal", dir.display()),
            Self::Damaged(_) => f.write_str("the journal is damaged: there is no backup of it"),
            Self::Failed(failure) => failure.fmt(f),
            Self::Overtaken => f.write_str("the journal's files change too fast: try again"),
        }
    }
}

impl std::error::Error for NotBackedUp {}

impl From<StorageFailure> for NotBackedUp {
    fn from(failure: StorageFailure) -> Self {
        Self::Failed(failure)
    }
}

/// Copies the journal in `dir` to `target`, which must not be there, or be empty. The copy is
/// sound, durable, shut to others, and has at least all that a server in `dir` had acknowledged
/// before this was called. The server is not disturbed, and nothing in `dir` changes.
///
/// # Errors
/// [`NotBackedUp`]: `target` is as it was then.
pub fn backup(
    dir: &Path,
    target: &Path,
    options: JournalOptions,
) -> Result<CheckReport, NotBackedUp> {
    let (parent, name) = place_of(dir, target)?;
    let making = Making(parent.join(format!("{name}.partial-{:016x}", options.identity)));
    let mut unfit = NotBackedUp::Overtaken;
    for _ in 0..TRIES {
        making.begin().map_err(|error| unwritable(&making.0, &error))?;
        match copy(dir, &making.0).map_err(|failure| of_copying(&making.0, failure))? {
            CopyResult::Nothing => return Err(NotBackedUp::NoJournal(dir.to_owned())),
            CopyResult::Overtaken => continue,
            CopyResult::All => {}
        }
        let found = check(&making.0)?;
        if found.is_sound() {
            fs::rename(&making.0, target).map_err(|error| unwritable(target, &error))?;
            sync_dir(&parent)?;
            return Ok(found);
        }
        let again = NotBackedUp::Damaged(found);
        // What is damaged in the same place twice is so in the journal itself.
        if again == unfit {
            break;
        }
        unfit = again;
    }
    Err(unfit)
}

/// Where a backup is to be, and its name there.
fn place_of(dir: &Path, target: &Path) -> Result<(PathBuf, String), NotBackedUp> {
    let Some(name) = target.file_name() else {
        let why = format!("{} is no name for a backup", target.display());
        return Err(NotBackedUp::Target(why));
    };
    let parent = match target.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let whole = |path: &Path| {
        path.canonicalize()
            .map_err(|error| NotBackedUp::Target(format!("{}: {error}", path.display())))
    };
    if whole(&parent)?.starts_with(whole(dir)?) {
        let (dir, target) = (dir.display(), target.display());
        let why = format!("{target} lies in {dir}, in which nothing is to be changed");
        return Err(NotBackedUp::Target(why));
    }
    let is_free = match fs::symlink_metadata(target) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Ok(found) if found.is_dir() => fs::read_dir(target).map(|mut names| names.next().is_none()),
        found => found.map(|_| false),
    };
    match is_free {
        Ok(true) => Ok((parent, name.to_string_lossy().into_owned())),
        Ok(false) => {
            let why = format!("{} is there already: a backup needs a new name", target.display());
            Err(NotBackedUp::Target(why))
        }
        Err(error) => Err(unwritable(target, &error)),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> NotBackedUp {
    NotBackedUp::Target(format!("{}: {error}", path.display()))
}

/// What fills up is the target's disk.
fn of_copying(path: &Path, failure: StorageFailure) -> NotBackedUp {
    match failure {
        StorageFailure::Full => NotBackedUp::Target(format!("{}: {failure}", path.display())),
        failure => failure.into(),
    }
}

/// A backup in the making, under another name. Dropped, nothing is left of it.
struct Making(PathBuf);

impl Making {
    /// Begins, or begins anew.
    fn begin(&self) -> io::Result<()> {
        self.remove()?;
        // Sessions' ids are in there, and they are secrets.
        DirBuilder::new().mode(0o700).create(&self.0)
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        // It has another name by now, or is of no use.
        let _ = self.remove();
    }
}
