//! What the driver needs of a log: the order of commands, and that what is in it is not lost.

use std::fmt;

/// Whether commands are applied before they are in the log or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A command is applied, and what it says waits until it is in the log: so with a log of one's
    /// own, which can be given what changed something only.
    ApplyFirst,
    /// A command is in the log, and is applied when its turn comes there: so with a log that others
    /// append to. It has refused commands, too.
    AppendFirst,
}

/// A place in the log: the number of a batch, from 1 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub u64);

/// Commands that are appended together.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The commands, one behind the other, by [`super::codec::encode_command`].
    pub commands: &'a [u8],
    /// How many.
    pub count: u32,
    /// The machine's next fence, as far as it is known: with [`Order::ApplyFirst`] that behind all
    /// of them.
    pub next_fence: u64,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where it stands.
    pub position: Position,
    /// Whether it is durable, and all before it. It may be without being asked to.
    pub synced: bool,
}

/// Why a log did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFailure {
    /// It has no room, and what was asked for has been undone: the same may be asked again.
    Full,
    /// It cannot be reached. What became of what was asked for is unknown, but asking the same
    /// again tells.
    Unreachable,
    /// Others went on without this server, which must begin anew from what the log has.
    Overtaken,
    /// Anything else; it is final.
    Broken(String),
}

impl fmt::Display for LogFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the log is full",
            Self::Unreachable => "the log cannot be reached",
            Self::Overtaken => "others went on in the log",
            Self::Broken(what) => what,
        })
    }
}

impl std::error::Error for LogFailure {}

/// A log in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogStatus {
    /// The last batch.
    pub position: Position,
    /// Commands behind the snapshot.
    pub commands: u64,
    /// What there is to read at a restart.
    pub bytes: u64,
    /// How much of it is snapshot.
    pub snapshot_bytes: u64,
}

/// A log of commands.
pub trait CommandLog: Send {
    /// Whether commands are applied before they are in here or after.
    fn order(&self) -> Order;

    /// Appends a batch, and makes it durable if `sync` says so.
    ///
    /// # Errors
    /// After [`LogFailure::Full`] and [`LogFailure::Unreachable`] the same batch may be appended
    /// again, and no other. Any other failure is final, and each later call fails alike.
    fn append(&mut self, batch: &Batch<'_>, sync: bool) -> Result<Appended, LogFailure>;

    /// Makes durable all that was appended.
    ///
    /// # Errors
    /// Any [`LogFailure`] is final.
    fn sync(&mut self) -> Result<(), LogFailure>;

    /// Puts a snapshot in the place of all that was appended, here and now.
    ///
    /// # Errors
    /// Any [`LogFailure`] leaves the log as it was, unless it ended: then each call fails alike.
    fn snapshot(&mut self) -> Result<(), LogFailure>;

    /// The log in figures.
    fn status(&self) -> LogStatus;
}
