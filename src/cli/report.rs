//! What the commands say when they cannot do as they were told, and what they look at first.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::Path;

/// A random number, as the standard library seeds its hashes with.
pub(super) fn drawn() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Whether it is a directory; if not, says so.
pub(super) fn is_directory(dir: &Path) -> bool {
    if !dir.is_dir() {
        complain(&format!("{} is no directory", dir.display()));
    }
    dir.is_dir()
}

/// Says on standard error what is wrong.
pub(super) fn complain(what: &str) {
    let _ = writeln!(std::io::stderr(), "ticketd: {what}");
}
