//! The journal: what was acknowledged is never lost. It keeps accepted commands, in order, and now
//! and then an image of everything; recovered, it gives the machine as it was. It knows no clock,
//! no threads, no sockets and nothing of the wire.
//!
//! An *epoch* is one file: an image, then batches of commands. A new image begins a new epoch, and
//! the old one goes when the new one is in charge. Rows chain a hash, so that a row that was lost
//! or altered in the middle is found, not skipped (`rows`); what that says of the end is in
//! `reading`.
//!
//! **What cannot be told apart.** Every row says which row was known to be durable before it, so a
//! lost row is known to have been durable only if a later row is left to say so. If the *last*
//! durable batch is damaged it looks like a batch that was never finished: it is dropped, and the
//! report says so. If the log is cut off exactly between two batches, nothing is left to report.
//! Nor is it known after a sync that failed what a restart reads: the kernel may serve from memory
//! what it could not write. So whoever restarts then does well to write an image at once.

mod backup;
pub mod codec;
mod findings;
mod imaging;
mod keeping;
mod memory;
mod opening;
mod reading;
mod rows;
mod sqlite;
mod store;

pub use backup::{NotBackedUp, backup};
pub use findings::{EpochFindings, Findings, Repair, check, repair};
pub use imaging::{Imaging, NoImage};
pub use keeping::{
    Appended, Batch, Description, FENCES_RESERVED, Journal, Retired, Synced, Syncing,
};
pub use memory::{Crash, Fault, Memory};
pub use opening::{Dropped, Error, Options, Recovered, Report};
pub use reading::Damage;
pub use sqlite::Sqlite;
pub use store::{Draft, EachRow, Failure, Log, SCRAP_BYTES, Store, Syncer, Tail};
