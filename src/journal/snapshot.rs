//! Writing a snapshot while the journal goes on. The snapshot is made by replaying what is on disk
//! into a machine of its own, so nothing is copied from the one that serves and nobody waits. The
//! new segment takes over what is appended meanwhile; only the last few records are left to the
//! switch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::carry_over::{CarryOver, Unused};
use super::reader::Reading;
use super::record::RecordKind;
use super::segment::{NewSegment, NoSnapshot};
use super::storage::{StorageFailure, Store};

/// Records that may be left to the switch.
const LEFT_MAX: u64 = 32;
/// A snapshot under way. It may run in a thread of its own.
pub struct SnapshotWriter {
    store: Arc<dyn Store>,
    from: u64,
    to: u64,
    identity: u64,
    stop: Arc<AtomicBool>,
    made: Option<CarryOver>,
    /// There is one of it as long as this snapshot is the journal's only one.
    only: Arc<()>,
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
        let unused = Unused::new(self.store.clone(), self.to);
        unused.remove()?;
        let mut segment = NewSegment::draft(&*self.store, self.to, self.identity)?;
        segment.snapshot(&snapshot, source.fences_end, &stopped)?;
        drop(snapshot);
        let new = segment.complete(RecordKind::Waiting, source.fences_end)?;
        let mut carrying = CarryOver::new(new, unused, source.chain, source.fences_end);
        loop {
            let carried = carrying.catch_up(&*self.store, self.from)?;
            carrying.new.sync()?;
            if stopped() {
                return Err(NoSnapshot::Stopped);
            }
            if carried <= LEFT_MAX {
                break;
            }
        }
        self.made = Some(carrying);
        Ok(())
    }

    /// Tells whether this is still there.
    pub(super) fn only(&self) -> Weak<()> {
        Arc::downgrade(&self.only)
    }

    pub(super) fn from(&self) -> u64 {
        self.from
    }

    pub(super) fn into_made(self) -> Option<CarryOver> {
        self.made
    }
}
