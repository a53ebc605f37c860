//! Writing an image while the journal goes on. The image is made by replaying what is on disk into
//! a machine of its own, so nothing is copied from the one that serves and nobody waits. The new
//! epoch takes over what is appended meanwhile; only the last few rows are left to the switch.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use super::codec::encode_image;
use super::reading::Reading;
use super::rows::{Broken, Chain, Kind};
use super::store::{Draft, Failure, Log, Store};
use crate::machine::Image;

/// Rows that may be left to the switch.
const LEFT_MAX: u64 = 32;
/// Rows that are copied in one go, and bytes.
const COPIED_ROWS: usize = 256;
const COPIED_BYTES: usize = 1 << 20;

/// An image under way. It may run in a thread of its own.
pub struct Imaging {
    store: Arc<dyn Store>,
    from: u64,
    to: u64,
    identity: u64,
    stop: Arc<AtomicBool>,
    made: Option<Copying>,
    /// There is one of it as long as this image is the journal's only one.
    only: Arc<()>,
}

/// Why there is no new image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoImage {
    /// It was told to stop.
    Stopped,
    /// The store failed. The journal is none the worse.
    Failed(Failure),
}

impl From<Failure> for NoImage {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Imaging {
    pub(super) fn new(store: Arc<dyn Store>, from: u64, identity: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self { store, from, to: from + 1, identity, stop, made: None, only: Arc::new(()) }
    }

    /// What to set to end [`Imaging::run`] soon.
    #[must_use]
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// The epoch that the image begins.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.to
    }

