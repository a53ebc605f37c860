//! The directory as it was taken, and whether its name still leads there. An open file outlives
//! its name: what is written to it after `rm` or `mv` is nothing that a restart finds.
//!
//! Files are told apart by device and inode, asked of their names. SQLite's own files are never
//! opened for that: to close any descriptor of a file drops the process's locks on it.

use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::files::{self, failure};
use crate::journal::storage::StorageFailure;

/// A file, and the name that led to it.
pub(super) struct Named {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Named {
    /// A file that is open.
    pub(super) fn open(path: &Path, file: &File) -> Result<Self, StorageFailure> {
        Ok(Self::new(path, &file.metadata().map_err(|error| failure(path, &error))?))
    }

    /// Whichever file the name leads to now.
    pub(super) fn at(path: &Path) -> Result<Self, StorageFailure> {
        Ok(Self::new(path, &fs::metadata(path).map_err(|error| failure(path, &error))?))
    }

    fn new(path: &Path, found: &Metadata) -> Self {
        Self { path: path.to_owned(), device: found.dev(), inode: found.ino() }
    }

    /// Whether the name still leads to the file.
    ///
    /// # Errors
    /// [`StorageFailure::Gone`] when it does not; others when that cannot be seen.
    pub(super) fn in_place(&self) -> Result<(), StorageFailure> {
        match fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => Ok(()),
            Ok(_) => Err(gone(&self.path)),
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Err(gone(&self.path)),
                _ => Err(failure(&self.path, &error)),
            },
        }
    }
}

/// What a file is that is open and has lost its name.
pub(super) fn gone(path: &Path) -> StorageFailure {
    StorageFailure::Gone(format!(
        "{} was removed, moved or replaced while it was in use",
        path.display()
    ))
}

/// A directory of segments.
pub(super) struct JournalDir {
    dir: PathBuf,
    /// Held as long as this lives, by the one process that may write here.
    lock: Option<(File, Named)>,
}

impl JournalDir {
    /// The directory, taken by that file.
    pub(super) fn taken(dir: &Path, lock: File) -> Result<Self, StorageFailure> {
        let named = Named::open(&dir.join(files::LOCK), &lock)?;
        Ok(Self { dir: dir.to_owned(), lock: Some((lock, named)) })
    }

    /// The directory, for who only looks at it.
    pub(super) fn seen(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), lock: None }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the directory is still the one that was taken. To be asked before anything is
    /// changed in it by name: it may be another server's by now.
    pub(super) fn in_place(&self) -> Result<(), StorageFailure> {
        self.lock.as_ref().map_or(Ok(()), |(_, named)| named.in_place())
    }

    /// The mode of the directory, if it lets in others than its owner.
    pub(super) fn lets_in(&self) -> Option<u32> {
        let mode = fs::metadata(&self.dir).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }
}
