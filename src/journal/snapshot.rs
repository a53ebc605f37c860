//! Writing a snapshot while the journal goes on. The snapshot is made by replaying what is on disk
//! into a machine of its own, so nothing is copied from the one that serves and nobody waits. The
//! new segment takes over what is appended meanwhile; only the last few records are left to the
//! switch.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::reader::Reading;
use super::record::{Broken, Chain, Kind};
use super::storage::{Draft, Log, StorageFailure, Store};
use crate::log::codec::encode_snapshot;
use crate::machine::Snapshot;

/// Records that may be left to the switch.
const LEFT_MAX: u64 = 32;
/// Records that are copied in one go, and bytes.
const COPIED_ROWS: usize = 256;
const COPIED_BYTES: usize = 1 << 20;

/// A snapshot under way. It may run in a thread of its own.
pub struct SnapshotWriter {
    store: Arc<dyn Store>,
    from: u64,
    to: u64,
    identity: u64,
    stop: Arc<AtomicBool>,
    made: Option<Copying>,
    /// There is one of it as long as this snapshot is the journal's only one.
    only: Arc<()>,
}

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

impl SnapshotWriter {
    pub(super) fn new(store: Arc<dyn Store>, from: u64, identity: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self { store, from, to: from + 1, identity, stop, made: None, only: Arc::new(()) }
    }

    /// What to set to end [`SnapshotWriter::run`] soon.
    #[must_use]
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// The segment that the snapshot begins.
    #[must_use]
    pub fn segment(&self) -> u64 {
        self.to
    }

    /// Writes the snapshot and all but a few of the records that came meanwhile. Takes its time.
    ///
    /// # Errors
    /// [`NoSnapshot`]; the journal is none the worse.
    pub fn run(&mut self) -> Result<(), NoSnapshot> {
        let stop = self.stop.clone();
        let stopped = move || stop.load(Ordering::Relaxed);
        let mut source = Reading::new(&*self.store, self.from);
        source.go_on(&*self.store, &mut || stopped())?;
        if let Some(damage) = source.damage {
            return Err(NoSnapshot::Failed(StorageFailure::Corrupt(damage.to_string())));
        }
        let Some(machine) = source.machine.filter(|_| !stopped()) else {
            return Err(NoSnapshot::Stopped);
        };
        let snapshot = machine.snapshot();
        drop(machine);
        // From here on, what is not put active is removed again.
        let unused = Unused { store: self.store.clone(), segment: self.to, keep: false };
        unused.remove()?;
        let mut segment = NewSegment::draft(&*self.store, self.to, self.identity)?;
        segment.snapshot(&snapshot, source.fences_end, &stopped)?;
        drop(snapshot);
        let new = segment.complete(Kind::Waiting, source.fences_end)?;
        let (source, fences_end) = (source.chain, source.fences_end);
        let mut copying = Copying { new, unused, source, fences_end };
        loop {
            let copied = copying.catch_up(&*self.store, self.from)?;
            copying.new.sync()?;
            if stopped() {
                return Err(NoSnapshot::Stopped);
            }
            if copied <= LEFT_MAX {
                break;
            }
        }
        self.made = Some(copying);
        Ok(())
    }

    /// Tells whether this is still there.
    pub(super) fn only(&self) -> Weak<()> {
        Arc::downgrade(&self.only)
    }

    pub(super) fn from(&self) -> u64 {
        self.from
    }

    pub(super) fn into_made(self) -> Option<Copying> {
        self.made
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
            let kind = if self.chain.number == 0 { Kind::Snapshot } else { Kind::Part };
            Ok(self.append(kind, fences_end, payload)?)
        })?;
        Ok(self.append(Kind::End, fences_end, &[])?)
    }

    fn append(
        &mut self,
        kind: Kind,
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
    pub(super) fn complete(mut self, kind: Kind, fences_end: u64) -> Result<Open, StorageFailure> {
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
    pub(super) log: Box<dyn Log>,
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
        let chain = self.chain.write((Kind::Activate, self.synced, fences_end), &[], &mut record);
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

/// Removes a segment that was not put active.
struct Unused {
    store: Arc<dyn Store>,
    segment: u64,
    keep: bool,
}

impl Unused {
    fn remove(&self) -> Result<(), StorageFailure> {
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

/// A new segment that follows an old one. Dropped, it is removed.
pub(super) struct Copying {
    pub(super) new: Open,
    unused: Unused,
    /// How far the old one was read.
    pub(super) source: Chain,
    fences_end: u64,
}

/// Batches of the old segment, as records of the new.
struct Copied {
    records: Vec<Vec<u8>>,
    bytes: usize,
    chain: Chain,
    source: Chain,
    fences_end: u64,
}

impl Copied {
    fn is_full(&self) -> bool {
        self.records.len() >= COPIED_ROWS || self.bytes >= COPIED_BYTES
    }

    fn add(&mut self, record: &[u8], synced: u64) -> Result<(), Broken> {
        let (header, payload) = self.source.read(record)?;
        if header.kind == Kind::Batch {
            let mut record = Vec::new();
            self.fences_end = header.fences_end.max(self.fences_end);
            let header = (Kind::Batch, synced, self.fences_end);
            self.chain = self.chain.write(header, payload, &mut record);
            self.bytes += record.len();
            self.records.push(record);
        }
        Ok(())
    }
}

impl Copying {
    /// Appends the batches that the old segment has and this one has not. Returns how many.
    pub(super) fn catch_up(&mut self, store: &dyn Store, from: u64) -> Result<u64, StorageFailure> {
        let before = self.source.number;
        loop {
            let Self { source, fences_end, .. } = *self;
            let (chain, synced) = (self.new.chain, self.new.synced);
            let mut copied = Copied { records: Vec::new(), bytes: 0, chain, source, fences_end };
            let mut broken = None;
            store.records(from, source.number, &mut |_, record| {
                broken = copied.add(record, synced).err();
                if broken.is_some() || copied.is_full() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            if let Some(broken) = broken {
                let (file, record) = (store.name(from), copied.source.number + 1);
                return Err(StorageFailure::Corrupt(format!("record {record} of {file} {broken}")));
            }
            if !copied.records.is_empty() {
                let records: Vec<&[u8]> = copied.records.iter().map(Vec::as_slice).collect();
                self.new.log.append(&records)?;
            }
            let is_last = !copied.is_full();
            (self.new.chain, self.source) = (copied.chain, copied.source);
            self.fences_end = copied.fences_end;
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
