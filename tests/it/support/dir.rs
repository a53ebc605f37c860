//! A directory that is gone when its test is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory of its own that goes when this does.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    /// One in memory, if the machine has such a place: syncing it costs nothing.
    pub(crate) fn fast() -> Self {
        let memory = Path::new("/dev/shm");
        Self::below(if memory.is_dir() { memory } else { Path::new("/tmp") })
    }

    fn below(place: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = place.join(format!("ticketd-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("is new");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// As an option has it.
    pub(crate) fn text(&self) -> &str {
        self.0.to_str().expect("is text")
    }

    /// The names in it, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("can be read");
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.expect("can be read").file_name().into_string().expect("is text")
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// A copy of its files, as `cp` makes one.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        for name in self.names() {
            fs::copy(self.join(&name), copy.join(&name)).expect("can be copied");
        }
        copy
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
