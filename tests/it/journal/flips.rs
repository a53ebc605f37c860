//! Any byte flipped, any piece cut off: what was, or a state that was with a word about it, or a
//! refusal. Never silently another state, and never a panic.

use std::fs;
use std::path::Path;

use ticketd::journal::{Journal, JournalOptions, OpenError, Recovered, Sqlite, StorageFailure};
use ticketd::machine::{Command, Conduct, SessionId, SessionName, Snapshot, Ttl};

use super::directory::open;
use super::support::{Dir, JournalWriter, identity, snapshots};
use crate::random;

const DATABASE: &str = "00000002.ticketd";
const LOG: &str = "00000002.ticketd-wal";

/// Commands in a batch.
const BATCH: usize = 2;

/// A segment with a snapshot and a log of batches, and every state that it went through.
struct Sample {
    dir: Dir,
    snapshots: Vec<Snapshot>,
}

fn sample(sync: bool) -> Sample {
    let dir = Dir::new();
    let mut keeper = JournalWriter::boot(open(dir.path()).expect("is new")).expect("is kept");
    let history = random::accepted(7, 90);
    keeper.keep(&history[..60], true).expect("is kept");
    keeper.keep(&sessions(), true).expect("is kept");
    keeper.snapshot().expect("is written");
    let snapshots = snapshots(&keeper.machine, &history[60..]);
    for commands in history[60..].chunks(BATCH) {
        keeper.keep(commands, sync).expect("is kept");
    }
    assert_eq!(snapshots.last(), Some(&keeper.machine.snapshot()));
    Sample { dir: dir.copy(), snapshots }
}

/// A session that takes a good part of a page.
fn session(number: u32) -> Command {
    let mut id = [7; 20];
    id[..4].copy_from_slice(&number.to_be_bytes());
    Command::Open {
        session: SessionId(id),
        name: SessionName::parse(&"name".repeat(50)).expect("is a name"),
        ttl: Ttl::new(5000).expect("is a ttl"),
        source: "192.0.2.1:4711".into(),
        conduct: Conduct::default(),
    }
}

/// Enough for a snapshot to have pages that the log has not.
pub(super) fn sessions() -> Vec<Command> {
    (200..220).map(session).collect()
}

/// What is left of the sample when its files are these.
enum Left {
    Same,
    /// So many commands are missing, and it is reported.
    Torn(usize),
    /// So many commands are missing, and nobody says so.
    Silent(usize),
    Refused(OpenError),
}

impl Sample {
    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.join(name)).expect("can be read")
    }

    fn left(&self, dir: &Path) -> Left {
        match open(dir) {
            Ok(recovered) => self.compare(&recovered),
            Err(error) => Left::Refused(error),
        }
    }

    fn compare(&self, recovered: &Recovered) -> Left {
        recovered.machine.check();
        let snapshot = recovered.machine.snapshot();
        let at = self.snapshots.iter().rposition(|other| *other == snapshot);
        let missing = self.snapshots.len() - 1 - at.expect("a state that never was");
        match (missing, &recovered.report.dropped) {
            // What is missing may have changed nothing.
            (_, Some(_)) => Left::Torn(missing),
            (0, None) => Left::Same,
            (_, None) => Left::Silent(missing),
        }
    }

    /// A directory with the sample, of which one file is different.
    fn with(&self, name: &str, bytes: &[u8], into: &Dir) {
        for file in [DATABASE, LOG] {
            let bytes = if file == name { bytes.to_vec() } else { self.bytes(file) };
            fs::write(into.join(file), bytes).expect("can be written");
        }
        let _ = fs::remove_file(into.join(&format!("{DATABASE}-shm")));
    }

    /// Flips bytes of a file and counts what comes of it: the same, torn (but not more than so many
    /// commands lost), refused.
    fn flip(&self, name: &str, at: impl Iterator<Item = usize>, lost_max: usize) -> [usize; 3] {
        let into = Dir::fast();
        let whole = self.bytes(name);
        let mut counts = [0; 3];
        for at in at.take_while(|&at| at < whole.len()) {
            let mut bytes = whole.clone();
            bytes[at] ^= if at / 2 % 2 == 0 { 0xff } else { 1 << (at / 4 % 8) };
            self.with(name, &bytes, &into);
            match self.left(into.path()) {
                Left::Same => {
                    if name == DATABASE && at / 3 % 3 == 0 {
                        goes_on(into.path());
                    }
                    counts[0] += 1;
                }
                Left::Torn(missing) => {
                    assert!(missing <= lost_max, "byte {at} lost {missing}");
                    counts[1] += 1;
                }
                Left::Silent(missing) => panic!("{missing} are silently lost by byte {at}"),
                Left::Refused(OpenError::Damaged(_)) => counts[2] += 1,
                Left::Refused(error) => panic!("byte {at} of {name}: {error:?}"),
            }
        }
        counts
    }
}

