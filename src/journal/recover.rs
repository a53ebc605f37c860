//! Opening the journal: the newest segment active, and what to say about it.

use std::fmt;
use std::sync::Arc;

use super::identity::JournalOptions;
use super::journal::Journal;
use super::reader::{Reading, SegmentDamage};
use super::record::RecordKind;
use super::segment::{NewSegment, NoSnapshot, Open};
use super::storage::{StorageFailure, Store, Tail};
use crate::machine::Machine;

/// What was found when the journal was opened.
pub struct Recovered {
    /// The state: of the newest snapshot and all commands after it.
    pub machine: Machine,
    /// Lowest fence to hand out from now on: above all that were ever reserved.
    pub fence: u64,
    /// Where to go on.
    pub journal: Journal,
    /// What to tell the operator.
    pub report: Report,
}

/// What was found, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether there was nothing, and the journal begins.
    pub is_new: bool,
    /// The file active.
    pub file: String,
    /// Commands replayed after the snapshot.
    pub commands: u64,
    /// A torn end that was dropped.
    pub dropped: Option<Dropped>,
    /// Files that were of no use any more and were removed.
    pub removed: Vec<String>,
}

/// A torn end: bytes that a crash left behind the last whole record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The record that would have come next.
    pub record: u64,
    /// The bytes.
    pub tail: Tail,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an unfinished write at record {} was dropped: {}", self.record, self.tail)
    }
}

/// Why the journal cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// What was durable is damaged.
    Damaged(SegmentDamage),
    /// The store fails.
    Failed(StorageFailure),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(damage) => write!(
                f,
                "{damage}. `ticketd check DIR` tells what is whole and changes nothing; `ticketd \
                 check --repair DIR` sets the damaged file aside and goes on with what is whole"
            ),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<StorageFailure> for OpenError {
    fn from(failure: StorageFailure) -> Self {
        Self::Failed(failure)
    }
}

impl Journal {
    /// Recovers what there is, or begins when there is nothing.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] when something is lost that was durable; nothing has been changed
    /// then.
    pub fn open(store: Arc<dyn Store>, options: JournalOptions) -> Result<Recovered, OpenError> {
        let segments = store.segments()?;
        let mut fence = 1;
        for &segment in segments.iter().rev() {
            let reading = Reading::at_rest(&*store, segment, false)?;
            fence = reading.fences_end.max(fence);
            if let Some(damage) = reading.damage {
                return Err(OpenError::Damaged(damage));
            }
            if reading.is_active {
                return Self::resume(store, options, &segments, reading, fence);
            }
        }
        match segments.last() {
            None => Self::begin(store, options),
            Some(&newest) => Err(OpenError::Damaged(SegmentDamage {
                file: store.name(newest),
                record: 1,
                what: "it was not yet active, and the segment before it is lost".to_owned(),
            })),
        }
    }

    fn begin(store: Arc<dyn Store>, options: JournalOptions) -> Result<Recovered, OpenError> {
        let machine = Machine::new();
        let open = create(&*store, 1, options, &machine, 1)?;
        let report = Report { is_new: true, file: store.name(1), ..Report::default() };
        let journal = Self::new((store, options), 1, open, 1, 0);
        Ok(Recovered { machine, fence: 1, journal, report })
    }

    fn resume(
        store: Arc<dyn Store>,
        options: JournalOptions,
        segments: &[u64],
        reading: Reading,
        fence: u64,
    ) -> Result<Recovered, OpenError> {
        let Reading { segment, file, chain, machine, commands, tail, .. } = reading;
        let Some(machine) = machine else {
            let what = "its snapshot is not complete".to_owned();
            return Err(OpenError::Damaged(SegmentDamage { file, record: chain.number + 1, what }));
        };
        let mut report = Report { file, commands, ..Report::default() };
        report.dropped = tail.map(|tail| Dropped { record: chain.number + 1, tail });
        let log = store.open(segment)?;
        let (snapshot_bytes, snapshot_records) = (reading.snapshot_bytes, reading.snapshot_records);
        let mut open = Open { log, chain, synced: 0, snapshot_bytes, snapshot_records };
        if open.log.records() != chain.number {
            let (file, records) = (&report.file, open.log.records());
            let what = format!("{file} had {} records and now has {records}", chain.number);
            return Err(StorageFailure::Broken(what).into());
        }
        // Some of what was read may never have been durable, be it that this segment is active.
        // It must be before others go, and before anything is built on it.
        open.sync()?;
        for &other in segments.iter().filter(|&&other| other != segment) {
            report.removed.push(store.name(other));
            store.remove(other)?;
        }
        let journal = Self::new((store, options), segment, open, fence, commands);
        Ok(Recovered { machine, fence, journal, report })
    }
}

/// Writes a new segment with that state and puts it active.
fn create(
    store: &dyn Store,
    segment: u64,
    options: JournalOptions,
    machine: &Machine,
    fences_end: u64,
) -> Result<Open, StorageFailure> {
    let mut new = NewSegment::draft(store, segment, options.identity_of(segment, 0))?;
    match new.snapshot(&machine.snapshot(), fences_end, &|| false) {
        Ok(()) | Err(NoSnapshot::Stopped) => {}
        Err(NoSnapshot::Failed(failure)) => return Err(failure),
    }
    new.complete(RecordKind::Activate, fences_end)
}
