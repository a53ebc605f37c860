//! A crash at every call of many histories: what is recovered is exactly a state that was, and
//! has everything that was acknowledged.

use ticketd::journal::{Crash, CrashStore};
use ticketd::machine::{Command, Fence, Snapshot};

use super::support::{JournalWriter, open, snapshots};
use crate::random;
use crate::rng::Rng;

/// Histories, in four tests so that they run side by side.
const HISTORIES: u64 = 60;
const COMMANDS: usize = 60;

#[test]
fn synced_always() {
    assert!(play(1, Style::Always) > 5000);
}

#[test]
fn synced_now_and_then() {
    assert!(play(1001, Style::Sometimes) > 5000);
}

#[test]
fn with_images_and_syncs() {
    assert!(play(2001, Style::AlwaysWithSnapshots) > 5000);
}

#[test]
fn with_images_and_few_syncs() {
    assert!(play(3001, Style::SometimesWithSnapshots) > 5000);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Always,
    Sometimes,
    AlwaysWithSnapshots,
    SometimesWithSnapshots,
}

/// How far things had come at a moment.
#[derive(Clone, Copy)]
struct Mark {
    moment: usize,
    acked: usize,
    appended: usize,
    fences_end: u64,
}

/// Plays histories and returns how many recoveries there were.
fn play(first: u64, style: Style) -> u64 {
    (first..first + HISTORIES).map(|seed| play_one(seed, style)).sum()
}

fn play_one(seed: u64, style: Style) -> u64 {
    let memory = CrashStore::new();
    memory.keep_past();
    let mut rng = Rng::new(seed);
    let history = random::accepted(seed, COMMANDS);
    let mut keeper = JournalWriter::boot(open(&memory).expect("is new")).expect("is kept");
    let booted = memory.moments() - 1;
    let snapshots = snapshots(&keeper.machine, &history);
    let mut marks = vec![mark(&memory, &keeper)];
    let mut at = 0;
    while at < history.len() {
        let end = (at + 1 + rng.below(4)).min(history.len());
        let sync = match style {
            Style::Always | Style::AlwaysWithSnapshots => true,
            Style::Sometimes | Style::SometimesWithSnapshots => rng.chance(1, 6),
        };
        // Whatever the call comes to, it may have been done as far as it will be.
        let before = mark(&memory, &keeper);
        keeper.keep(&history[at..end], sync).expect("is kept");
        marks.push(Mark { appended: keeper.appended, ..before });
        marks.push(mark(&memory, &keeper));
        at = end;
        let has_snapshots =
            matches!(style, Style::AlwaysWithSnapshots | Style::SometimesWithSnapshots);
        if has_snapshots && rng.chance(1, 8) {
            snapshot(&mut keeper, &memory, &history[at..], &mut rng, &mut marks, &mut at);
        }
        if rng.chance(1, 20) {
            keeper.sync().expect("is synced");
            marks.push(mark(&memory, &keeper));
        }
    }
    let live = keeper.machine.snapshot();
    assert_eq!(snapshots.last(), Some(&live));
    drop(keeper);
    let mut recoveries = 0;
    for moment in booted..memory.moments() {
        for crash in [
            Crash::Lost,
            Crash::PersistenceStatus,
            Crash::Torn(rng.next()),
            Crash::Torn(rng.next()),
        ] {
            let then = at_moment(&marks, moment);
            recover(&memory, moment, crash, then, &snapshots, &history);
            recoveries += 1;
        }
    }
    recoveries
}

/// A snapshot in slices, with batches before, between and after.
fn snapshot(
    keeper: &mut JournalWriter,
    memory: &CrashStore,
    rest: &[Command],
    rng: &mut Rng,
    marks: &mut Vec<Mark>,
    at: &mut usize,
) {
    let mut imaging = keeper.journal.begin_snapshot().expect("is the only one");
    imaging.run().expect("is written");
    let more = rng.below(3).min(rest.len());
    let before = mark(memory, keeper);
    for command in &rest[..more] {
        keeper.keep(std::slice::from_ref(command), false).expect("is kept");
        marks.push(Mark { appended: keeper.appended, ..before });
        marks.push(mark(memory, keeper));
    }
    *at += more;
    if rng.chance(1, 6) {
        // It is given up.
        return;
    }
    let retired = keeper.journal.switch(imaging).expect("switches");
    // The new one is durable in full.
    keeper.acked = keeper.appended;
    marks.push(mark(memory, keeper));
    retired.remove().expect("is removed");
}