/// What was not refused is fit to be appended to: pages are split, and new ones taken.
fn goes_on(dir: &Path) {
    let mut keeper = JournalWriter::boot(open(dir).expect("recovers")).expect("is kept");
    for number in 0..8 {
        let commands = [number, number + 50, number + 100].map(|n| session(10_000 + n));
        keeper.keep(&commands, true).expect("is kept");
    }
    let live = keeper.machine.snapshot();
    drop(keeper);
    assert_eq!(open(dir).expect("recovers").machine.snapshot(), live);
}

#[test]
fn flips_in_a_database() {
    let sample = sample(true);
    let [same, torn, refused] = sample.flip(DATABASE, 0.., 0);
    assert_eq!(torn, 0, "the database has nothing that may be torn");
    assert!(refused > same && refused > 3000, "{same} {refused}");
}

/// A page above the others, which the log does not have anew until pages are added below it. Some
/// of its bytes matter to no reader, and to the next append all the more.
#[test]
fn flips_in_the_root_of_a_large_image() {
    let dir = Dir::fast();
    let mut keeper = JournalWriter::boot(open(dir.path()).expect("is new")).expect("is kept");
    for first in (0..3600).step_by(100) {
        let sessions: Vec<Command> = (first..first + 100).map(session).collect();
        keeper.keep(&sessions, false).expect("is kept");
    }
    keeper.snapshot().expect("is written");
    assert!(keeper.journal.describe().snapshot_records > 12);
    let sample = Sample { dir: dir.copy(), snapshots: vec![keeper.machine.snapshot()] };
    drop(keeper);
    // The second page, of 1024 bytes.
    let [same, torn, refused] = sample.flip(DATABASE, (1024..2048).step_by(2), 0);
    assert!(torn == 0 && refused > 10, "{same} {torn} {refused}");
}

#[test]
fn flips_in_a_log_that_was_always_synced() {
    flips_in_a_synced_log(0);
}

/// The other half, so that the two run side by side.
#[test]
fn more_flips_in_a_log_that_was_always_synced() {
    flips_in_a_synced_log(1);
}

/// Every batch was durable before the next: only what hits the last can look torn.
fn flips_in_a_synced_log(first: usize) {
    let sample = sample(true);
    let length = sample.bytes(LOG).len() / 2;
    let [same, torn, refused] = sample.flip(LOG, (first..).step_by(2), BATCH);
    assert_eq!(same, 0);
    assert!(torn < length / 5 && refused > length / 2, "{torn} {refused}");
}

#[test]
fn flips_in_a_log_that_was_not_synced() {
    let sample = sample(false);
    let [_, torn, refused] = sample.flip(LOG, (0..).step_by(5), usize::MAX);
    assert!(torn > refused && refused > 100, "{torn} {refused}");
}

/// Cut off anywhere: a log that ends between two batches says nothing, as one that never had more.
#[test]
fn cut_files() {
    let sample = sample(true);
    let into = Dir::fast();
    let log = sample.bytes(LOG);
    let (mut torn, mut silent, mut refused) = (0, 0, 0);
    for length in (0..log.len()).step_by(263) {
        sample.with(LOG, &log[..length], &into);
        match sample.left(into.path()) {
            Left::Same => panic!("{length} bytes are not all"),
            Left::Torn(_) => torn += 1,
            Left::Silent(_) => silent += 1,
            Left::Refused(OpenError::Damaged(_)) => refused += 1,
            Left::Refused(error) => panic!("{error:?}"),
        }
    }
    assert!(torn > 10 * silent && refused > 0, "{torn} {silent} {refused}");
    let database = sample.bytes(DATABASE);
    for length in (0..database.len()).step_by(512) {
        sample.with(DATABASE, &database[..length], &into);
        let Left::Refused(OpenError::Damaged(damage)) = sample.left(into.path()) else {
            panic!("{length} bytes are not all")
        };
        assert_eq!(damage.file, DATABASE);
        assert_eq!(
            fs::read(into.join(LOG)).expect("is still there"),
            log,
            "refusing changes nothing"
        );
    }
}

