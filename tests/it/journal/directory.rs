//! The journal on disk: who may have it, what is left in it, and copies of it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ticketd::journal::{
    CheckReport, Journal, JournalOptions, Recovered, Sqlite, StorageFailure, check,
};
use ticketd::machine::Fence;

use super::support::{Dir, JournalWriter, identity, machine_of};
use crate::random;

/// Opens the journal in a directory.
pub(super) fn open(dir: &Path) -> Result<Recovered, ticketd::journal::OpenError> {
    Journal::open(Arc::new(Sqlite::open(dir)?), JournalOptions { identity: identity() })
}

/// A journal in a new directory with a history in batches of so many commands.
pub(super) fn filled(seed: u64, commands: usize, batch: usize, sync: bool) -> (Dir, JournalWriter) {
    let dir = Dir::new();
    let recovered = open(dir.path()).expect("is new");
    assert!(recovered.report.is_new);
    let mut keeper = JournalWriter::boot(recovered).expect("is kept");
    for commands in random::accepted(seed, commands).chunks(batch) {
        keeper.keep(commands, sync).expect("is kept");
    }
    (dir, keeper)
}

/// Whether what is in the directory is what the keeper has.
pub(super) fn assert_holds(dir: &Path, keeper: &JournalWriter) {
    let recovered = open(dir).expect("recovers");
    recovered.machine.check();
    assert_eq!(recovered.machine.snapshot(), keeper.machine.snapshot());
    assert!(recovered.fence > keeper.fences_end);
}

#[test]
fn what_was_kept_is_there_again() {
    for (seed, batch, sync) in [(1, 1, true), (2, 7, true), (3, 3, false), (4, 50, false)] {
        let (dir, keeper) = filled(seed, 300, batch, sync);
        let live = keeper.machine.snapshot();
        let copy = dir.copy();
        assert_holds(copy.path(), &keeper);
        let fences_end = keeper.fences_end;
        drop(keeper);
        // And again, for every start adds its own. The first one ends the condemned.
        let mut sessions = live.sessions;
        let mut fence = fences_end;
        for _ in 0..3 {
            let recovered = open(dir.path()).expect("recovers");
            assert!(recovered.report.dropped.is_none());
            assert_eq!(recovered.machine.snapshot().sessions, sessions);
            sessions.retain(|session| !session.condemned);
            assert!(recovered.fence > fence);
            fence = recovered.fence;
            JournalWriter::boot(recovered).expect("is kept");
        }
    }
}

#[test]
fn a_new_image_takes_the_place_of_the_old() {
    let (dir, mut keeper) = filled(5, 300, 5, true);
    keeper.snapshot().expect("is written");
    assert_eq!(
        dir.names(),
        ["00000002.ticketd", "00000002.ticketd-shm", "00000002.ticketd-wal", "lock"]
    );
    let described = keeper.journal.describe();
    assert_eq!((described.segment, described.commands), (2, 0));
    assert_holds(dir.copy().path(), &keeper);
    keeper.keep(&[], true).expect("is kept");
    keeper.snapshot().expect("is written");
    assert_holds(dir.copy().path(), &keeper);
    drop(keeper);
    let (dir, keeper) = filled(6, 300, 5, false);
    drop(keeper);
    let recovered = open(dir.path()).expect("recovers");
    let mut keeper = JournalWriter::boot(recovered).expect("is kept");
    keeper.snapshot().expect("is written");
    assert_holds(dir.copy().path(), &keeper);
}

/// The machine of a snapshot, its batches and what came while it was written.
#[test]
fn batches_that_come_while_an_image_is_written_are_in_the_new_epoch() {
    let dir = Dir::new();
    let mut keeper = JournalWriter::boot(open(dir.path()).expect("is new")).expect("is kept");
    let history = random::accepted(8, 2000);
    for commands in history[..1000].chunks(10) {
        keeper.keep(commands, false).expect("is kept");
    }
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    let snapshot = std::thread::spawn(move || imaging.run().map(|()| imaging));
    for commands in history[1000..1900].chunks(3) {
        keeper.keep(commands, false).expect("is kept");
    }
    let imaging = snapshot.join().expect("runs").expect("is written");
    for commands in history[1900..].chunks(3) {
        keeper.keep(commands, false).expect("is kept");
    }
    let before = dir.copy();
    let retired = keeper.journal.switch(imaging).expect("switches");
    let between = dir.copy();
    retired.remove().expect("is removed");
    for copy in [before, between, dir.copy()] {
        assert_holds(copy.path(), &keeper);
        assert_eq!(copy.names().iter().filter(|name| name.ends_with(".ticketd")).count(), 1);
    }
    assert_eq!(machine_of(&history).snapshot().sessions, keeper.machine.snapshot().sessions);
}

#[test]
fn a_second_server_is_refused() {
    let (dir, keeper) = filled(9, 10, 1, true);
    let in_use = StorageFailure::InUse(dir.path().display().to_string());
    assert_eq!(Sqlite::open(dir.path()).err(), Some(in_use.clone()));
    assert_eq!(check(dir.path()), Err(in_use.clone()));
    assert_eq!(in_use.to_string(), format!("another server uses {}", dir.path().display()));
    drop(keeper);
    assert!(Sqlite::open(dir.path()).is_ok());
}

