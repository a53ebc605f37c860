//! What the journal asks of a disk, in a few verbs. A *segment* is one file of records, numbered
//! from 1 in the order in which they were appended. What a record means is nothing to the store.

use std::fmt;
use std::ops::ControlFlow;

/// Called with the number and the bytes of a record; may say that it has seen enough.
pub type EachRecord<'a> = dyn FnMut(u64, &[u8]) -> ControlFlow<()> + 'a;

/// A place for segments. One process at a time has it.
pub trait Store: Send + Sync {
    /// The segments that are there, ascending. Drafts are not.
    ///
    /// # Errors
    /// [`StorageFailure`] when the place cannot be read.
    fn segments(&self) -> Result<Vec<u64>, StorageFailure>;

    /// What the segment's file is called, for people.
    fn name(&self, segment: u64) -> String;

    /// Begins a new segment, which is not there until it is complete. An earlier draft of it is
    /// dropped.
    ///
    /// # Errors
    /// [`StorageFailure`] when that is not possible.
    fn draft(&self, segment: u64) -> Result<Box<dyn Draft>, StorageFailure>;

    /// Opens a segment to append to it. What [`Store::inspect`] finds behind its records is
    /// dropped.
    ///
    /// # Errors
    /// [`StorageFailure`] when that is not possible.
    fn open(&self, segment: u64) -> Result<Box<dyn SegmentLog>, StorageFailure>;

    /// Gives the records after the record `after`, in order; also of a segment that is being
    /// appended to, as far as it had come.
    ///
    /// # Errors
    /// [`StorageFailure::Corrupt`] when the file is not what it should be, behind the records given
    /// so far; others when it cannot be read.
    fn records(
        &self,
        segment: u64,
        after: u64,
        each: &mut EachRecord<'_>,
    ) -> Result<(), StorageFailure>;

    /// Looks at what [`Store::records`] passes over in silence: bytes at the end which are no
    /// readable records. `torn` is given them, in pieces that overlap enough for every
    /// [`TORN_TAIL_OVERLAP_BYTES`] of them to be in one piece. Not for a segment that is open, and
    /// to be called before it is read or opened.
    ///
    /// # Errors
    /// [`StorageFailure::Corrupt`] when the file is not a segment's at all; others when it cannot
    /// be read.
    fn inspect(
        &self,
        segment: u64,
        torn: &mut dyn FnMut(&[u8]),
    ) -> Result<Option<Tail>, StorageFailure>;

    /// Whether the segment's file is sound in what its records do not show, so that it can be
    /// appended to. Not for a segment that is open.
    ///
    /// # Errors
    /// [`StorageFailure::Corrupt`] when it is not.
    fn verify(&self, segment: u64) -> Result<(), StorageFailure>;

    /// Removes a segment.
    ///
    /// # Errors
    /// [`StorageFailure`] when that is not possible.
    fn remove(&self, segment: u64) -> Result<(), StorageFailure>;

    /// Keeps a segment's file, but under another name, which is returned.
    ///
    /// # Errors
    /// [`StorageFailure`] when that is not possible.
    fn quarantine(&self, segment: u64) -> Result<String, StorageFailure>;
}

/// Everything in so many bytes of a torn is seen in one piece.
pub const TORN_TAIL_OVERLAP_BYTES: usize = 128;

/// A segment in the making. Dropped, it leaves nothing that counts.
pub trait Draft: Send {
    /// Appends a record.
    ///
    /// # Errors
    /// Any [`StorageFailure`] spoils the draft, and only the draft.
    fn append(&mut self, record: &[u8]) -> Result<(), StorageFailure>;

    /// Makes all records durable, then `first` as the first of the records that are appended from
    /// now on, then the segment's name: from here on it is there.
    ///
    /// # Errors
    /// Any [`StorageFailure`]; then the segment may be there or not.
    fn complete(self: Box<Self>, first: &[u8]) -> Result<Box<dyn SegmentLog>, StorageFailure>;
}

/// A segment that is appended to.
pub trait SegmentLog: Send {
    /// Appends records, all or none. They survive the process, but not yet the machine.
    ///
    /// # Errors
    /// [`StorageFailure::Full`] when it is as if nothing had been asked; any other is final.
    fn append(&mut self, records: &[&[u8]]) -> Result<(), StorageFailure>;

    /// Makes durable what was appended.
    ///
    /// # Errors
    /// Any [`StorageFailure`] is final: what was appended may be lost, and another sync would not
    /// tell.
    fn sync(&mut self) -> Result<(), StorageFailure>;

    /// What makes durable, from another thread and without stopping appends, the records that there
    /// are at this moment.
    fn syncer(&self) -> Box<dyn Syncer>;

    /// The last record.
    fn records(&self) -> u64;

    /// How large the segment is on disk.
    fn size_bytes(&self) -> u64;

    /// Whether a restart would find what is appended here: the files still have their names, and
    /// the place is still this process's.
    ///
    /// # Errors
    /// [`StorageFailure::Gone`] when it would not, which is final; any other when that cannot be
    /// seen now.
    fn in_place(&self) -> Result<(), StorageFailure>;
}

/// A sync to come.
pub trait Syncer: Send {
    /// Makes durable what was appended before this was made.
    ///
    /// # Errors
    /// As [`SegmentLog::sync`].
    fn sync(self: Box<Self>) -> Result<(), StorageFailure>;
}

/// Bytes behind the last record that are no readable records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The file that has them.
    pub file: String,
    /// Where in it they begin.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of {} from byte {}", self.bytes, self.file, self.offset)
    }
}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageFailure {
    /// The disk is full, and what was asked for has been undone: the same may be tried again.
    Full,
    /// Another process has the place.
    InUse(String),
    /// The place is not ours to use.
    Denied(String),
    /// The file is not what it should be.
    Corrupt(String),
    /// The file is no longer where it was: what is written to it is lost.
    Gone(String),
    /// Anything else. What is on disk is in doubt.
    Broken(String),
}

impl fmt::Display for StorageFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full"),
            Self::InUse(place) => write!(f, "another server uses {place}"),
            Self::Denied(what) | Self::Corrupt(what) | Self::Gone(what) | Self::Broken(what) => {
                f.write_str(what)
            }
        }
    }
}

impl std::error::Error for StorageFailure {}
