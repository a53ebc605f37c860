//! Looking at a journal that may be damaged, and putting what is whole of it back to work.

use std::fmt;
use std::path::Path;

use super::imaging::{NewEpoch, NoImage};
use super::opening::Options;
use super::reading::{Damage, Reading};
use super::rows::Kind;
use super::sqlite::Sqlite;
use super::store::{Failure, Store, Tail};
use crate::machine::{Counts, Image};

/// What is in a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Its epochs, oldest first. The newest one in charge counts.
    pub epochs: Vec<EpochFindings>,
    /// What was done about it, if it was to be repaired.
    pub repair: Option<Repair>,
}

/// What is in an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochFindings {
    /// Its file.
    pub file: String,
    /// Its whole rows.
    pub rows: u64,
    /// How many of them are the image, and its size.
    pub image_rows: u64,
    /// Size of the image.
    pub image_bytes: u64,
    /// Commands behind the image.
    pub commands: u64,
    /// What there is after the last whole row; `None` when the image is not whole.
    pub counts: Option<Counts>,
    /// Whether it was in charge. One that is not was to replace the one before it.
    pub in_charge: bool,
    /// Fences below this one may have been handed out.
    pub fences_end: u64,
    /// What a crash left behind the last whole row.
    pub tail: Option<Tail>,
    /// Where it is damaged.
    pub damage: Option<Damage>,
}

/// What a repair did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// What it goes on with, and where.
    pub kept: Option<(String, String)>,
    /// Files set aside, by their new names.
    pub set_aside: Vec<String>,
}

impl Findings {
    /// Whether a server would start with it. It would with nothing, too.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let needed = self.epochs.iter().rposition(|epoch| epoch.in_charge);
        let needed = needed.unwrap_or(0);
        self.epochs.is_empty()
            || (self.epochs[needed].in_charge
                && self.epochs[needed..].iter().all(|epoch| epoch.damage.is_none()))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epochs.is_empty() {
            return f.write_str("there is no journal");
        }
        self.epochs.iter().try_for_each(|epoch| epoch.fmt(f))?;
        let Some(Repair { kept, set_aside }) = &self.repair else {
            return f.write_str(if self.is_sound() { "sound" } else { "damaged" });
        };
        for file in set_aside {
            writeln!(f, "set aside: {file}")?;
        }
        match kept {
            Some((what, file)) => write!(f, "repaired: {file} goes on with {what}"),
            None => f.write_str("nothing to repair"),
        }
    }
}

impl fmt::Display for EpochFindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, rows, image_rows, image_bytes, commands, .. } = self;
        let charge = if self.in_charge { "in charge" } else { "not in charge" };
        writeln!(f, "{file}: {charge}")?;
        writeln!(f, "  {rows} rows, of which {image_rows} are an image of {image_bytes} bytes")?;
        match &self.counts {
            None => writeln!(f, "  its image is not whole")?,
            Some(counts) => writeln!(
                f,
                "  {commands} commands behind it, then {} sessions and {} resources",
                counts.sessions, counts.resources
            )?,
        }
        writeln!(f, "  fences from {} on were never handed out", self.fences_end)?;
        if let Some(tail) = &self.tail {
            writeln!(f, "  behind its last whole row: {tail}")?;
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
/// [`Failure`] when it cannot be read, or when a server has it.
pub fn check(dir: &Path) -> Result<Findings, Failure> {
    let readings = read_all(&Sqlite::look(dir)?)?;
    Ok(Findings { epochs: readings.iter().map(findings).collect(), repair: None })
}

/// Sets damaged epochs aside and begins a new one with what is whole: the newest state that can be
/// reached without a gap. Fences go on above all that any readable row speaks of.
///
/// # Errors
/// [`Failure`] when it cannot be read or written, or when a server has it. It may be tried again.
pub fn repair(dir: &Path, options: Options) -> Result<Findings, Failure> {
    // What is no journal's is left as it is: to open it would make it one.
    if Sqlite::look(dir)?.epochs()?.is_empty() {
        return Ok(Findings { repair: Some(Repair::default()), ..Findings::default() });
    }
    let store = Sqlite::open(dir)?;
    let mut readings = read_all(&store.looking())?;
    let epochs = readings.iter().map(findings).collect();
    let mut found = Findings { epochs, repair: Some(Repair::default()) };
    if found.is_sound() {
        return Ok(found);
    }
    let newest = readings.last().map_or(0, |reading| reading.epoch);
    let fences_end = readings.iter().map(|reading| reading.fences_end).max().unwrap_or(1);
    // Without a gap: an epoch not in charge has what the one before it has, as long as that is.
    let best = readings.iter().rposition(|reading| reading.in_charge && reading.machine.is_some());
    let best = best.or_else(|| readings.iter().rposition(|reading| reading.machine.is_some()));
    let (image, what) = match best.map(|at| &mut readings[at]) {
        Some(Reading { machine: Some(machine), file, chain, .. }) => {
            (machine.image(), format!("{file} up to row {}", chain.number))
        }
        _ => (Image { next_fence: 1, next_wait: 1, ..Image::default() }, "nothing".to_owned()),
    };
    let mut new = NewEpoch::draft(&store, newest + 1, options.identity_of(newest + 1, 0))?;
    match new.image(&image, fences_end, &|| false) {
        Ok(()) | Err(NoImage::Stopped) => {}
        Err(NoImage::Failed(failure)) => return Err(failure),
    }
    // Only when what is damaged is out of the way is it put in charge; until then a server refuses
    // to start, and a repair may be tried again.
    let mut open = new.complete(Kind::Waiting, fences_end)?;
    let mut done = Repair::default();
    for reading in readings.iter().filter(|reading| reading.damage.is_some()) {
        done.set_aside.push(store.set_aside(reading.epoch)?);
    }
    open.charge(fences_end)?;
    open.sync()?;
    done.kept = Some((what, store.name(newest + 1)));
    found.repair = Some(done);
    Ok(found)
}

fn read_all(store: &Sqlite) -> Result<Vec<Reading>, Failure> {
    let epochs = store.epochs()?;
    epochs.into_iter().map(|epoch| Reading::at_rest(store, epoch, true)).collect()
}

fn findings(reading: &Reading) -> EpochFindings {
    EpochFindings {
        file: reading.file.clone(),
        rows: reading.chain.number,
        image_rows: reading.image_rows,
        image_bytes: reading.image_bytes,
        commands: reading.commands,
        counts: reading.machine.as_ref().map(crate::machine::Machine::counts),
        in_charge: reading.in_charge,
        fences_end: reading.fences_end,
        tail: reading.tail.clone(),
        damage: reading.damage.clone(),
    }
}
