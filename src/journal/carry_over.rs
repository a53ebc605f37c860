//! A new segment takes over what is appended to the old one meanwhile.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::record::{Broken, Chain, RecordKind};
use super::segment::Open;
use super::storage::{StorageFailure, Store};

/// Records that are carried in one go, and bytes.
const CARRIED_ROWS: usize = 256;
const CARRIED_BYTES: usize = 1 << 20;

/// Removes a segment that was not put active.
pub(super) struct Unused {
    store: Arc<dyn Store>,
    segment: u64,
    keep: bool,
}

impl Unused {
    pub(super) fn new(store: Arc<dyn Store>, segment: u64) -> Self {
        Self { store, segment, keep: false }
    }

    pub(super) fn remove(&self) -> Result<(), StorageFailure> {
        if self.store.segments()?.contains(&self.segment) {
            self.store.remove(self.segment)?;
        }
        Ok(())
    }
}

impl Drop for Unused {
    fn drop(&mut self) {
        if !self.keep {
            // If this fails, the next try or the next start does it.
            let _ = self.remove();
        }
    }
}

/// A new segment that follows an old one. Dropped, it is removed.
pub(super) struct CarryOver {
    pub(super) new: Open,
    unused: Unused,
    /// How far the old one was read.
    pub(super) source: Chain,
    fences_end: u64,
}

/// Batches of the old segment, as records of the new.
struct Carried {
    records: Vec<Vec<u8>>,
    bytes: usize,
    chain: Chain,
    source: Chain,
    fences_end: u64,
}

impl Carried {
    fn is_full(&self) -> bool {
        self.records.len() >= CARRIED_ROWS || self.bytes >= CARRIED_BYTES
    }

    fn add(&mut self, record: &[u8], synced: u64) -> Result<(), Broken> {
        let (header, payload) = self.source.read(record)?;
        if header.kind == RecordKind::Batch {
            let mut record = Vec::new();
            self.fences_end = header.fences_end.max(self.fences_end);
            let header = (RecordKind::Batch, synced, self.fences_end);
            self.chain = self.chain.write(header, payload, &mut record);
            self.bytes += record.len();
            self.records.push(record);
        }
        Ok(())
    }
}

impl CarryOver {
    pub(super) fn new(new: Open, unused: Unused, source: Chain, fences_end: u64) -> Self {
        Self { new, unused, source, fences_end }
    }

    /// Appends the batches that the old segment has and this one has not. Returns how many.
    pub(super) fn catch_up(&mut self, store: &dyn Store, from: u64) -> Result<u64, StorageFailure> {
        let before = self.source.number;
        loop {
            let Self { source, fences_end, .. } = *self;
            let (chain, synced) = (self.new.chain, self.new.synced);
            let mut carried = Carried { records: Vec::new(), bytes: 0, chain, source, fences_end };
            let mut broken = None;
            store.records(from, source.number, &mut |_, record| {
                broken = carried.add(record, synced).err();
                if broken.is_some() || carried.is_full() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            if let Some(broken) = broken {
                let (file, record) = (store.name(from), carried.source.number + 1);
                return Err(StorageFailure::Corrupt(format!("record {record} of {file} {broken}")));
            }
            if !carried.records.is_empty() {
                let records: Vec<&[u8]> = carried.records.iter().map(Vec::as_slice).collect();
                self.new.log.append(&records)?;
            }
            let is_last = !carried.is_full();
            (self.new.chain, self.source) = (carried.chain, carried.source);
            self.fences_end = carried.fences_end;
            if is_last {
                return Ok(self.source.number - before);
            }
        }
    }

    /// It is active, or may be.
    pub(super) fn keep(mut self) -> Open {
        self.unused.keep = true;
        self.new
    }
}
