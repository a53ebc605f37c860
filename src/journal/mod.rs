//! The journal: what was acknowledged is never lost. It keeps accepted commands, in order, and now
//! and then a snapshot of everything; recovered, it gives the machine as it was. It knows no clock,
//! no threads, no sockets and nothing of the wire.
//!
//! A *segment* is one file: a snapshot, then batches of commands. A new snapshot begins a new
//! segment, and the old one goes when the new one is active. Records chain a hash, so that a record
//! that was lost or altered in the middle is found, not skipped (`records`); what that says of the
//! end is in
//! `reading`.
//!
//! **What cannot be told apart.** Every record says which record was known to be durable before it,
//! so a lost record is known to have been durable only if a later record is left to say so. If the
//! *last* durable batch is damaged it looks like a batch that was never finished: it is dropped,
//! and the report says so. If the log is cut off exactly between two batches, nothing is left to
//! report. Nor is it known after a sync that failed what a restart reads: the kernel may serve from
//! memory what it could not write. So whoever restarts then does well to write a snapshot at once.

mod as_log;
mod backup;
mod carry_over;
mod check;
mod identity;
#[expect(clippy::module_inception, reason = "the journal itself, among what it is made of")]
mod journal;
mod reader;
mod record;
mod recover;
mod repair;
mod segment;
mod snapshot;
mod sqlite;
mod storage;
mod testing;

pub use backup::{NotBackedUp, backup};
pub use check::{CheckReport, Repair, SegmentReport, check};
pub use identity::JournalOptions;
pub use journal::{Description, FENCES_RESERVED, Journal, Retired, Synced, Syncing};
pub use reader::SegmentDamage;
pub use recover::{Dropped, OpenError, Recovered, Report};
pub use repair::repair;
pub use segment::NoSnapshot;
pub use snapshot::SnapshotWriter;
pub use sqlite::Sqlite;
pub use storage::{
    Draft, EachRecord, SegmentLog, StorageFailure, Store, Syncer, TORN_TAIL_OVERLAP_BYTES, Tail,
};
pub use testing::{Crash, CrashStore, Fault};
