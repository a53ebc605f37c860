//! The journal at work: appended to, synced, and now and then switched to a new image.

use std::sync::{Arc, Weak};

use super::codec::put_number;
use super::imaging::{Imaging, NoImage, Open, not_full};
use super::opening::Options;
use super::rows::Kind;
use super::store::{Failure, Log, Store, Syncer};
use crate::machine::NUMBER_END;

/// So many fences beyond the next are reserved at a time.
pub const FENCES_RESERVED: u64 = 1 << 20;

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
    /// Images begun, and the one under way.
    images: u64,
    imaging: Weak<()>,
    /// The first final failure. From then on nothing is done any more.
    failure: Option<Failure>,
    payload: Vec<u8>,
    row: Vec<u8>,
}

/// A sync that is to run elsewhere.
pub struct Syncing {
    syncer: Box<dyn Syncer>,
    epoch: u64,
    up_to: u64,
}

/// A sync that has run. It counts when the journal knows of it.
#[must_use = "the journal must know, above all when it failed"]
#[derive(Debug)]
pub struct Synced {
    epoch: u64,
    up_to: u64,
    result: Result<(), Failure>,
}

impl Syncing {
    /// Waits for the disk.
    pub fn run(self) -> Synced {
        let Self { syncer, epoch, up_to } = self;
        Synced { epoch, up_to, result: syncer.sync().map_err(not_full) }
    }
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
    /// A journal that goes on in `epoch`, which has so many commands behind its image.
    pub(super) fn new(
        (store, options): (Arc<dyn Store>, Options),
        epoch: u64,
        open: Open,
        fences_end: u64,
        commands: u64,
    ) -> Self {
        let (payload, row) = (Vec::new(), Vec::new());
        let (images, imaging, failure) = (0, Weak::new(), None);
        Self {
            store,
            options,
            epoch,
            open,
            fences_end,
            commands,
            images,
            imaging,
            failure,
            payload,
            row,
        }
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
            batch.next_fence.saturating_add(FENCES_RESERVED).min(NUMBER_END)
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

    /// Begins to make durable what was appended so far, to be run elsewhere while this goes on.
    ///
    /// # Errors
    /// Any [`Failure`] that ended the journal before.
    pub fn begin_sync(&self) -> Result<Syncing, Failure> {
        self.alive()?;
        let (epoch, up_to) = (self.epoch, self.open.chain.number);
        Ok(Syncing { syncer: self.open.log.syncer(), epoch, up_to })
    }

    /// Takes note of a sync that has run: what had been appended when it began is durable.
    ///
    /// # Errors
    /// Any [`Failure`] is final.
    pub fn end_sync(&mut self, synced: Synced) -> Result<(), Failure> {
        self.alive()?;
        if synced.epoch == self.epoch {
            self.last(synced.result)?;
            self.open.synced = self.open.synced.max(synced.up_to);
        } else if !matches!(synced.result, Err(Failure::Gone(_))) {
            // An epoch that is no longer in charge is removed, also while it is synced.
            self.last(synced.result)?;
        }
        Ok(())
    }

    /// Looks whether a restart would find what is appended here. It changes nothing.
    ///
    /// # Errors
    /// [`Failure::Gone`] is final. Any other only says that it could not be seen, unless
    /// [`Journal::failure`] tells that the journal ended.
    pub fn look(&mut self) -> Result<(), Failure> {
        self.alive()?;
        match self.open.log.in_place() {
            Err(Failure::Gone(what)) => self.last(Err(Failure::Gone(what))),
            seen => seen,
        }
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

    /// Begins a new image, to be run elsewhere while this goes on; `None` while there is another.
    pub fn begin_image(&mut self) -> Option<Imaging> {
        if self.imaging.strong_count() > 0 {
            return None;
        }
        self.images += 1;
        let identity = self.options.identity_of(self.epoch + 1, self.images);
        let imaging = Imaging::new(self.store.clone(), self.epoch, identity);
        self.imaging = imaging.only();
        Some(imaging)
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
        let charged = self.final_unless_full(made.new.charge(self.fences_end));
        if charged == Err(Failure::Full) {
            return Err(NoImage::Failed(Failure::Full));
        }
        // Now it is in charge, or may be.
        let mut open = made.keep();
        charged?;
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
