//! The journal writer: the thread between what was applied and the disk.

pub(super) mod background;
pub(super) mod config;
pub(super) mod cycle;
pub(super) mod ordering;
pub(super) mod snapshots;
mod snapshotting;
pub(super) mod thread;
