//! Damage is named, and a repair keeps what is whole.

use std::fs;

use ticketd::journal::{Crash, CrashStore, JournalOptions, OpenError, check, repair};

use super::directory::{assert_holds, filled, open};
use super::support::{JournalWriter, identity, open as open_store, snapshots};
use crate::random;

/// Every record lost or altered, in memory: the same is found as on disk.
#[test]
fn every_lost_or_altered_row_is_named() {
    let memory = CrashStore::new();
    let mut keeper = JournalWriter::boot(open_store(&memory).expect("is new")).expect("is kept");
    for commands in random::accepted(41, 60).chunks(3) {
        keeper.keep(commands, true).expect("is kept");
    }
    let records = usize::try_from(keeper.journal.describe().records).expect("is small");
    assert_eq!(records, 24, "two of the snapshot, one that it is active, the boot, 20 batches");
    drop(keeper);
    for record in 1..=records {
        for bit in [None, Some(7), Some(100), Some(8 * 50), Some(8 * 66)] {
            let left = memory.crash(Crash::PersistenceStatus);
            let there = left.alter(1, record, |bytes| {
                let byte = bit.map(|bit: usize| bit / 8 % bytes.len());
                byte.iter().for_each(|&at| bytes[at] ^= 1 << (bit.unwrap_or(0) % 8));
                bit.is_some()
            });
            assert!(there);
            match open_store(&left) {
                Err(OpenError::Damaged(damage)) => {
                    assert_eq!((damage.file.as_str(), damage.record), ("segment 1", record as u64));
                }
                Ok(_) if record == records && bit.is_none() => {}
                other => panic!("record {record}, {bit:?}: {:?}", other.map(|found| found.report)),
            }
        }
    }
}

#[test]
fn a_repair_keeps_what_is_whole() {
    let (dir, keeper) = filled(42, 200, 2, true);
    let live = keeper.fences_end;
    let copy = dir.copy();
    drop(keeper);
    let log = copy.join("00000001.ticketd-wal");
    let whole = fs::read(&log).expect("can be read");
    let mut bytes = whole.clone();
    let at = bytes.len() / 2;
    bytes[at] ^= 4;
    fs::write(&log, &bytes).expect("can be written");

    let Err(OpenError::Damaged(damage)) = open(copy.path()) else { panic!("is damaged") };
    let found = check(copy.path()).expect("can be read");
    assert!(!found.is_sound());
    let [segment] = &found.segments[..] else { panic!("one segment") };
    assert_eq!(segment.damage.as_ref(), Some(&damage));
    assert_eq!(segment.records + 1, damage.record);
    let text = found.to_string();
    assert!(
        text.contains(&format!("DAMAGED: 00000001.ticketd is damaged at record {}", damage.record))
    );
    assert!(text.ends_with("damaged"));
    assert_eq!(fs::read(&log).expect("can be read"), bytes, "checking changes nothing");

    let repaired =
        repair(copy.path(), JournalOptions { identity: identity() }).expect("is repaired");
    let done = repaired.repair.as_ref().expect("is told");
    assert_eq!(done.quarantine, ["00000001.ticketd.damaged"]);
    let kept = format!("00000001.ticketd up to record {}", segment.records);
    assert_eq!(done.kept, Some((kept, "00000002.ticketd".to_owned())));
    let aside = fs::read(copy.join("00000001.ticketd.damaged-wal")).expect("is kept");
    assert_eq!(aside, bytes);
    assert!(check(copy.path()).expect("can be read").is_sound());

    let recovered = open(copy.path()).expect("recovers");
    assert!(recovered.fence > live, "the highest reservation is known from any record");
    let history = random::accepted(42, 200);
    let start = {
        let fresh = super::support::Dir::new();
        JournalWriter::boot(open(fresh.path()).expect("is new")).expect("is kept").machine
    };
    let commands = usize::try_from(segment.commands).expect("is small");
    assert!(commands > 20 && commands < 200);
    // The first was the boot.
    assert_eq!(snapshots(&start, &history)[commands - 1], recovered.machine.snapshot());
    let mut keeper = JournalWriter::boot(recovered).expect("goes on");
    keeper.snapshot().expect("is written");
    assert_holds(copy.copy().path(), &keeper);

    // Nothing to do.
    let (dir, keeper) = filled(43, 20, 2, true);
    drop(keeper);
    let before = dir.names();
    let found = repair(dir.path(), JournalOptions { identity: identity() }).expect("can be read");
    assert!(found.is_sound() && found.to_string().ends_with("nothing to repair"));
    assert_eq!(dir.names().len(), before.len());
}

