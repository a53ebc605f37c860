//! The journal as the driver has it: opened once, appended to, synced, and now and then switched
//! to a new image.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::codec::put_number;
use super::imaging::{Imaging, NewEpoch, NoImage, Open};
use super::reading::{Damage, Reading};
use super::rows::Kind;
use super::store::{Failure, Log, Store, Tail};
use crate::machine::{Machine, NUMBER_END};

/// So many fences beyond the next are reserved at a time.
pub const FENCES_RESERVED: u64 = 1 << 20;

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

/// Commands that are appended together.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The commands, one behind the other, by [`super::codec::encode_command`].
    pub commands: &'a [u8],
    /// How many.
    pub count: u32,
    /// The machine's next fence when all of them are applied.
    pub next_fence: u64,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Whether it is durable, and all before it. It may be without being asked to.
    pub synced: bool,
}

/// The journal in figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The epoch in charge.
    pub epoch: u64,
    /// Its file.
    pub file: String,
    /// Its size on disk.
    pub bytes: u64,
    /// How much of it is image.
    pub image_bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// How many of them are the image.
    pub image_rows: u64,
    /// Commands behind the image.
    pub commands: u64,
}

/// The journal, open.
pub struct Journal {
    store: Arc<dyn Store>,
    options: Options,
    epoch: u64,
    open: Open,
    /// Fences below this are reserved, durably.
    fences_end: u64,
    commands: u64,
    /// Images begun.
    images: u64,
    /// The first final failure. From then on nothing is done any more.
    failure: Option<Failure>,
    payload: Vec<u8>,
    row: Vec<u8>,
}

/// An epoch that is no longer in charge. Removing it may take a while.
pub struct Retired {
    store: Arc<dyn Store>,
    log: Option<Box<dyn Log>>,
    epoch: u64,
}

impl Retired {
    /// Removes its file.
    ///
    /// # Errors
    /// [`Failure`] leaves the file, which the next start removes.
    pub fn remove(mut self) -> Result<(), Failure> {
        self.log.take();
        self.store.remove(self.epoch)
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
        let journal = Self::new(store, options, 1, open, 1);
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
        for &other in epochs.iter().filter(|&&other| other != epoch) {
            report.removed.push(store.name(other));
            store.remove(other)?;
        }
        let log = store.open(epoch)?;
        let (image_bytes, image_rows) = (reading.image_bytes, reading.image_rows);
        let mut open = Open { log, chain, synced: 0, image_bytes, image_rows };
        if open.log.rows() != chain.number {
            let (file, rows) = (&report.file, open.log.rows());
            let what = format!("{file} had {} rows and now has {rows}", chain.number);
            return Err(Failure::Broken(what).into());
        }
        // Some of what was read may never have been durable; what is built on it must be.
        open.sync()?;
        let mut journal = Self::new(store, options, epoch, open, fence);
        journal.commands = commands;
        Ok(Recovered { machine, fence, journal, report })
    }

    fn new(
        store: Arc<dyn Store>,
        options: Options,
        epoch: u64,
        open: Open,
        fences_end: u64,
    ) -> Self {
        let (payload, row) = (Vec::new(), Vec::new());
        let (commands, images, failure) = (0, 0, None);
        Self { store, options, epoch, open, fences_end, commands, images, failure, payload, row }
    }

    /// Appends a batch, and makes it durable if `sync` says so, or if it hands out fences that are
    /// not yet reserved: the row itself reserves more.
    ///
    /// # Errors
    /// After [`Failure::Full`] the same batch may be appended again, and no other. Any other
    /// failure is final: what became of the batch is unknown, and each later call fails alike.
    pub fn append(&mut self, batch: &Batch<'_>, sync: bool) -> Result<Appended, Failure> {
        self.alive()?;
        let reserve = batch.next_fence >= self.fences_end;
        let fences_end = if reserve {
            (batch.next_fence + FENCES_RESERVED).min(NUMBER_END)
        } else {
            self.fences_end
        };
        self.payload.clear();
        put_number(batch.count.into(), &mut self.payload);
        self.payload.extend_from_slice(batch.commands);
        let head = (Kind::Batch, self.open.synced, fences_end);
        let chain = self.open.chain.write(head, &self.payload, &mut self.row);
        let appended = self.open.log.append(&[&self.row]);
        self.final_unless_full(appended)?;
        self.open.chain = chain;
        self.fences_end = fences_end;
        self.commands += u64::from(batch.count);
        if sync || reserve {
            self.sync()?;
        }
        Ok(Appended { synced: sync || reserve })
    }

    /// Makes durable all that was appended.
    ///
    /// # Errors
    /// Any [`Failure`] is final.
    pub fn sync(&mut self) -> Result<(), Failure> {
        self.alive()?;
        let synced = self.open.sync();
        self.last(synced)
    }

    /// What ended the journal, if something did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Size of the epoch on disk.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.open.log.size_bytes()
    }

    /// The journal in figures.
    #[must_use]
    pub fn describe(&self) -> Description {
        Description {
            epoch: self.epoch,
            file: self.store.name(self.epoch),
            bytes: self.size_bytes(),
            image_bytes: self.open.image_bytes,
            rows: self.open.chain.number,
            image_rows: self.open.image_rows,
            commands: self.commands,
        }
    }

    /// Begins a new image, to be run elsewhere while this goes on. One at a time.
    pub fn begin_image(&mut self) -> Imaging {
        self.images += 1;
        let identity = self.options.identity_of(self.epoch + 1, self.images);
        Imaging::new(self.store.clone(), self.epoch, identity)
    }

    /// Goes on in the epoch of an image that has run. Everything appended so far is durable then.
    /// The old epoch is returned, to be removed when there is time.
    ///
    /// # Errors
    /// [`NoImage`]: the journal goes on as it was, unless [`Journal::failure`] tells that it ended.
    pub fn switch(&mut self, imaging: Imaging) -> Result<Retired, NoImage> {
        self.alive()?;
        let from = imaging.from();
        let Some(mut made) = imaging.into_made().filter(|_| from == self.epoch) else {
            return Err(NoImage::Stopped);
        };
        // Until the new epoch is to be in charge, whatever fails leaves this one as it was.
        made.catch_up(&*self.store, from)?;
        if made.source != self.open.chain {
            let what = format!("{} is not what was written to it", self.store.name(from));
            self.last(Err(Failure::Broken(what)))?;
        }
        let charged = made.new.charge(self.fences_end);
        self.final_unless_full(charged)?;
        let mut open = made.keep();
        let synced = open.sync();
        self.last(synced)?;
        let old = std::mem::replace(&mut self.open, open);
        self.epoch = from + 1;
        self.commands = 0;
        Ok(Retired { store: self.store.clone(), log: Some(old.log), epoch: from })
    }

    fn alive(&self) -> Result<(), Failure> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn last(&mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        result.inspect_err(|failure| self.failure = Some(failure.clone()))
    }

    fn final_unless_full(&mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        if result == Err(Failure::Full) { result } else { self.last(result) }
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
