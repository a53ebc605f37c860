//! Opening the journal: the newest epoch in charge, and what to say about it.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::imaging::{NewEpoch, NoImage, Open};
use super::keeping::Journal;
use super::reading::{Damage, Reading};
use super::rows::Kind;
use super::store::{Failure, Store, Tail};
use crate::machine::Machine;

/// What the journal cannot know by itself.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A random number: no two runs have the same. Rows of different files never chain.
    pub identity: u64,
}

impl Options {
    /// Differs for each epoch, and each try to make it.
    pub(super) fn identity_of(self, epoch: u64, attempt: u64) -> u64 {
        let seed = xxh3_64_with_seed(&attempt.to_le_bytes(), self.identity);
        xxh3_64_with_seed(&epoch.to_le_bytes(), seed)
    }
}

/// What was found when the journal was opened.
pub struct Recovered {
    /// The state: of the newest image and all commands after it.
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
    /// The file in charge.
    pub file: String,
    /// Commands replayed after the image.
    pub commands: u64,
    /// A torn end that was dropped.
    pub dropped: Option<Dropped>,
    /// Files that were of no use any more and were removed.
    pub removed: Vec<String>,
}

/// A torn end: bytes that a crash left behind the last whole row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The row that would have come next.
    pub row: u64,
    /// The bytes.
    pub tail: Tail,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an unfinished write at row {} was dropped: {}", self.row, self.tail)
    }
}

/// Why the journal cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// What was durable is damaged.
    Damaged(Damage),
    /// The store fails.
    Failed(Failure),
}

impl fmt::Display for Error {
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

impl std::error::Error for Error {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Journal {
    /// Recovers what there is, or begins when there is nothing.
    ///
    /// # Errors
    /// [`Error::Damaged`] when something is lost that was durable; nothing has been changed then.
    pub fn open(store: Arc<dyn Store>, options: Options) -> Result<Recovered, Error> {
        let epochs = store.epochs()?;
        let mut fence = 1;
        for &epoch in epochs.iter().rev() {
            let reading = Reading::at_rest(&*store, epoch, false)?;
            fence = reading.fences_end.max(fence);
            if let Some(damage) = reading.damage {
                return Err(Error::Damaged(damage));
            }
            if reading.in_charge {
                return Self::resume(store, options, &epochs, reading, fence);
            }
        }
        match epochs.last() {
            None => Self::begin(store, options),
            Some(&newest) => Err(Error::Damaged(Damage {
                file: store.name(newest),
                row: 1,
                what: "it was not yet in charge, and the epoch before it is lost".to_owned(),
            })),
        }
    }

    fn begin(store: Arc<dyn Store>, options: Options) -> Result<Recovered, Error> {
        let machine = Machine::new();
        let open = create(&*store, 1, options, &machine, 1)?;
        let report = Report { is_new: true, file: store.name(1), ..Report::default() };
        let journal = Self::new((store, options), 1, open, 1, 0);
        Ok(Recovered { machine, fence: 1, journal, report })
    }

    fn resume(
        store: Arc<dyn Store>,
        options: Options,
        epochs: &[u64],
        reading: Reading,
        fence: u64,
    ) -> Result<Recovered, Error> {
        let Reading { epoch, file, chain, machine, commands, tail, .. } = reading;
        let Some(machine) = machine else {
            let what = "its image is not complete".to_owned();
            return Err(Error::Damaged(Damage { file, row: chain.number + 1, what }));
        };
        let mut report = Report { file, commands, ..Report::default() };
        report.dropped = tail.map(|tail| Dropped { row: chain.number + 1, tail });
        let log = store.open(epoch)?;
        let (image_bytes, image_rows) = (reading.image_bytes, reading.image_rows);
        let mut open = Open { log, chain, synced: 0, image_bytes, image_rows };
        if open.log.rows() != chain.number {
            let (file, rows) = (&report.file, open.log.rows());
            let what = format!("{file} had {} rows and now has {rows}", chain.number);
            return Err(Failure::Broken(what).into());
        }
        // Some of what was read may never have been durable, be it that this epoch is in charge.
        // It must be before others go, and before anything is built on it.
        open.sync()?;
        for &other in epochs.iter().filter(|&&other| other != epoch) {
            report.removed.push(store.name(other));
            store.remove(other)?;
        }
        let journal = Self::new((store, options), epoch, open, fence, commands);
        Ok(Recovered { machine, fence, journal, report })
    }
}

/// Writes a new epoch with that state and puts it in charge.
fn create(
    store: &dyn Store,
    epoch: u64,
    options: Options,
    machine: &Machine,
    fences_end: u64,
) -> Result<Open, Failure> {
    let mut new = NewEpoch::draft(store, epoch, options.identity_of(epoch, 0))?;
    match new.image(&machine.image(), fences_end, &|| false) {
        Ok(()) | Err(NoImage::Stopped) => {}
        Err(NoImage::Failed(failure)) => return Err(failure),
    }
    new.complete(Kind::Charge, fences_end)
}