/// The snapshot is bad. The segment before it is gone, so that nothing is left but the fences.
#[test]
fn a_repair_without_an_image_keeps_the_fences() {
    let (dir, keeper) = filled(44, 100, 2, true);
    let live = keeper.fences_end;
    drop(keeper);
    let database = dir.join("00000001.ticketd");
    fs::write(&database, vec![0; 3000]).expect("can be written");
    fs::remove_file(dir.join("00000001.ticketd-shm")).expect("can be removed");
    assert!(matches!(open(dir.path()), Err(OpenError::Damaged(_))));
    let done = repair(dir.path(), JournalOptions { identity: identity() }).expect("is repaired");
    assert!(done.to_string().contains("quarantined: 00000001.ticketd.damaged"), "{done}");
    let recovered = open(dir.path()).expect("recovers");
    assert!(recovered.fence > live, "{} {live}", recovered.fence);
}

/// The snapshot of a segment is bad, but the one before it is still there.
#[test]
fn a_repair_falls_back_to_the_epoch_before() {
    let (dir, mut keeper) = filled(45, 100, 2, true);
    keeper.keep(&super::flips::sessions(), true).expect("is kept");
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    imaging.run().expect("is written");
    let retired = keeper.journal.switch(imaging).expect("switches");
    let live = keeper.machine.snapshot();
    let copy = dir.copy();
    drop(retired);
    drop(keeper);
    let database = copy.join("00000002.ticketd");
    let mut bytes = fs::read(&database).expect("can be read");
    let end = bytes.len() - 100;
    bytes[1024..end].fill(0x55);
    fs::write(&database, bytes).expect("can be written");
    assert!(matches!(open(copy.path()), Err(OpenError::Damaged(_))));
    let found = repair(copy.path(), JournalOptions { identity: identity() }).expect("is repaired");
    let done = found.repair.expect("is told");
    assert_eq!(done.quarantine, ["00000002.ticketd.damaged"]);
    let (what, file) = done.kept.expect("is told");
    assert!(
        what.starts_with("00000001.ticketd up to record") && file == "00000003.ticketd",
        "{what}"
    );
    let recovered = open(copy.path()).expect("recovers");
    assert_eq!(recovered.machine.snapshot(), live);
}

/// Only the snapshot is left: it knows of all fences that were reserved when it was made.
#[test]
fn a_repair_without_a_log_keeps_the_fences() {
    let (dir, mut keeper) = filled(46, 40, 2, true);
    keeper.snapshot().expect("is written");
    let (live, snapshot) = (keeper.fences_end, keeper.machine.snapshot());
    let copy = dir.copy();
    drop(keeper);
    fs::remove_file(copy.join("00000002.ticketd-wal")).expect("can be removed");
    let Err(OpenError::Damaged(damage)) = open(copy.path()) else { panic!("is damaged") };
    assert!(damage.what.contains("all records behind the snapshot are lost"), "{damage}");
    repair(copy.path(), JournalOptions { identity: identity() }).expect("is repaired");
    let recovered = open(copy.path()).expect("recovers");
    assert_eq!(recovered.machine.snapshot(), snapshot);
    assert!(recovered.fence > live);
}
