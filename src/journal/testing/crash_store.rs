//! The store in memory, for tests: it can fail at any call and be slow to sync, and it tells what
//! a disk would have after a crash at any call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::journal::storage::{Draft, EachRecord, SegmentLog, StorageFailure, Store, Syncer, Tail};

/// A store in memory. Its clones are the same store.
#[derive(Clone, Default)]
pub struct CrashStore {
    shared: Arc<Mutex<SharedDisk>>,
}

#[derive(Default)]
struct SharedDisk {
    disk: Disk,
    calls: u64,
    faults: Vec<Fault>,
    before_sync: Option<Hook>,
    /// What a look at what is open finds.
    sight: Option<StorageFailure>,
    /// The disk after each call that may have changed it, if it is to be kept.
    past: Option<Vec<Disk>>,
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// A call that fails.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which, counted from 1 over all calls (see [`CrashStore::calls`]).
    pub call: u64,
    /// How.
    pub failure: StorageFailure,
    /// Whether what was asked for is done all the same.
    pub is_done: bool,
}

/// What becomes, in a crash, of what was not yet durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Nothing stays; removed files are back.
    Lost,
    /// All stays, as when only the process ends.
    PersistenceStatus,
    /// Some records stay and the next is cut; the number draws where, and whether what is behind
    /// the cut stays.
    Torn(u64),
}

#[derive(Clone, Default)]
struct Disk {
    segments: BTreeMap<u64, File>,
    /// Removed, but not yet durably.
    removed: BTreeMap<u64, File>,
}

#[derive(Clone, Default)]
struct File {
    records: Vec<Arc<[u8]>>,
    /// So many records are durable.
    synced: usize,
    /// What is behind the records and cannot be read.
    junk: Vec<u8>,
}

impl CrashStore {
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

    /// Calls `hook` before every sync of records; as long as it takes, the sync takes.
    pub fn before_sync(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.shared().before_sync = Some(Arc::new(hook));
    }

    /// From now on whoever looks whether what is open is in place finds that.
    pub fn set_sight(&self, sight: Option<StorageFailure>) {
        self.shared().sight = sight;
    }

    /// From now on keeps what the disk has after each call, for [`CrashStore::crashed`].
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

    /// Changes the bytes of a record, or takes it out when `change` says false; tells whether the
    /// record was there. Records are counted from 1.
    pub fn alter(
        &self,
        segment: u64,
        record: usize,
        change: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        let mut shared = self.shared();
        let Some(file) = shared.disk.segments.get_mut(&segment) else { return false };
        let Some(place) = record.checked_sub(1).and_then(|at| file.records.get_mut(at)) else {
            return false;
        };
        let mut bytes = place.to_vec();
        if change(&mut bytes) {
            *place = bytes.into();
        } else {
            file.records.remove(record - 1);
        }
        true
    }

    fn with(disk: Disk) -> Self {
        let shared = SharedDisk { disk, ..SharedDisk::default() };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    fn shared(&self) -> MutexGuard<'_, SharedDisk> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(
        &self,
        work: impl FnOnce(&mut Disk) -> Result<T, StorageFailure>,
    ) -> Result<T, StorageFailure> {
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

    fn file<T>(
        &self,
        segment: u64,
        work: impl FnOnce(&mut File) -> T,
    ) -> Result<T, StorageFailure> {
        self.call(|disk| match disk.segments.get_mut(&segment) {
            Some(file) => Ok(work(file)),
            None => Err(StorageFailure::Broken(format!("there is no segment {segment}"))),
        })
    }
}

impl Disk {
    fn crashed(&self, crash: Crash) -> Self {
        let mut disk = self.clone();
        let removed = std::mem::take(&mut disk.removed);
        if !matches!(crash, Crash::PersistenceStatus | Crash::Torn(1..=2)) {
            disk.segments.extend(removed);
        }
        disk.segments.values_mut().for_each(|file| file.crash(crash));
        disk
    }
}

impl File {
    fn crash(&mut self, crash: Crash) {
        match crash {
            Crash::PersistenceStatus => return,
            Crash::Lost => self.records.truncate(self.synced),
            Crash::Torn(draw) => {
                let draw = usize::try_from(draw % 1_000_003).unwrap_or(0);
                let unsynced = self.records.split_off(self.synced);
                let kept = draw % (unsynced.len() + 1);
                self.records.extend_from_slice(&unsynced[..kept]);
                if let Some((cut, behind)) = unsynced[kept..].split_first() {
                    self.junk.extend_from_slice(&cut[..draw % cut.len()]);
                    if draw / 2 % 2 == 0 {
                        behind.iter().for_each(|record| self.junk.extend_from_slice(record));
                    }
                }
            }
        }
        self.synced = self.records.len();
    }
}

impl Store for CrashStore {
    fn segments(&self) -> Result<Vec<u64>, StorageFailure> {
        self.call(|disk| Ok(disk.segments.keys().copied().collect()))
    }

