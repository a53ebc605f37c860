//! The store in memory, for tests: it can fail at any call and be slow to sync, and it tells what
//! a disk would have after a crash at any call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::store::{Draft, EachRow, Failure, Log, Store, Syncer, Tail};

/// A store in memory. Its clones are the same store.
#[derive(Clone, Default)]
pub struct Memory {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    disk: Disk,
    calls: u64,
    faults: Vec<Fault>,
    before_sync: Option<Hook>,
    /// What a look at what is open finds.
    sight: Option<Failure>,
    /// The disk after each call that may have changed it, if it is to be kept.
    past: Option<Vec<Disk>>,
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// A call that fails.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which, counted from 1 over all calls (see [`Memory::calls`]).
    pub call: u64,
    /// How.
    pub failure: Failure,
    /// Whether what was asked for is done all the same.
    pub is_done: bool,
}

/// What becomes, in a crash, of what was not yet durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Nothing stays; removed files are back.
    Lost,
    /// All stays, as when only the process ends.
    Kept,
    /// Some rows stay and the next is cut; the number draws where, and whether what is behind the
    /// cut stays.
    Torn(u64),
}

#[derive(Clone, Default)]
struct Disk {
    epochs: BTreeMap<u64, File>,
    /// Removed, but not yet durably.
    removed: BTreeMap<u64, File>,
}

#[derive(Clone, Default)]
struct File {
    rows: Vec<Arc<[u8]>>,
    /// So many rows are durable.
    synced: usize,
    /// What is behind the rows and cannot be read.
    junk: Vec<u8>,
}

impl Memory {
    /// A store with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many calls there were so far, of any kind.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.shared().calls
    }

    /// Lets a call fail.
    pub fn fail(&self, fault: Fault) {
        self.shared().faults.push(fault);
    }

    /// Calls `hook` before every sync of rows; as long as it takes, the sync takes.
    pub fn before_sync(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.shared().before_sync = Some(Arc::new(hook));
    }

    /// From now on whoever looks whether what is open is in place finds that.
    pub fn set_sight(&self, sight: Option<Failure>) {
        self.shared().sight = sight;
    }

    /// From now on keeps what the disk has after each call, for [`Memory::crashed`].
    pub fn keep_past(&self) {
        let mut shared = self.shared();
        let disk = shared.disk.clone();
        shared.past.get_or_insert(vec![disk]);
    }

    /// How many moments of the past are kept.
    #[must_use]
    pub fn moments(&self) -> usize {
        self.shared().past.as_ref().map_or(0, Vec::len)
    }

    /// What is left when the machine crashes at that moment of the past, counted from 0.
    #[must_use]
    pub fn crashed(&self, moment: usize, crash: Crash) -> Option<Self> {
        let disk = self.shared().past.as_ref()?.get(moment)?.crashed(crash);
        Some(Self::with(disk))
    }

    /// What is left when the machine crashes now.
    #[must_use]
    pub fn crash(&self, crash: Crash) -> Self {
        Self::with(self.shared().disk.crashed(crash))
    }

    /// Changes the bytes of a row, or takes it out when `change` says false; tells whether the row
    /// was there. Rows are counted from 1.
    pub fn alter(&self, epoch: u64, row: usize, change: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let mut shared = self.shared();
        let Some(file) = shared.disk.epochs.get_mut(&epoch) else { return false };
        let Some(place) = row.checked_sub(1).and_then(|at| file.rows.get_mut(at)) else {
            return false;
        };
        let mut bytes = place.to_vec();
        if change(&mut bytes) {
            *place = bytes.into();
        } else {
            file.rows.remove(row - 1);
        }
        true
    }

    fn with(disk: Disk) -> Self {
        let shared = Shared { disk, ..Shared::default() };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(&self, work: impl FnOnce(&mut Disk) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut shared = self.shared();
        let shared = &mut *shared;
        shared.calls += 1;
        let fault = shared.faults.iter().find(|fault| fault.call == shared.calls);
        if let Some(fault) = fault.filter(|fault| !fault.is_done) {
            return Err(fault.failure.clone());
        }
        let result = work(&mut shared.disk);
        if let Some(past) = &mut shared.past {
            past.push(shared.disk.clone());
        }
        fault.map_or(result, |fault| Err(fault.failure.clone()))
    }

    fn file<T>(&self, epoch: u64, work: impl FnOnce(&mut File) -> T) -> Result<T, Failure> {
        self.call(|disk| match disk.epochs.get_mut(&epoch) {
            Some(file) => Ok(work(file)),
            None => Err(Failure::Broken(format!("there is no epoch {epoch}"))),
        })
    }
}

impl Disk {
    fn crashed(&self, crash: Crash) -> Self {
        let mut disk = self.clone();
        let removed = std::mem::take(&mut disk.removed);
        if !matches!(crash, Crash::Kept | Crash::Torn(1..=2)) {
            disk.epochs.extend(removed);
        }
        disk.epochs.values_mut().for_each(|file| file.crash(crash));
        disk
    }
}