#[test]
fn a_lost_log() {
    let sample = sample(true);
    let into = Dir::fast();
    sample.with(LOG, &[], &into);
    assert!(matches!(sample.left(into.path()), Left::Refused(OpenError::Damaged(_))));
    fs::remove_file(into.join(LOG)).expect("can be removed");
    let Left::Refused(error) = sample.left(into.path()) else { panic!("is not all") };
    let line = error.to_string();
    assert!(line.contains("all records behind the snapshot are lost"), "{line}");
    assert!(line.contains("`ticketd check DIR`") && line.contains("--repair"), "{line}");
}

/// A segment that was to take over is gone, or the one before it.
#[test]
fn a_lost_epoch() {
    let dir = Dir::new();
    let mut keeper = JournalWriter::boot(open(dir.path()).expect("is new")).expect("is kept");
    keeper.keep(&random::accepted(3, 20), true).expect("is kept");
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    imaging.run().expect("is written");
    let both = dir.copy();
    assert_eq!(both.names().iter().filter(|name| name.ends_with(".ticketd")).count(), 2);
    super::directory::assert_holds(both.copy().path(), &keeper);
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("00000001.ticketd{suffix}");
        fs::remove_file(both.join(&name)).expect("can be removed");
    }
    let Err(OpenError::Damaged(damage)) = open(both.path()) else { panic!("is not active") };
    assert!(damage.what.contains("not yet active"), "{damage}");
    drop(imaging);
}

/// Another program's records, by SQL: SQLite finds nothing wrong with them.
#[test]
fn rows_that_sql_changed() {
    let sample = sample(true);
    let into = Dir::fast();
    for (sql, record) in [
        ("DELETE FROM rows WHERE n = 1", 1),
        ("DELETE FROM rows WHERE n = 3", 3),
        ("DELETE FROM rows WHERE n = 12", 12),
        (
            "UPDATE rows SET body = (SELECT body FROM rows AS other WHERE other.n = 25 - rows.n)
          WHERE n IN (12, 13)",
            12,
        ),
        ("UPDATE rows SET body = (SELECT body FROM rows WHERE n = 14) WHERE n = 15", 15),
        ("UPDATE rows SET body = 'text' WHERE n = 15", 15),
        ("UPDATE rows SET body = x'' WHERE n = 15", 15),
        ("INSERT INTO rows SELECT max(n) + 1, x'00' FROM rows", 0),
        ("DROP TABLE rows", 1),
        ("ALTER TABLE rows RENAME COLUMN body TO other", 1),
    ] {
        sample.with("", &[], &into);
        let changed = rusqlite::Connection::open(into.join(DATABASE)).expect("opens");
        changed.execute_batch(sql).expect("is done");
        changed.close().expect("closes");
        let Left::Refused(OpenError::Damaged(damage)) = sample.left(into.path()) else {
            panic!("{sql} was not found")
        };
        assert!(record == 0 || damage.record == record, "{sql}: {damage}");
    }
    // Somebody looked at it with SQLite, which on leaving takes the log into the database.
    sample.with("", &[], &into);
    let looked = rusqlite::Connection::open(into.join(DATABASE)).expect("opens");
    looked.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("is done");
    looked.close().expect("closes");
    assert!(!into.join(LOG).exists());
    assert!(matches!(sample.left(into.path()), Left::Same));
}

/// A reader that SQLite cannot be: what is no database at all.
#[test]
fn what_is_no_journal_is_refused() {
    let dir = Dir::new();
    fs::write(dir.join("00000001.ticketd"), "not a database").expect("can be written");
    let opened = Journal::open(
        std::sync::Arc::new(Sqlite::open(dir.path()).expect("is ours")),
        JournalOptions { identity: identity() },
    );
    match opened.map(|Recovered { report, .. }| report) {
        Err(OpenError::Damaged(damage)) => assert_eq!(damage.file, "00000001.ticketd"),
        Err(OpenError::Failed(failure)) => {
            assert!(!matches!(failure, StorageFailure::Full));
            panic!("{failure}")
        }
        Ok(report) => panic!("{report:?}"),
    }
}