fn mark(memory: &CrashStore, keeper: &JournalWriter) -> Mark {
    let (acked, appended, fences_end) = (keeper.acked, keeper.appended, keeper.fences_end);
    Mark { moment: memory.moments() - 1, acked, appended, fences_end }
}

/// What had been acknowledged by that moment, and what may have been appended by then.
fn at_moment(marks: &[Mark], moment: usize) -> Mark {
    let known = marks.iter().filter(|mark| mark.moment <= moment);
    let acked = known.clone().map(|mark| mark.acked).max().unwrap_or(0);
    let appended = known.clone().map(|mark| mark.appended).max().unwrap_or(0);
    let fences_end = known.map(|mark| mark.fences_end).max().unwrap_or(1);
    Mark { moment, acked, appended, fences_end }
}

fn recover(
    memory: &CrashStore,
    moment: usize,
    crash: Crash,
    then: Mark,
    snapshots: &[Snapshot],
    history: &[Command],
) {
    let left = memory.crashed(moment, crash).expect("is kept");
    left.keep_past();
    let recovered = open(&left).unwrap_or_else(|error| panic!("{crash:?} at {moment}: {error}"));
    recovered.machine.check();
    let snapshot = recovered.machine.snapshot();
    let states = then.acked..=then.appended;
    let found = snapshots[states.clone()].iter().rposition(|other| *other == snapshot);
    let found = found.unwrap_or_else(|| panic!("{crash:?} at {moment}: none of {states:?}"));
    let found = then.acked + found;
    assert!(recovered.fence >= then.fences_end, "{crash:?} at {moment}: fences fall");
    if crash == Crash::PersistenceStatus {
        assert!(recovered.report.dropped.is_none(), "{moment}: nothing was torn");
    }
    // It crashes while it recovers, or as soon as it has.
    let moments = if moment % 5 == 1 { left.moments() } else { 0 };
    for again in 0..moments {
        let state = |left: CrashStore| {
            let recovered = open(&left).unwrap_or_else(|error| {
                panic!("{crash:?} at {moment}, then at {again}: {error}");
            });
            let snapshot = recovered.machine.snapshot();
            assert!(recovered.fence >= then.fences_end);
            assert!(snapshots[states.clone()].contains(&snapshot));
            snapshot
        };
        let last = again + 1 == left.moments();
        for crash in [Crash::Lost, Crash::Torn(1), Crash::Torn(2)] {
            let found = state(left.crashed(again, crash).expect("is kept"));
            // What was recovered is there to stay.
            assert!(!last || found == snapshot);
        }
    }
    // It goes on from there, and crashes again.
    if moment.is_multiple_of(3) {
        let fence = recovered.fence;
        let mut keeper = JournalWriter::boot(recovered).expect("is kept");
        assert!(keeper.machine.next_fence().0 >= fence);
        let mut kept = keeper.machine.clone();
        for command in history[found..].iter().take(4) {
            // A boot came between, and with it some commands fit no more.
            let mut events = Vec::new();
            if kept.apply(command, &mut events).is_ok() {
                keeper
                    .keep(std::slice::from_ref(command), moment.is_multiple_of(2))
                    .expect("is kept");
            }
        }
        keeper.keep(&[Command::Boot { fence: Fence(1) }], true).expect("is kept");
        let (live, fences_end) = (keeper.machine.snapshot(), keeper.fences_end);
        drop(keeper);
        for crash in [Crash::Lost, Crash::Torn(1), Crash::Torn(7)] {
            let again = open(&left.crash(crash)).expect("recovers again");
            assert_eq!(again.machine.snapshot(), live);
            assert!(again.fence > fences_end, "the last boot had reserved more");
        }
    }
}