    fn name(&self, segment: u64) -> String {
        format!("segment {segment}")
    }

    fn draft(&self, segment: u64) -> Result<Box<dyn Draft>, StorageFailure> {
        self.call(|_| Ok(()))?;
        Ok(Box::new(CrashDraft { memory: self.clone(), segment, records: Vec::new() }))
    }

    fn open(&self, segment: u64) -> Result<Box<dyn SegmentLog>, StorageFailure> {
        self.file(segment, |file| file.junk.clear())?;
        Ok(Box::new(CrashLog { memory: self.clone(), segment }))
    }

    fn records(
        &self,
        segment: u64,
        after: u64,
        each: &mut EachRecord<'_>,
    ) -> Result<(), StorageFailure> {
        let records = self.file(segment, |file| file.records.clone())?;
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        for (number, record) in (1..).zip(&records).skip(after) {
            if each(number, record).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn inspect(
        &self,
        segment: u64,
        torn: &mut dyn FnMut(&[u8]),
    ) -> Result<Option<Tail>, StorageFailure> {
        let file = self.name(segment);
        let (junk, offset) = self.file(segment, |file| (file.junk.clone(), file.bytes()))?;
        torn(&junk);
        let bytes = junk.len() as u64;
        Ok((bytes > 0).then_some(Tail { file, offset, bytes }))
    }

    fn verify(&self, segment: u64) -> Result<(), StorageFailure> {
        self.file(segment, |_| ())
    }

    fn remove(&self, segment: u64) -> Result<(), StorageFailure> {
        self.call(|disk| {
            disk.removed.extend(disk.segments.remove_entry(&segment));
            Ok(())
        })
    }

    fn quarantine(&self, segment: u64) -> Result<String, StorageFailure> {
        self.call(|disk| {
            disk.segments.remove(&segment);
            Ok(format!("segment {segment}, damaged"))
        })
    }
}

impl File {
    fn bytes(&self) -> u64 {
        self.records.iter().map(|record| record.len() as u64).sum()
    }
}

struct CrashDraft {
    memory: CrashStore,
    segment: u64,
    records: Vec<Arc<[u8]>>,
}

impl Draft for CrashDraft {
    fn append(&mut self, record: &[u8]) -> Result<(), StorageFailure> {
        let Self { memory, records, .. } = self;
        memory.call(|_| {
            records.push(record.into());
            Ok(())
        })
    }

    fn complete(self: Box<Self>, first: &[u8]) -> Result<Box<dyn SegmentLog>, StorageFailure> {
        let Self { memory, segment, mut records } = *self;
        records.push(first.into());
        let synced = records.len();
        memory.call(|disk| {
            disk.segments.insert(segment, File { records, synced, junk: Vec::new() });
            // The directory is synced with it.
            disk.removed.clear();
            Ok(())
        })?;
        Ok(Box::new(CrashLog { memory, segment }))
    }
}

struct CrashLog {
    memory: CrashStore,
    segment: u64,
}

impl SegmentLog for CrashLog {
    fn append(&mut self, records: &[&[u8]]) -> Result<(), StorageFailure> {
        self.memory.file(self.segment, |file| {
            file.records.extend(records.iter().map(|&record| record.into()))
        })
    }

    fn sync(&mut self) -> Result<(), StorageFailure> {
        self.syncer().sync()
    }

    fn syncer(&self) -> Box<dyn Syncer> {
        let (memory, segment, records) = (self.memory.clone(), self.segment, self.records());
        Box::new(CrashSyncer { memory, segment, records })
    }

    fn records(&self) -> u64 {
        let shared = self.memory.shared();
        shared.disk.segments.get(&self.segment).map_or(0, |file| file.records.len() as u64)
    }

    fn size_bytes(&self) -> u64 {
        let shared = self.memory.shared();
        shared.disk.segments.get(&self.segment).map_or(0, File::bytes)
    }

    fn in_place(&self) -> Result<(), StorageFailure> {
        self.memory.shared().sight.clone().map_or(Ok(()), Err)
    }
}

struct CrashSyncer {
    memory: CrashStore,
    segment: u64,
    records: u64,
}

impl Syncer for CrashSyncer {
    fn sync(self: Box<Self>) -> Result<(), StorageFailure> {
        let hook = self.memory.shared().before_sync.clone();
        if let Some(hook) = hook {
            hook();
        }
        let records = usize::try_from(self.records).unwrap_or(usize::MAX);
        self.memory.file(self.segment, |file| {
            file.synced = file.synced.max(records.min(file.records.len()));
        })
    }
}
