//! Snapshots: stopped, failed, given up, and made while the disk is slow.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use ticketd::journal::{Crash, CrashStore, Fault, NoSnapshot, StorageFailure, Store};
use ticketd::log::Batch;

use super::support::{JournalWriter, open};
use crate::random;

fn keeper(memory: &CrashStore) -> JournalWriter {
    let mut keeper = JournalWriter::boot(open(memory).expect("is new")).expect("is kept");
    for commands in random::accepted(31, 100).chunks(4) {
        keeper.keep(commands, true).expect("is kept");
    }
    keeper
}

#[test]
fn an_image_that_is_stopped_leaves_nothing() {
    let memory = CrashStore::new();
    let mut keeper = keeper(&memory);
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    imaging.stop().store(true, Ordering::Relaxed);
    assert_eq!(imaging.run(), Err(NoSnapshot::Stopped));
    assert_eq!(keeper.journal.switch(imaging).err(), Some(NoSnapshot::Stopped));
    // Given up when it was done.
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    imaging.run().expect("is written");
    assert_eq!(memory.segments(), Ok(vec![1, 2]));
    drop(imaging);
    assert_eq!(memory.segments(), Ok(vec![1]));
    assert_eq!(keeper.journal.failure(), None);
    keeper.snapshot().expect("is written");
    assert_eq!(memory.segments(), Ok(vec![2]));
}

/// There is one at a time: two would be in each other's way.
#[test]
fn a_second_image_waits_for_the_first() {
    let memory = CrashStore::new();
    let mut keeper = keeper(&memory);
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    assert!(keeper.journal.begin_snapshot().is_none());
    imaging.run().expect("is written");
    assert!(keeper.journal.begin_snapshot().is_none());
    let retired = keeper.journal.switch(imaging).expect("switches");
    assert!(keeper.journal.begin_snapshot().is_some());
    retired.remove().expect("is removed");
    assert_eq!(memory.segments(), Ok(vec![2]));
}

#[test]
fn a_disk_that_is_full_at_the_switch_changes_nothing() {
    let memory = CrashStore::new();
    let mut keeper = keeper(&memory);
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    imaging.run().expect("is written");
    // The switch reads what is missing, appends that it is active, and syncs.
    let call = memory.calls() + 2;
    memory.fail(Fault { call, failure: StorageFailure::Full, is_done: false });
    let refused = keeper.journal.switch(imaging).err();
    assert_eq!(refused, Some(NoSnapshot::Failed(StorageFailure::Full)));
    assert_eq!(memory.segments(), Ok(vec![1]));
    keeper.keep(&random::accepted(32, 1), true).expect("goes on");
    let recovered = open(&memory.crash(Crash::Lost)).expect("recovers");
    assert_eq!(recovered.machine.snapshot(), keeper.machine.snapshot());
}

/// The sync of the new segment fails: whether it is active is not known, so nothing goes on.
#[test]
fn a_sync_that_fails_at_the_switch_is_final() {
    let memory = CrashStore::new();
    let mut keeper = keeper(&memory);
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    imaging.run().expect("is written");
    let (call, failure) = (memory.calls() + 3, StorageFailure::Broken("no".to_owned()));
    memory.fail(Fault { call, failure: failure.clone(), is_done: false });
    let refused = keeper.journal.switch(imaging).err();
    assert_eq!(refused, Some(NoSnapshot::Failed(failure.clone())));
    assert_eq!(keeper.journal.failure(), Some(&failure));
    assert_eq!(keeper.keep(&random::accepted(32, 1), true), Err(failure));
    for crash in [Crash::Lost, Crash::PersistenceStatus, Crash::Torn(2)] {
        let recovered = open(&memory.crash(crash)).expect("recovers");
        assert_eq!(
            recovered.report.commands,
            if crash == Crash::PersistenceStatus { 0 } else { 101 }
        );
    }
}

/// What is appended while a snapshot waits for the disk is in the new segment, and does not wait.
#[test]
fn appends_go_on_while_an_image_waits_for_the_disk() {
    let memory = CrashStore::new();
    let mut keeper = keeper(&memory);
    let (started, starts) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    let in_time = Arc::new(AtomicBool::new(false));
    memory.before_sync({
        let in_time = in_time.clone();
        move || {
            // Not twice: the switch syncs as well.
            if !in_time.swap(true, Ordering::Relaxed) {
                started.send(()).expect("is awaited");
                gate.lock().expect("is whole").recv().expect("comes");
            }
        }
    });
    let syncing = keeper.journal.begin_sync().expect("begins");
    let slow = std::thread::spawn(move || {
        let synced = syncing.run();
        imaging.run().expect("is written");
        (synced, imaging)
    });
    starts.recv().expect("the disk is waited for");
    for commands in random::accepted(31, 140)[100..].chunks(4) {
        keeper.keep(commands, false).expect("does not wait");
    }
    go.send(()).expect("is awaited");
    let (synced, imaging) = slow.join().expect("runs");
    keeper.journal.end_sync(synced).expect("is well");
    keeper.keep(&random::accepted(31, 141)[140..], false).expect("is kept");
    let retired = keeper.journal.switch(imaging).expect("switches");
    retired.remove().expect("is removed");
    let recovered = open(&memory.crash(Crash::Lost)).expect("recovers");
    assert_eq!(recovered.machine.snapshot(), keeper.machine.snapshot());
}

/// Fences are reserved while a snapshot is made: before it takes over, and as it does.
#[test]
fn reservations_are_taken_over() {
    let memory = CrashStore::new();
    let mut keeper = keeper(&memory);
    let mut far = 1 << 40;
    let mut reserve = |keeper: &mut JournalWriter| {
        far *= 2;
        let batch = Batch { commands: &[], count: 0, next_fence: far };
        assert!(keeper.journal.append(&batch, false).expect("is kept").synced);
        far
    };
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    reserve(&mut keeper);
    imaging.run().expect("is written");
    let last = reserve(&mut keeper);
    let fence = |memory: &CrashStore| open(&memory.crash(Crash::Lost)).expect("recovers").fence;
    assert!(fence(&memory) > last);
    let retired = keeper.journal.switch(imaging).expect("switches");
    retired.remove().expect("is removed");
    assert!(fence(&memory) > last);
    keeper.snapshot().expect("is written");
    assert!(fence(&memory) > last);
    // And the journal knows of it: what is below is not reserved again.
    let batch = Batch { commands: &[], count: 0, next_fence: last };
    assert!(!keeper.journal.append(&batch, false).expect("is kept").synced);
}