    /// Writes the image and all but a few of the rows that came meanwhile. Takes its time.
    ///
    /// # Errors
    /// [`NoImage`]; the journal is none the worse.
    pub fn run(&mut self) -> Result<(), NoImage> {
        let stop = self.stop.clone();
        let stopped = move || stop.load(Ordering::Relaxed);
        let mut source = Reading::new(&*self.store, self.from);
        source.go_on(&*self.store, &mut || stopped())?;
        if let Some(damage) = source.damage {
            return Err(NoImage::Failed(Failure::Corrupt(damage.to_string())));
        }
        let Some(machine) = source.machine.filter(|_| !stopped()) else {
            return Err(NoImage::Stopped);
        };
        let image = machine.image();
        drop(machine);
        // From here on, what is not put in charge is removed again.
        let unused = Unused { store: self.store.clone(), epoch: self.to, keep: false };
        unused.remove()?;
        let mut epoch = NewEpoch::draft(&*self.store, self.to, self.identity)?;
        epoch.image(&image, source.fences_end, &stopped)?;
        drop(image);
        let new = epoch.complete(Kind::Waiting, source.fences_end)?;
        let (source, fences_end) = (source.chain, source.fences_end);
        let mut copying = Copying { new, unused, source, fences_end };
        loop {
            let copied = copying.catch_up(&*self.store, self.from)?;
            copying.new.sync()?;
            if stopped() {
                return Err(NoImage::Stopped);
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

/// An epoch whose image is being written.
pub(super) struct NewEpoch {
    draft: Box<dyn Draft>,
    chain: Chain,
    bytes: u64,
    row: Vec<u8>,
}

impl NewEpoch {
    pub(super) fn draft(store: &dyn Store, epoch: u64, identity: u64) -> Result<Self, Failure> {
        let (draft, chain) = (store.draft(epoch)?, Chain::new(identity));
        Ok(Self { draft, chain, bytes: 0, row: Vec::new() })
    }

    pub(super) fn image(
        &mut self,
        image: &Image,
        fences_end: u64,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), NoImage> {
        encode_image(image, |payload| {
            if stopped() {
                return Err(NoImage::Stopped);
            }
            let kind = if self.chain.number == 0 { Kind::Image } else { Kind::Part };
            Ok(self.append(kind, fences_end, payload)?)
        })?;
        Ok(self.append(Kind::End, fences_end, &[])?)
    }

    fn append(&mut self, kind: Kind, fences_end: u64, payload: &[u8]) -> Result<(), Failure> {
        let chain = self.chain.write((kind, 0, fences_end), payload, &mut self.row);
        self.draft.append(&self.row)?;
        self.chain = chain;
        self.bytes += self.row.len() as u64;
        Ok(())
    }

    /// Makes it durable, with one more row, which says whether the epoch is in charge.
    pub(super) fn complete(mut self, kind: Kind, fences_end: u64) -> Result<Open, Failure> {
        let head = (kind, self.chain.number, fences_end);
        let image_rows = self.chain.number;
        let chain = self.chain.write(head, &[], &mut self.row);
        let log = self.draft.complete(&self.row)?;
        let (synced, image_bytes) = (chain.number, self.bytes);
        Ok(Open { log, chain, synced, image_bytes, image_rows })
    }
}

/// An epoch that is appended to.
pub(super) struct Open {
    pub(super) log: Box<dyn Log>,
    pub(super) chain: Chain,
    /// The last row that is durable.
    pub(super) synced: u64,
    pub(super) image_bytes: u64,
    pub(super) image_rows: u64,
}

impl Open {
    /// Appends what puts the epoch in charge.
    pub(super) fn charge(&mut self, fences_end: u64) -> Result<(), Failure> {
        let mut row = Vec::new();
        let chain = self.chain.write((Kind::Charge, self.synced, fences_end), &[], &mut row);
        self.log.append(&[&row])?;
        self.chain = chain;
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), Failure> {
        if self.synced < self.chain.number {
            self.log.sync().map_err(not_full)?;
            self.synced = self.chain.number;
        }
        Ok(())
    }
}

/// Removes an epoch that was not put in charge.
struct Unused {
    store: Arc<dyn Store>,
    epoch: u64,
    keep: bool,
}

impl Unused {
    fn remove(&self) -> Result<(), Failure> {
        if self.store.epochs()?.contains(&self.epoch) {
            self.store.remove(self.epoch)?;
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
pub(super) fn not_full(failure: Failure) -> Failure {
    match failure {
        Failure::Full => Failure::Broken("the disk is full, as a sync tells".to_owned()),
        other => other,
    }
}

/// A new epoch that follows an old one. Dropped, it is removed.
pub(super) struct Copying {
    pub(super) new: Open,
    unused: Unused,
    /// How far the old one was read.
    pub(super) source: Chain,
    fences_end: u64,
}

/// Batches of the old epoch, as rows of the new.
struct Copied {
    rows: Vec<Vec<u8>>,
    bytes: usize,
    chain: Chain,
    source: Chain,
    fences_end: u64,
}

impl Copied {
    fn is_full(&self) -> bool {
        self.rows.len() >= COPIED_ROWS || self.bytes >= COPIED_BYTES
    }

    fn add(&mut self, row: &[u8], synced: u64) -> Result<(), Broken> {
        let (head, payload) = self.source.read(row)?;
        if head.kind == Kind::Batch {
            let mut row = Vec::new();
            self.fences_end = head.fences_end.max(self.fences_end);
            let head = (Kind::Batch, synced, self.fences_end);
            self.chain = self.chain.write(head, payload, &mut row);
            self.bytes += row.len();
            self.rows.push(row);
        }
        Ok(())
    }
}

impl Copying {
    /// Appends the batches that the old epoch has and this one has not. Returns how many.
    pub(super) fn catch_up(&mut self, store: &dyn Store, from: u64) -> Result<u64, Failure> {
        let before = self.source.number;
        loop {
            let Self { source, fences_end, .. } = *self;
            let (chain, synced) = (self.new.chain, self.new.synced);
            let mut copied = Copied { rows: Vec::new(), bytes: 0, chain, source, fences_end };
            let mut broken = None;
            store.rows(from, source.number, &mut |_, row| {
                broken = copied.add(row, synced).err();
                if broken.is_some() || copied.is_full() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })?;
            if let Some(broken) = broken {
                let (file, row) = (store.name(from), copied.source.number + 1);
                return Err(Failure::Corrupt(format!("row {row} of {file} {broken}")));
            }
            if !copied.rows.is_empty() {
                let rows: Vec<&[u8]> = copied.rows.iter().map(Vec::as_slice).collect();
                self.new.log.append(&rows)?;
            }
            let is_last = !copied.is_full();
            (self.new.chain, self.source) = (copied.chain, copied.source);
            self.fences_end = copied.fences_end;
            if is_last {
                return Ok(self.source.number - before);
            }
        }
    }

    /// It is in charge, or may be.
    pub(super) fn keep(mut self) -> Open {
        self.unused.keep = true;
        self.new
    }
}
