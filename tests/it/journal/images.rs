//! Images: stopped, failed, given up, and made while the disk is slow.

use std::sync::atomic::Ordering;
use std::sync::mpsc;

use ticketd::journal::{Crash, Failure, Fault, Memory, NoImage, Store};

use super::support::{Keeper, open};
use crate::random;

fn keeper(memory: &Memory) -> Keeper {
    let mut keeper = Keeper::boot(open(memory).expect("is new")).expect("is kept");
    for commands in random::accepted(31, 100).chunks(4) {
        keeper.keep(commands, true).expect("is kept");
    }
    keeper
}

#[test]
fn an_image_that_is_stopped_leaves_nothing() {
    let memory = Memory::new();
    let mut keeper = keeper(&memory);
    let mut imaging = keeper.journal.begin_image();
    imaging.stop().store(true, Ordering::Relaxed);
    assert_eq!(imaging.run(), Err(NoImage::Stopped));
    assert_eq!(keeper.journal.switch(imaging).err(), Some(NoImage::Stopped));
    // Given up when it was done.
    let mut imaging = keeper.journal.begin_image();
    imaging.run().expect("is written");
    assert_eq!(memory.epochs(), Ok(vec![1, 2]));
    drop(imaging);
    assert_eq!(memory.epochs(), Ok(vec![1]));
    assert_eq!(keeper.journal.failure(), None);
    keeper.image().expect("is written");
    assert_eq!(memory.epochs(), Ok(vec![2]));
}

/// Of two images under way only the first to come takes over.
#[test]
fn an_image_of_an_epoch_that_is_gone_is_of_no_use() {
    let memory = Memory::new();
    let mut keeper = keeper(&memory);
    let imaging = keeper.journal.begin_image();
    keeper.image().expect("is written");
    assert_eq!(keeper.journal.switch(imaging).err(), Some(NoImage::Stopped));
    assert_eq!(memory.epochs(), Ok(vec![2]));
}

#[test]
fn a_disk_that_is_full_at_the_switch_changes_nothing() {
    let memory = Memory::new();
    let mut keeper = keeper(&memory);
    let mut imaging = keeper.journal.begin_image();
    imaging.run().expect("is written");
    // The switch reads what is missing, appends that it is in charge, and syncs.
    let call = memory.calls() + 2;
    memory.fail(Fault { call, failure: Failure::Full, is_done: false });
    let refused = keeper.journal.switch(imaging).err();
    assert_eq!(refused, Some(NoImage::Failed(Failure::Full)));
    assert_eq!(memory.epochs(), Ok(vec![1]));
    keeper.keep(&random::accepted(32, 1), true).expect("goes on");
    let recovered = open(&memory.crash(Crash::Lost)).expect("recovers");
    assert_eq!(recovered.machine.image(), keeper.machine.image());
}

/// The sync of the new epoch fails: whether it is in charge is not known, so nothing goes on.
#[test]
fn a_sync_that_fails_at_the_switch_is_final() {
    let memory = Memory::new();
    let mut keeper = keeper(&memory);
    let mut imaging = keeper.journal.begin_image();
    imaging.run().expect("is written");
    let (call, failure) = (memory.calls() + 3, Failure::Broken("no".to_owned()));
    memory.fail(Fault { call, failure: failure.clone(), is_done: false });
    let refused = keeper.journal.switch(imaging).err();
    assert_eq!(refused, Some(NoImage::Failed(failure.clone())));
    assert_eq!(keeper.journal.failure(), Some(&failure));
    assert_eq!(keeper.keep(&random::accepted(32, 1), true), Err(failure));
    for crash in [Crash::Lost, Crash::Kept, Crash::Torn(2)] {
        let recovered = open(&memory.crash(crash)).expect("recovers");
        assert_eq!(recovered.report.commands, if crash == Crash::Kept { 0 } else { 101 });
    }
}

/// What is appended while an image is written is in it, and nothing waits for it.
#[test]
fn appends_go_on_while_an_image_waits_for_the_disk() {
    let memory = Memory::new();
    let mut keeper = keeper(&memory);
    let commands = random::accepted(33, 1);
    let before = keeper.machine.counts();
    let mut imaging = keeper.journal.begin_image();
    imaging.run().expect("is written");
    let (started, starts) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    memory.before_sync(move || {
        started.send(()).expect("is awaited");
        gate.lock().expect("is whole").recv().expect("comes");
    });
    let slow = std::thread::spawn({
        let mut other = keeper.journal.begin_image();
        move || {
            other.run().expect("is written");
            other
        }
    });
    drop(imaging);
    keeper.keep(&commands, false).expect("does not wait");
    assert_ne!(keeper.machine.counts(), before);
    // Whoever syncs waits: the image, if there was something left for it to sync, and the switch.
    let releases = std::thread::spawn(move || {
        while starts.recv().is_ok() {
            if go.send(()).is_err() {
                break;
            }
        }
    });
    let imaging = slow.join().expect("runs");
    let retired = keeper.journal.switch(imaging).expect("switches");
    retired.remove().expect("is removed");
    memory.before_sync(|| {});
    releases.join().expect("ends");
    let recovered = open(&memory.crash(Crash::Lost)).expect("recovers");
    assert_eq!(recovered.machine.image(), keeper.machine.image());
}
