//! The journal at work: appended to, synced, and now and then switched to a new snapshot.

use std::sync::{Arc, Weak};

use super::identity::JournalOptions;
use super::record::RecordKind;
use super::segment::{NoSnapshot, Open, not_full};
use super::snapshot::SnapshotWriter;
use super::storage::{SegmentLog, StorageFailure, Store, Syncer};
use crate::log::codec::put_number;
use crate::log::{Appended, Batch, Position};
use crate::machine::NUMBER_END;

/// So many fences beyond the next are reserved at a time.
pub const FENCES_RESERVED: u64 = 1 << 20;

/// The journal in figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The segment active.
    pub segment: u64,
    /// Its file.
    pub file: String,
    /// Its size on disk.
    pub bytes: u64,
    /// How much of it is snapshot.
    pub snapshot_bytes: u64,
    /// Its records.
    pub records: u64,
    /// How many of them are the snapshot.
    pub snapshot_records: u64,
    /// Commands behind the snapshot.
    pub commands: u64,
}

/// The journal, open.
pub struct Journal {
    store: Arc<dyn Store>,
    options: JournalOptions,
    segment: u64,
    open: Open,
    /// Fences below this are reserved, durably.
    fences_end: u64,
    commands: u64,
    /// The last batch of this run.
    position: Position,
    /// Snapshots begun, and the one under way.
    snapshots: u64,
    imaging: Weak<()>,
    /// The first final failure. From then on nothing is done any more.
    failure: Option<StorageFailure>,
    payload: Vec<u8>,
    record: Vec<u8>,
}

/// A sync that is to run elsewhere.
pub struct Syncing {
    syncer: Box<dyn Syncer>,
    segment: u64,
    up_to: u64,
}

/// A sync that has run. It counts when the journal knows of it.
#[must_use = "the journal must know, above all when it failed"]
#[derive(Debug)]
pub struct Synced {
    segment: u64,
    up_to: u64,
    result: Result<(), StorageFailure>,
}

impl Syncing {
    /// Waits for the disk.
    pub fn run(self) -> Synced {
        let Self { syncer, segment, up_to } = self;
        Synced { segment, up_to, result: syncer.sync().map_err(not_full) }
    }
}

/// A segment that is no longer active. Removing it may take a while.
pub struct Retired {
    store: Arc<dyn Store>,
    log: Option<Box<dyn SegmentLog>>,
    segment: u64,
}

impl Retired {
    /// Removes its file.
    ///
    /// # Errors
    /// [`StorageFailure`] leaves the file, which the next start removes.
    pub fn remove(mut self) -> Result<(), StorageFailure> {
        self.log.take();
        self.store.remove(self.segment)
    }
}

impl Journal {
    /// A journal that goes on in `segment`, which has so many commands behind its snapshot.
    pub(super) fn new(
        (store, options): (Arc<dyn Store>, JournalOptions),
        segment: u64,
        open: Open,
        fences_end: u64,
        commands: u64,
    ) -> Self {
        let (payload, record) = (Vec::new(), Vec::new());
        let (snapshots, imaging, failure) = (0, Weak::new(), None);
        Self {
            store,
            options,
            segment,
            open,
            fences_end,
            commands,
            position: Position::default(),
            snapshots,
            imaging,
            failure,
            payload,
            record,
        }
    }

    /// Appends a batch, and makes it durable if `sync` says so, or if it hands out fences that are
    /// not yet reserved: the record itself reserves more.
    ///
    /// # Errors
    /// After [`StorageFailure::Full`] the same batch may be appended again, and no other. Any other
    /// failure is final: what became of the batch is unknown, and each later call fails alike.
    pub fn append(&mut self, batch: &Batch<'_>, sync: bool) -> Result<Appended, StorageFailure> {
        self.alive()?;
        let reserve = batch.next_fence >= self.fences_end;
        let fences_end = if reserve {
            batch.next_fence.saturating_add(FENCES_RESERVED).min(NUMBER_END)
        } else {
            self.fences_end
        };
        self.payload.clear();
        put_number(batch.count.into(), &mut self.payload);
        self.payload.extend_from_slice(batch.commands);
        let header = (RecordKind::Batch, self.open.synced, fences_end);
        let chain = self.open.chain.write(header, &self.payload, &mut self.record);
        let appended = self.open.log.append(&[&self.record]);
        self.final_unless_full(appended)?;
        self.open.chain = chain;
        self.fences_end = fences_end;
        self.commands += u64::from(batch.count);
        self.position.0 += 1;
        if sync || reserve {
            self.sync()?;
        }
        Ok(Appended { position: self.position, synced: sync || reserve })
    }