#[test]
fn the_directory_is_created() {
    let dir = Dir::new();
    let deep = dir.join("a b/ü?#%41/c");
    drop(JournalWriter::boot(open(&deep).expect("is new")).expect("is kept"));
    assert!(!open(&deep).expect("recovers").report.is_new);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(&deep).expect("is there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o700, "sessions' ids are secrets");
}

#[test]
fn what_is_no_place_for_a_journal_is_named() {
    let dir = Dir::new();
    let file = dir.join("file");
    fs::write(&file, "").expect("can be written");
    for place in [file.clone(), file.join("below"), "/proc/ticketd".into()] {
        let failure = Sqlite::open(&place).err().expect("is refused");
        assert!(matches!(&failure, StorageFailure::Denied(_)), "{failure:?}");
        let line = failure.to_string();
        assert!(line.contains(&*place.display().to_string()) || line.contains("file"), "{line}");
        assert!(!line.contains('\n'));
    }
}

#[test]
fn drafts_and_orphans_are_removed() {
    let (dir, keeper) = filled(10, 30, 3, true);
    for name in [
        "00000002.draft",
        "00000002.draft-wal",
        "00000007.ticketd-wal",
        "00000007.ticketd-shm",
        "notes",
        "7.ticketd",
        "00000001.ticketd.damaged",
    ] {
        fs::write(dir.join(name), "junk").expect("can be written");
    }
    let copy = dir.copy();
    assert_holds(copy.path(), &keeper);
    let names = copy.names();
    let others: Vec<&String> =
        names.iter().filter(|name| !name.starts_with("00000001.ticketd")).collect();
    assert_eq!(others, ["7.ticketd", "lock", "notes"]);
    assert!(names.contains(&"00000001.ticketd.damaged".to_owned()));
}

/// `cp` of a directory that is written to: the log of the copy ends somewhere.
#[test]
fn a_copy_made_while_it_was_written_recovers() {
    let dir = Dir::new();
    let mut keeper = JournalWriter::boot(open(dir.path()).expect("is new")).expect("is kept");
    let history = random::accepted(11, 900);
    let start = keeper.machine.clone();
    let snapshots = super::support::snapshots(&start, &history);
    let path = dir.path().to_owned();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let copies = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let mut copies = Vec::new();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) && copies.len() < 40 {
                let copy = Dir::new();
                for name in ["00000001.ticketd", "00000001.ticketd-wal"] {
                    fs::copy(path.join(name), copy.join(name)).expect("can be copied");
                }
                copies.push(copy);
            }
            copies
        }
    });
    for commands in history.chunks(2) {
        keeper.keep(commands, true).expect("is kept");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let copies = copies.join().expect("copies");
    assert!(!copies.is_empty());
    let mut last = 0;
    for copy in &copies {
        let recovered = open(copy.path()).expect("recovers");
        let at = usize::try_from(recovered.report.commands).expect("is small");
        // The first was the boot.
        assert!(recovered.machine.snapshot() == snapshots[at - 1]);
        assert!(at >= last, "a later copy has less");
        last = at;
    }
}

/// An old backup put back: what it does not know of is gone, but the driver's clock keeps fences
/// above; here, they are above all that the backup knew of.
#[test]
fn a_backup_goes_on_above_its_fences() {
    let (dir, mut keeper) = filled(12, 100, 4, true);
    let backup = dir.copy();
    let known = keeper.fences_end;
    keeper.keep(&random::accepted(13, 1)[..], true).expect("is kept");
    drop(keeper);
    let recovered = open(backup.path()).expect("recovers");
    assert!(recovered.fence > known);
    let keeper = JournalWriter::boot(recovered).expect("is kept");
    assert!(keeper.machine.next_fence() > Fence(known));
}

/// Looking changes nothing, not even the times of a file, and needs no right to write.
#[test]
fn checking_changes_nothing() {
    let (dir, keeper) = filled(14, 200, 4, true);
    let counts = keeper.machine.counts();
    let copy = dir.copy();
    drop(keeper);
    for name in ["lock", "00000001.ticketd-shm"] {
        fs::remove_file(copy.join(name)).expect("can be removed");
    }
    let before: Vec<_> = state(&copy);
    let found = check(copy.path()).expect("can be read");
    assert_eq!(state(&copy), before);
    assert!(found.is_sound());
    let [segment] = &found.segments[..] else { panic!("one segment") };
    assert_eq!(segment.counts, Some(counts));
    assert_eq!((segment.commands, segment.is_active, &segment.damage), (201, true, &None));
    assert!(found.to_string().ends_with("sound"), "{found}");
    assert_eq!(check(Dir::new().path()), Ok(CheckReport::default()));
    assert!(matches!(check(&copy.join("none")), Err(StorageFailure::Denied(_))));
}

fn state(dir: &Dir) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let file = |name: String| {
        let path = dir.join(&name);
        let bytes = fs::read(&path).expect("can be read");
        let modified = fs::metadata(&path).and_then(|data| data.modified()).expect("has a time");
        (name, bytes, modified)
    };
    dir.names().into_iter().map(file).collect()
}
