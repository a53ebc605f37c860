//! Putting what is whole of a damaged journal back to work.

use std::path::Path;

use super::check::{CheckReport, Repair, read_all, report};
use super::identity::JournalOptions;
use super::reader::Reading;
use super::record::RecordKind;
use super::segment::{NewSegment, NoSnapshot};
use super::sqlite::Sqlite;
use super::storage::{StorageFailure, Store};
use crate::machine::Snapshot;

/// Sets damaged segments aside and begins a new one with what is whole: the newest state that can
/// be reached without a gap. Fences go on above all that any readable record speaks of.
///
/// # Errors
/// [`StorageFailure`] when it cannot be read or written, or when a server has it. It may be tried
/// again.
pub fn repair(dir: &Path, options: JournalOptions) -> Result<CheckReport, StorageFailure> {
    // What is no journal's is left as it is: to open it would make it one.
    if Sqlite::look(dir)?.segments()?.is_empty() {
        return Ok(CheckReport { repair: Some(Repair::default()), ..CheckReport::default() });
    }
    let store = Sqlite::open(dir)?;
    let mut readings = read_all(&store.looking())?;
    let segments = readings.iter().map(report).collect();
    let mut found = CheckReport { segments, repair: Some(Repair::default()) };
    if found.is_sound() {
        return Ok(found);
    }
    let newest = readings.last().map_or(0, |reading| reading.segment);
    let fences_end = readings.iter().map(|reading| reading.fences_end).max().unwrap_or(1);
    // Without a gap: a segment not active has what the one before it has, as long as that is.
    let best = readings.iter().rposition(|reading| reading.is_active && reading.machine.is_some());
    let best = best.or_else(|| readings.iter().rposition(|reading| reading.machine.is_some()));
    let (snapshot, what) = match best.map(|at| &mut readings[at]) {
        Some(Reading { machine: Some(machine), file, chain, .. }) => {
            (machine.snapshot(), format!("{file} up to record {}", chain.number))
        }
        _ => {
            (Snapshot { next_fence: 1, next_wait: 1, ..Snapshot::default() }, "nothing".to_owned())
        }
    };
    let mut new = NewSegment::draft(&store, newest + 1, options.identity_of(newest + 1, 0))?;
    match new.snapshot(&snapshot, fences_end, &|| false) {
        Ok(()) | Err(NoSnapshot::Stopped) => {}
        Err(NoSnapshot::Failed(failure)) => return Err(failure),
    }
    // Only when what is damaged is out of the way is it put active; until then a server refuses
    // to start, and a repair may be tried again.
    let mut open = new.complete(RecordKind::Waiting, fences_end)?;
    let mut done = Repair::default();
    for reading in readings.iter().filter(|reading| reading.damage.is_some()) {
        done.quarantine.push(store.quarantine(reading.segment)?);
    }
    open.activate(fences_end)?;
    open.sync()?;
    done.kept = Some((what, store.name(newest + 1)));
    found.repair = Some(done);
    Ok(found)
}