impl File {
    fn crash(&mut self, crash: Crash) {
        match crash {
            Crash::Kept => return,
            Crash::Lost => self.rows.truncate(self.synced),
            Crash::Torn(draw) => {
                let draw = usize::try_from(draw % 1_000_003).unwrap_or(0);
                let unsynced = self.rows.split_off(self.synced);
                let kept = draw % (unsynced.len() + 1);
                self.rows.extend_from_slice(&unsynced[..kept]);
                if let Some((cut, behind)) = unsynced[kept..].split_first() {
                    self.junk.extend_from_slice(&cut[..draw % cut.len()]);
                    if draw / 2 % 2 == 0 {
                        behind.iter().for_each(|row| self.junk.extend_from_slice(row));
                    }
                }
            }
        }
        self.synced = self.rows.len();
    }
}

impl Store for Memory {
    fn epochs(&self) -> Result<Vec<u64>, Failure> {
        self.call(|disk| Ok(disk.epochs.keys().copied().collect()))
    }

    fn name(&self, epoch: u64) -> String {
        format!("epoch {epoch}")
    }

    fn draft(&self, epoch: u64) -> Result<Box<dyn Draft>, Failure> {
        self.call(|_| Ok(()))?;
        Ok(Box::new(MemoryDraft { memory: self.clone(), epoch, rows: Vec::new() }))
    }

    fn open(&self, epoch: u64) -> Result<Box<dyn Log>, Failure> {
        self.file(epoch, |file| file.junk.clear())?;
        Ok(Box::new(MemoryLog { memory: self.clone(), epoch }))
    }

    fn rows(&self, epoch: u64, after: u64, each: &mut EachRow<'_>) -> Result<(), Failure> {
        let rows = self.file(epoch, |file| file.rows.clone())?;
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        for (number, row) in (1..).zip(&rows).skip(after) {
            if each(number, row).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn inspect(&self, epoch: u64, scrap: &mut dyn FnMut(&[u8])) -> Result<Option<Tail>, Failure> {
        let file = self.name(epoch);
        let (junk, offset) = self.file(epoch, |file| (file.junk.clone(), file.bytes()))?;
        scrap(&junk);
        let bytes = junk.len() as u64;
        Ok((bytes > 0).then_some(Tail { file, offset, bytes }))
    }

    fn verify(&self, epoch: u64) -> Result<(), Failure> {
        self.file(epoch, |_| ())
    }

    fn remove(&self, epoch: u64) -> Result<(), Failure> {
        self.call(|disk| {
            disk.removed.extend(disk.epochs.remove_entry(&epoch));
            Ok(())
        })
    }

    fn set_aside(&self, epoch: u64) -> Result<String, Failure> {
        self.call(|disk| {
            disk.epochs.remove(&epoch);
            Ok(format!("epoch {epoch}, damaged"))
        })
    }
}

impl File {
    fn bytes(&self) -> u64 {
        self.rows.iter().map(|row| row.len() as u64).sum()
    }
}

struct MemoryDraft {
    memory: Memory,
    epoch: u64,
    rows: Vec<Arc<[u8]>>,
}

impl Draft for MemoryDraft {
    fn append(&mut self, row: &[u8]) -> Result<(), Failure> {
        let Self { memory, rows, .. } = self;
        memory.call(|_| {
            rows.push(row.into());
            Ok(())
        })
    }

    fn complete(self: Box<Self>, first: &[u8]) -> Result<Box<dyn Log>, Failure> {
        let Self { memory, epoch, mut rows } = *self;
        rows.push(first.into());
        let synced = rows.len();
        memory.call(|disk| {
            disk.epochs.insert(epoch, File { rows, synced, junk: Vec::new() });
            // The directory is synced with it.
            disk.removed.clear();
            Ok(())
        })?;
        Ok(Box::new(MemoryLog { memory, epoch }))
    }
}

struct MemoryLog {
    memory: Memory,
    epoch: u64,
}

impl Log for MemoryLog {
    fn append(&mut self, rows: &[&[u8]]) -> Result<(), Failure> {
        self.memory.file(self.epoch, |file| file.rows.extend(rows.iter().map(|&row| row.into())))
    }

    fn sync(&mut self) -> Result<(), Failure> {
        self.syncer().sync()
    }

    fn syncer(&self) -> Box<dyn Syncer> {
        let (memory, epoch, rows) = (self.memory.clone(), self.epoch, self.rows());
        Box::new(MemorySyncer { memory, epoch, rows })
    }

    fn rows(&self) -> u64 {
        let shared = self.memory.shared();
        shared.disk.epochs.get(&self.epoch).map_or(0, |file| file.rows.len() as u64)
    }

    fn size_bytes(&self) -> u64 {
        let shared = self.memory.shared();
        shared.disk.epochs.get(&self.epoch).map_or(0, File::bytes)
    }

    fn in_place(&self) -> Result<(), Failure> {
        self.memory.shared().sight.clone().map_or(Ok(()), Err)
    }
}

struct MemorySyncer {
    memory: Memory,
    epoch: u64,
    rows: u64,
}

impl Syncer for MemorySyncer {
    fn sync(self: Box<Self>) -> Result<(), Failure> {
        let hook = self.memory.shared().before_sync.clone();
        if let Some(hook) = hook {
            hook();
        }
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        self.memory.file(self.epoch, |file| {
            file.synced = file.synced.max(rows.min(file.rows.len()));
        })
    }
}
