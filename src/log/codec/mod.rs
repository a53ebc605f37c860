//! Commands and snapshots as bytes. This format belongs to logs alone: it ages apart from the
//! wire's JSON and from how the machine keeps its tables. What is read may be any bytes: reading
//! never panics and allocates no more than the bytes it is given.
//!
//! This is version 1, as the records that bear it say. A later version reads it still; its samples
//! are in `tests/samples`.

mod asks;
mod command;
mod hold_command;
mod primitives;
mod snapshot;
mod snapshot_items;
mod tags;
#[cfg(test)]
mod tests;

pub use command::{decode_command, encode_command};
pub use primitives::{Bad, Reader, put_number};
pub use snapshot::{CHUNK_BYTES, SnapshotReader, encode_snapshot};