    /// Makes durable all that was appended.
    ///
    /// # Errors
    /// Any [`StorageFailure`] is final.
    pub fn sync(&mut self) -> Result<(), StorageFailure> {
        self.alive()?;
        let synced = self.open.sync();
        self.last(synced)
    }

    /// Begins to make durable what was appended so far, to be run elsewhere while this goes on.
    ///
    /// # Errors
    /// Any [`StorageFailure`] that ended the journal before.
    pub fn begin_sync(&self) -> Result<Syncing, StorageFailure> {
        self.alive()?;
        let (segment, up_to) = (self.segment, self.open.chain.number);
        Ok(Syncing { syncer: self.open.log.syncer(), segment, up_to })
    }

    /// Takes note of a sync that has run: what had been appended when it began is durable.
    ///
    /// # Errors
    /// Any [`StorageFailure`] is final.
    pub fn end_sync(&mut self, synced: Synced) -> Result<(), StorageFailure> {
        self.alive()?;
        if synced.segment == self.segment {
            self.last(synced.result)?;
            self.open.synced = self.open.synced.max(synced.up_to);
        } else if !matches!(synced.result, Err(StorageFailure::Gone(_))) {
            // A segment that is no longer active is removed, also while it is synced.
            self.last(synced.result)?;
        }
        Ok(())
    }

    /// Looks whether a restart would find what is appended here. It changes nothing.
    ///
    /// # Errors
    /// [`StorageFailure::Gone`] is final. Any other only says that it could not be seen, unless
    /// [`Journal::failure`] tells that the journal ended.
    pub fn look(&mut self) -> Result<(), StorageFailure> {
        self.alive()?;
        match self.open.log.in_place() {
            Err(StorageFailure::Gone(what)) => self.last(Err(StorageFailure::Gone(what))),
            seen => seen,
        }
    }

    /// What ended the journal, if something did.
    #[must_use]
    pub fn failure(&self) -> Option<&StorageFailure> {
        self.failure.as_ref()
    }

    /// The last batch of this run.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Size of the segment on disk.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.open.log.size_bytes()
    }

    /// The journal in figures.
    #[must_use]
    pub fn describe(&self) -> Description {
        Description {
            segment: self.segment,
            file: self.store.name(self.segment),
            bytes: self.size_bytes(),
            snapshot_bytes: self.open.snapshot_bytes,
            records: self.open.chain.number,
            snapshot_records: self.open.snapshot_records,
            commands: self.commands,
        }
    }

    /// Begins a new snapshot, to be run elsewhere while this goes on; `None` while there is
    /// another.
    pub fn begin_snapshot(&mut self) -> Option<SnapshotWriter> {
        if self.imaging.strong_count() > 0 {
            return None;
        }
        self.snapshots += 1;
        let identity = self.options.identity_of(self.segment + 1, self.snapshots);
        let imaging = SnapshotWriter::new(self.store.clone(), self.segment, identity);
        self.imaging = imaging.only();
        Some(imaging)
    }

    /// Goes on in the segment of a snapshot that has run. Everything appended so far is durable
    /// then. The old segment is returned, to be removed when there is time.
    ///
    /// # Errors
    /// [`NoSnapshot`]: the journal goes on as it was, unless [`Journal::failure`] tells that it
    /// ended.
    pub fn switch(&mut self, imaging: SnapshotWriter) -> Result<Retired, NoSnapshot> {
        self.alive()?;
        let from = imaging.from();
        let Some(mut made) = imaging.into_made().filter(|_| from == self.segment) else {
            return Err(NoSnapshot::Stopped);
        };
        // Until the new segment is to be active, whatever fails leaves this one as it was.
        made.catch_up(&*self.store, from)?;
        if made.source != self.open.chain {
            let what = format!("{} is not what was written to it", self.store.name(from));
            self.last(Err(StorageFailure::Broken(what)))?;
        }
        let activated = self.final_unless_full(made.new.activate(self.fences_end));
        if activated == Err(StorageFailure::Full) {
            return Err(NoSnapshot::Failed(StorageFailure::Full));
        }
        // Now it is active, or may be.
        let mut open = made.keep();
        activated?;
        let synced = open.sync();
        self.last(synced)?;
        let old = std::mem::replace(&mut self.open, open);
        self.segment = from + 1;
        self.commands = 0;
        Ok(Retired { store: self.store.clone(), log: Some(old.log), segment: from })
    }

    fn alive(&self) -> Result<(), StorageFailure> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn last(&mut self, result: Result<(), StorageFailure>) -> Result<(), StorageFailure> {
        result.inspect_err(|failure| self.failure = Some(failure.clone()))
    }

    fn final_unless_full(
        &mut self,
        result: Result<(), StorageFailure>,
    ) -> Result<(), StorageFailure> {
        if result == Err(StorageFailure::Full) { result } else { self.last(result) }
    }
}
