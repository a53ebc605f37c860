//! What the journal asks of a disk, in a few verbs. An *epoch* is one file of rows, numbered from
//! 1 in the order in which they were appended. What a row means is nothing to the store.

use std::fmt;
use std::ops::ControlFlow;

/// Called with the number and the bytes of a row; may say that it has seen enough.
pub type EachRow<'a> = dyn FnMut(u64, &[u8]) -> ControlFlow<()> + 'a;

/// A place for epochs. One process at a time has it.
pub trait Store: Send + Sync {
    /// The epochs that are there, ascending. Drafts are not.
    ///
    /// # Errors
    /// [`Failure`] when the place cannot be read.
    fn epochs(&self) -> Result<Vec<u64>, Failure>;

    /// What the epoch's file is called, for people.
    fn name(&self, epoch: u64) -> String;

    /// Begins a new epoch, which is not there until it is complete. An earlier draft of it is
    /// dropped.
    ///
    /// # Errors
    /// [`Failure`] when that is not possible.
    fn draft(&self, epoch: u64) -> Result<Box<dyn Draft>, Failure>;

    /// Opens an epoch to append to it. What [`Store::inspect`] finds behind its rows is dropped.
    ///
    /// # Errors
    /// [`Failure`] when that is not possible.
    fn open(&self, epoch: u64) -> Result<Box<dyn Log>, Failure>;

    /// Gives the rows after the row `after`, in order; also of an epoch that is being appended
    /// to, as far as it had come.
    ///
    /// # Errors
    /// [`Failure::Corrupt`] when the file is not what it should be, behind the rows given so far;
    /// others when it cannot be read.
    fn rows(&self, epoch: u64, after: u64, each: &mut EachRow<'_>) -> Result<(), Failure>;

    /// Looks at what [`Store::rows`] passes over in silence: bytes at the end which are no
    /// readable rows. `scrap` is given them, in pieces that overlap enough for every
    /// [`SCRAP_BYTES`] of them to be in one piece. Not for an epoch that is open, and to be called
    /// before it is read or opened.
    ///
    /// # Errors
    /// [`Failure::Corrupt`] when the file is not an epoch's at all; others when it cannot be read.
    fn inspect(&self, epoch: u64, scrap: &mut dyn FnMut(&[u8])) -> Result<Option<Tail>, Failure>;

    /// Whether the epoch's file is sound in what its rows do not show, so that it can be appended
    /// to. Not for an epoch that is open.
    ///
    /// # Errors
    /// [`Failure::Corrupt`] when it is not.
    fn verify(&self, epoch: u64) -> Result<(), Failure>;

    /// Removes an epoch.
    ///
    /// # Errors
    /// [`Failure`] when that is not possible.
    fn remove(&self, epoch: u64) -> Result<(), Failure>;

    /// Keeps an epoch's file, but under another name, which is returned.
    ///
    /// # Errors
    /// [`Failure`] when that is not possible.
    fn set_aside(&self, epoch: u64) -> Result<String, Failure>;
}

/// Everything in so many bytes of a scrap is seen in one piece.
pub const SCRAP_BYTES: usize = 128;

/// An epoch in the making. Dropped, it leaves nothing that counts.
pub trait Draft: Send {
    /// Appends a row.
    ///
    /// # Errors
    /// Any [`Failure`] spoils the draft, and only the draft.
    fn append(&mut self, row: &[u8]) -> Result<(), Failure>;

    /// Makes all rows durable, then `first` as the first of the rows that are appended from now
    /// on, then the epoch's name: from here on it is there.
    ///
    /// # Errors
    /// Any [`Failure`]; then the epoch may be there or not.
    fn complete(self: Box<Self>, first: &[u8]) -> Result<Box<dyn Log>, Failure>;
}

/// An epoch that is appended to.
pub trait Log: Send {
    /// Appends rows, all or none. They survive the process, but not yet the machine.
    ///
    /// # Errors
    /// [`Failure::Full`] when it is as if nothing had been asked; any other is final.
    fn append(&mut self, rows: &[&[u8]]) -> Result<(), Failure>;

    /// Makes durable what was appended.
    ///
    /// # Errors
    /// Any [`Failure`] is final: what was appended may be lost, and another sync would not tell.
    fn sync(&mut self) -> Result<(), Failure>;

    /// What makes durable, from another thread and without stopping appends, the rows that there
    /// are at this moment.
    fn syncer(&self) -> Box<dyn Syncer>;

    /// The last row.
    fn rows(&self) -> u64;

    /// How large the epoch is on disk.
    fn size_bytes(&self) -> u64;

    /// Whether a restart would find what is appended here: the files still have their names, and
    /// the place is still this process's.
    ///
    /// # Errors
    /// [`Failure::Gone`] when it would not, which is final; any other when that cannot be seen now.
    fn in_place(&self) -> Result<(), Failure>;
}

/// A sync to come.
pub trait Syncer: Send {
    /// Makes durable what was appended before this was made.
    ///
    /// # Errors
    /// As [`Log::sync`].
    fn sync(self: Box<Self>) -> Result<(), Failure>;
}

/// Bytes behind the last row that are no readable rows.
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
pub enum Failure {
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

impl fmt::Display for Failure {
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

impl std::error::Error for Failure {}
