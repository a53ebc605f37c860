//! The store on disk: one SQLite database a segment, in one directory.
//!
//! A snapshot is written into the database file proper and is static from then on. What is appended
//! later goes to the write-ahead log beside it and stays there: nothing is ever copied back
//! (no checkpoints) and nothing deleted, so an append costs what it writes and nothing stalls.
//! SQLite writes, and we sync: its own syncing is off, and a sync is one of the log's file through
//! a descriptor of ours. A commit's frames bear sums over all frames before them, so their order on
//! disk does not matter.
//!
//! | file | what |
//! | --- | --- |
//! | `lock` | held by the one process that may write here |
//! | `00000001.ticketd` | a segment; `-wal` and `-shm` beside it belong to it |
//! | `*.draft` | a segment in the making; of no use after a crash |
//! | `*.damaged*` | quarantined by a repair |

mod connection;
mod copying;
mod draft;
mod files;
mod log;
mod look;
mod place;
mod store;
mod tail;
mod wal;

pub(super) use copying::{CopyResult, copy};
pub(super) use files::sync_dir;
pub use store::Sqlite;
