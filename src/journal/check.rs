//! Looking at a journal that may be damaged.

use std::fmt;
use std::path::Path;

use super::reader::{Reading, SegmentDamage};
use super::sqlite::Sqlite;
use super::storage::{StorageFailure, Store, Tail};
use crate::machine::{Counts, Machine};

/// What is in a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Its segments, oldest first. The newest one active counts.
    pub segments: Vec<SegmentReport>,
    /// What was done about it, if it was to be repaired.
    pub repair: Option<Repair>,
}

/// What is in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// Its file.
    pub file: String,
    /// Its whole records.
    pub records: u64,
    /// How many of them are the snapshot, and its size.
    pub snapshot_records: u64,
    /// Size of the snapshot.
    pub snapshot_bytes: u64,
    /// Commands behind the snapshot.
    pub commands: u64,
    /// What there is after the last whole record; `None` when the snapshot is not whole.
    pub counts: Option<Counts>,
    /// Whether it was active. One that is not was to replace the one before it.
    pub is_active: bool,
    /// Fences below this one may have been handed out.
    pub fences_end: u64,
    /// What a crash left behind the last whole record.
    pub tail: Option<Tail>,
    /// Where it is damaged.
    pub damage: Option<SegmentDamage>,
}

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// What it goes on with, and where.
    pub kept: Option<(String, String)>,
    /// Files quarantined, by their new names.
    pub quarantine: Vec<String>,
}

impl CheckReport {
    /// Whether a server would start with it. It would with nothing, too.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let needed = self.segments.iter().rposition(|segment| segment.is_active);
        let needed = needed.unwrap_or(0);
        self.segments.is_empty()
            || (self.segments[needed].is_active
                && self.segments[needed..].iter().all(|segment| segment.damage.is_none()))
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.segments.is_empty() {
            return f.write_str("there is no journal");
        }
        self.segments.iter().try_for_each(|segment| segment.fmt(f))?;
        let Some(Repair { kept, quarantine }) = &self.repair else {
            return f.write_str(if self.is_sound() { "sound" } else { "damaged" });
        };
        for file in quarantine {
            writeln!(f, "quarantined: {file}")?;
        }
        match kept {
            Some((what, file)) => write!(f, "repaired: {file} goes on with {what}"),
            None => f.write_str("nothing to repair"),
        }
    }
}

impl fmt::Display for SegmentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, records, snapshot_records, snapshot_bytes, commands, .. } = self;
        let state = if self.is_active { "active" } else { "not active" };
        writeln!(f, "{file}: {state}")?;
        writeln!(
            f,
            "  {records} records, of which {snapshot_records} are a snapshot of {snapshot_bytes} \
             bytes"
        )?;
        match &self.counts {
            None => writeln!(f, "  its snapshot is not whole")?,
            Some(counts) => writeln!(
                f,
                "  {commands} commands behind it, then {} sessions and {} resources",
                counts.sessions, counts.resources
            )?,
        }
        writeln!(f, "  fences from {} on were never handed out", self.fences_end)?;
        if let Some(tail) = &self.tail {
            writeln!(f, "  behind its last whole record: {tail}")?;
        }
        match &self.damage {
            Some(damage) => writeln!(f, "  DAMAGED: {damage}"),
            None => Ok(()),
        }
    }
}

/// Tells what is in a directory, and changes nothing.
///
/// # Errors
/// [`StorageFailure`] when it cannot be read, or when a server has it.
pub fn check(dir: &Path) -> Result<CheckReport, StorageFailure> {
    let readings = read_all(&Sqlite::look(dir)?)?;
    Ok(CheckReport { segments: readings.iter().map(report).collect(), repair: None })
}

pub(super) fn read_all(store: &Sqlite) -> Result<Vec<Reading>, StorageFailure> {
    let segments = store.segments()?;
    segments.into_iter().map(|segment| Reading::at_rest(store, segment, true)).collect()
}

pub(super) fn report(reading: &Reading) -> SegmentReport {
    SegmentReport {
        file: reading.file.clone(),
        records: reading.chain.number,
        snapshot_records: reading.snapshot_records,
        snapshot_bytes: reading.snapshot_bytes,
        commands: reading.commands,
        counts: reading.machine.as_ref().map(Machine::counts),
        is_active: reading.is_active,
        fences_end: reading.fences_end,
        tail: reading.tail.clone(),
        damage: reading.damage.clone(),
    }
}
