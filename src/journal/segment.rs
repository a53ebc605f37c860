//! One segment: first its snapshot is written, then it is appended to.

use super::record::{Chain, RecordKind};
use super::storage::Store;
use super::storage::{Draft, SegmentLog, StorageFailure};
use crate::log::codec::encode_snapshot;
use crate::machine::Snapshot;

/// Why there is no new snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSnapshot {
    /// It was told to stop.
    Stopped,
    /// The store failed. The journal is none the worse.
    Failed(StorageFailure),
}

impl From<StorageFailure> for NoSnapshot {
    fn from(failure: StorageFailure) -> Self {
        Self::Failed(failure)
    }
}

/// A segment whose snapshot is being written.
pub(super) struct NewSegment {
    draft: Box<dyn Draft>,
    chain: Chain,
    bytes: u64,
    record: Vec<u8>,
}

impl NewSegment {
    pub(super) fn draft(
        store: &dyn Store,
        segment: u64,
        identity: u64,
    ) -> Result<Self, StorageFailure> {
        let (draft, chain) = (store.draft(segment)?, Chain::new(identity));
        Ok(Self { draft, chain, bytes: 0, record: Vec::new() })
    }

    pub(super) fn snapshot(
        &mut self,
        snapshot: &Snapshot,
        fences_end: u64,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), NoSnapshot> {
        encode_snapshot(snapshot, |payload| {
            if stopped() {
                return Err(NoSnapshot::Stopped);
            }
            let kind = if self.chain.number == 0 { RecordKind::Snapshot } else { RecordKind::Part };
            Ok(self.append(kind, fences_end, payload)?)
        })?;
        Ok(self.append(RecordKind::End, fences_end, &[])?)
    }

    fn append(
        &mut self,
        kind: RecordKind,
        fences_end: u64,
        payload: &[u8],
    ) -> Result<(), StorageFailure> {
        let chain = self.chain.write((kind, 0, fences_end), payload, &mut self.record);
        self.draft.append(&self.record)?;
        self.chain = chain;
        self.bytes += self.record.len() as u64;
        Ok(())
    }

    /// Makes it durable, with one more record, which says whether the segment is active.
    pub(super) fn complete(
        mut self,
        kind: RecordKind,
        fences_end: u64,
    ) -> Result<Open, StorageFailure> {
        let header = (kind, self.chain.number, fences_end);
        let snapshot_records = self.chain.number;
        let chain = self.chain.write(header, &[], &mut self.record);
        let log = self.draft.complete(&self.record)?;
        let (synced, snapshot_bytes) = (chain.number, self.bytes);
        Ok(Open { log, chain, synced, snapshot_bytes, snapshot_records })
    }
}

/// A segment that is appended to.
pub(super) struct Open {
    pub(super) log: Box<dyn SegmentLog>,
    pub(super) chain: Chain,
    /// The last record that is durable.
    pub(super) synced: u64,
    pub(super) snapshot_bytes: u64,
    pub(super) snapshot_records: u64,
}

impl Open {
    /// Appends what puts the segment active.
    pub(super) fn activate(&mut self, fences_end: u64) -> Result<(), StorageFailure> {
        let mut record = Vec::new();
        let chain =
            self.chain.write((RecordKind::Activate, self.synced, fences_end), &[], &mut record);
        self.log.append(&[&record])?;
        self.chain = chain;
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), StorageFailure> {
        if self.synced < self.chain.number {
            self.log.sync().map_err(not_full)?;
            self.synced = self.chain.number;
        }
        Ok(())
    }
}

/// What a failed sync comes to: what was appended before is not undone by it, so there is nothing
/// that could be tried again.
pub(super) fn not_full(failure: StorageFailure) -> StorageFailure {
    match failure {
        StorageFailure::Full => {
            StorageFailure::Broken("the disk is full, as a sync tells".to_owned())
        }
        other => other,
    }
}
