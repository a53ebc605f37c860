//! What is kept on disk and how well, as it is configured and as it is told.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::journal::StorageFailure;

/// When what was applied counts as durable, and may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When it is synced: it survives a power cut.
    Always,
    /// When it is written; it is synced a while later. It survives the process, but in a power cut
    /// as much may be lost.
    Interval,
    /// When it is written; syncing is left to the system.
    None,
}

/// What is kept, and how well.
#[derive(Clone, Debug)]
pub struct PersistenceConfig {
    /// The journal's directory.
    pub dir: PathBuf,
    /// When it counts as durable.
    pub durability: Durability,
    /// How often at most a snapshot is written, and for [`Durability::Interval`] how long a sync
    /// may take to come.
    pub every: Duration,
    /// A snapshot is written when the journal behind the last one is larger than this, and than
    /// that snapshot.
    pub snapshot_after_bytes: u64,
}

impl Default for PersistenceConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::new(),
            durability: Durability::Always,
            every: Duration::from_secs(1),
            snapshot_after_bytes: 64 << 20,
        }
    }
}

/// Figures for the status page.
#[derive(Clone, Debug)]
pub struct PersistenceStatus {
    /// When it counts as durable.
    pub durability: Durability,
    /// The journal's file.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// How much of it is snapshot.
    pub snapshot_bytes: u64,
    /// Commands behind the snapshot.
    pub commands: u64,
    /// Wall clock of the last sync, in ms since 1970.
    pub synced_ms: Option<u64>,
    /// Wall clock of the last snapshot of this run, in ms since 1970.
    pub snapshot_ms: Option<u64>,
    /// The disk is full.
    pub is_full: bool,
}

impl PersistenceStatus {
    pub(in crate::driver) fn new(durability: Durability) -> Self {
        Self {
            durability,
            file: String::new(),
            bytes: 0,
            snapshot_bytes: 0,
            commands: 0,
            synced_ms: None,
            snapshot_ms: None,
            is_full: false,
        }
    }
}

/// Why there is no writer: the journal cannot be opened.
#[derive(Debug)]
pub struct PersistenceError(pub(in crate::driver) String);

impl PersistenceError {
    /// The directory fails.
    pub(in crate::driver) fn over(dir: &Path, failure: &StorageFailure) -> Self {
        Self(match failure {
            // The only one that does not say where.
            StorageFailure::Full => format!("{}: {failure}", dir.display()),
            _ => failure.to_string(),
        })
    }
}

impl fmt::Display for PersistenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PersistenceError {}
