//! Each call to the store fails in turn. After a final failure nothing is acknowledged and nothing
//! touched any more; after a full disk the same batch goes through.

use std::sync::LazyLock;

use ticketd::journal::{
    Crash, CrashStore, Fault, NoSnapshot, OpenError, Recovered, StorageFailure,
};
use ticketd::log::Batch;
use ticketd::machine::{Command, Snapshot};

use super::support::{JournalWriter, open, snapshots};
use crate::random;

const COMMANDS: usize = 240;
/// What every run appends. To draw it takes longer than to append it.
static HISTORY: LazyLock<Vec<Command>> = LazyLock::new(|| random::accepted(21, COMMANDS));

/// What a run came to.
struct Run {
    /// What it had acknowledged, and what may be on disk beyond.
    acked: usize,
    appended: usize,
    fences_end: u64,
    failure: Option<StorageFailure>,
    snapshots: Vec<Snapshot>,
}

/// Opens, appends by twos and threes, makes snapshots, and stops at the first final failure.
fn run(memory: &CrashStore, retry: bool) -> Option<Run> {
    let history = &*HISTORY;
    let recovered = match open(memory) {
        Err(OpenError::Failed(StorageFailure::Full)) if retry => open(memory).ok()?,
        other => other.ok()?,
    };
    let mut keeper = boot(recovered, retry).ok()?;
    let snapshots = snapshots(&keeper.machine, history);
    let mut failure = None;
    let mut tried = 0;
    for (number, commands) in history.chunks(3).enumerate() {
        tried += commands.len();
        let kept = match keeper.keep(commands, number % 3 != 0) {
            Err(StorageFailure::Full) if retry => {
                assert_eq!(keeper.journal.failure(), None);
                again(&mut keeper, commands, number % 3 != 0)
            }
            kept => kept.map(|_| ()),
        };
        if let Err(error) = kept {
            failure = Some(error);
            break;
        }
        if number % 5 == 4 {
            // Whether there is a snapshot is nobody's concern, unless the journal ends.
            match keeper.snapshot() {
                Ok(()) => assert_eq!(keeper.journal.failure(), None),
                Err(NoSnapshot::Stopped) => panic!("nobody stopped it"),
                Err(NoSnapshot::Failed(_)) => failure = keeper.journal.failure().cloned(),
            }
            if failure.is_some() {
                break;
            }
        }
    }
    let run = Run {
        acked: keeper.acked,
        appended: tried,
        fences_end: keeper.fences_end,
        failure: failure.clone(),
        snapshots,
    };
    if let Some(failure) = failure {
        nothing_more(memory, &mut keeper, &failure);
    } else {
        assert_eq!(tried, COMMANDS);
    }
    Some(run)
}

fn boot(recovered: Recovered, retry: bool) -> Result<JournalWriter, StorageFailure> {
    let Recovered { mut machine, fence, mut journal, .. } = recovered;
    let command = ticketd::machine::Command::Boot { fence: ticketd::machine::Fence(fence) };
    let mut bytes = Vec::new();
    ticketd::log::codec::encode_command(&command, &mut bytes);
    let batch = Batch { commands: &bytes, count: 1, next_fence: fence };
    match journal.append(&batch, true) {
        Err(StorageFailure::Full) if retry => journal.append(&batch, true)?,
        appended => appended?,
    };
    machine.apply(&command, &mut Vec::new()).reply.expect("is accepted");
    let (appended, acked, fences_end) = (0, 0, fence);
    Ok(JournalWriter { machine, journal, appended, acked, fences_end })
}

/// The same batch once more.
fn again(
    keeper: &mut JournalWriter,
    commands: &[ticketd::machine::Command],
    sync: bool,
) -> Result<(), StorageFailure> {
    let mut bytes = Vec::new();
    for command in commands {
        ticketd::log::codec::encode_command(command, &mut bytes);
    }
    keeper.append(&bytes, commands.len(), sync).map(|_| ())
}

/// After a final failure every call fails alike and none reaches the store.
fn nothing_more(memory: &CrashStore, keeper: &mut JournalWriter, failure: &StorageFailure) {
    if *failure == StorageFailure::Full {
        return;
    }
    let calls = memory.calls();
    let batch = Batch { commands: &[], count: 0, next_fence: 1 };
    assert_eq!(keeper.journal.append(&batch, true).as_ref(), Err(failure));
    assert_eq!(keeper.journal.append(&batch, false).as_ref(), Err(failure));
    assert_eq!(keeper.journal.sync().as_ref(), Err(failure));
    let imaging = keeper.journal.begin_snapshot().expect("is the only one");
    let switched = keeper.journal.switch(imaging);
    assert_eq!(switched.err(), Some(NoSnapshot::Failed(failure.clone())));
    assert_eq!(keeper.journal.begin_sync().err().as_ref(), Some(failure));
    assert_eq!(memory.calls(), calls);
}

fn calls_of_a_run() -> u64 {
    let memory = CrashStore::new();
    let run = run(&memory, false).expect("nothing fails");
    assert!(run.failure.is_none() && run.acked >= COMMANDS - 3);
    memory.calls()
}

#[test]
fn after_a_final_failure_nothing_is_acknowledged() {
    let calls = calls_of_a_run();
    assert!(calls > 300, "{calls}");
    let mut ended = 0;
    for call in 1..=calls {
        for is_done in [false, true] {
            let memory = CrashStore::new();
            let failure = StorageFailure::Broken(format!("call {call}"));
            memory.fail(Fault { call, failure: failure.clone(), is_done });
            let Some(run) = run(&memory, false) else {
                // It did not even start. The next start does.
                open(&memory.crash(Crash::Lost)).expect("begins anew");
                open(&memory.crash(Crash::PersistenceStatus)).expect("begins anew");
                continue;
            };
            if let Some(ended_by) = &run.failure {
                assert_eq!(*ended_by, failure);
                ended += 1;
            }
            for crash in
                [Crash::Lost, Crash::PersistenceStatus, Crash::Torn(call), Crash::Torn(call + 1)]
            {
                assert_recovers(&memory.crash(crash), &run, &format!("call {call}, {crash:?}"));
            }
        }
    }
    assert!(ended > 300, "{ended}");
}

#[test]
fn a_full_disk_lets_the_same_batch_be_tried_again() {
    for call in 1..=calls_of_a_run() {
        let memory = CrashStore::new();
        memory.fail(Fault { call, failure: StorageFailure::Full, is_done: false });
        let Some(run) = run(&memory, true) else {
            open(&memory.crash(Crash::Lost)).expect("begins anew");
            continue;
        };
        // A sync that fails is final, whatever it says.
        if run.failure.is_none() {
            assert_eq!(run.appended, COMMANDS, "call {call}");
        }
        for crash in [Crash::Lost, Crash::PersistenceStatus, Crash::Torn(call)] {
            assert_recovers(&memory.crash(crash), &run, &format!("call {call}, {crash:?}"));
        }
    }
}

fn assert_recovers(left: &CrashStore, run: &Run, when: &str) {
    let recovered = open(left).unwrap_or_else(|error| panic!("{when}: {error}"));
    recovered.machine.check();
    let snapshot = recovered.machine.snapshot();
    let found = run.snapshots[run.acked..=run.appended].contains(&snapshot);
    assert!(found, "{when}: not a state from {} to {}", run.acked, run.appended);
    assert!(recovered.fence >= run.fences_end, "{when}: fences fall");
}

/// A record that reserves fences is durable before any of them leaves, whatever the policy.
#[test]
fn fences_are_reserved_before_they_leave() {
    let memory = CrashStore::new();
    let mut recovered = open(&memory).expect("is new");
    let append = |journal: &mut ticketd::journal::Journal, next_fence| {
        let appended = journal.append(&Batch { commands: &[], count: 0, next_fence }, false);
        let left = open(&memory.crash(Crash::Lost)).expect("recovers").fence;
        (appended.expect("is appended").synced, left)
    };
    let reserved = ticketd::journal::FENCES_RESERVED;
    let mut append = |next_fence| append(&mut recovered.journal, next_fence);
    assert_eq!(append(1), (true, 1 + reserved));
    assert_eq!(append(1), (false, 1 + reserved));
    assert_eq!(append(reserved), (false, 1 + reserved));
    // The last reserved is used; the next would not be.
    assert_eq!(append(reserved + 1), (true, 1 + 2 * reserved));
    let far = 3_712_345_678_901_248;
    assert_eq!(append(far), (true, far + reserved));
    assert_eq!(append(5), (false, far + reserved));
}

/// A sync that runs elsewhere, while appends go on: it makes durable what there was when it began.
#[test]
fn syncs_elsewhere() {
    let memory = CrashStore::new();
    let mut keeper = JournalWriter::boot(open(&memory).expect("is new")).expect("is kept");
    let history = random::accepted(22, 9);
    let snapshots = snapshots(&keeper.machine, &history);
    let lost = |memory: &CrashStore| {
        let left = open(&memory.crash(Crash::Lost)).expect("recovers");
        snapshots.iter().position(|snapshot| *snapshot == left.machine.snapshot()).expect("was")
    };
    keeper.keep(&history[..3], false).expect("is kept");
    let syncing = keeper.journal.begin_sync().expect("begins");
    keeper.keep(&history[3..6], false).expect("does not wait");
    let synced = std::thread::spawn(move || syncing.run()).join().expect("runs");
    keeper.journal.end_sync(synced).expect("is well");
    assert_eq!(snapshots[lost(&memory)], snapshots[3]);
    keeper.keep(&history[6..], false).expect("is kept");
    for draw in 0..12 {
        // Whatever is lost of the later records was never said to be durable.
        open(&memory.crash(Crash::Torn(draw))).expect("recovers");
    }
    // One that ends after a switch, when the old segment was removed: that is how it is to be.
    let syncing = keeper.journal.begin_sync().expect("begins");
    keeper.snapshot().expect("is written");
    let (call, failure) = (memory.calls() + 1, StorageFailure::Gone("removed".to_owned()));
    memory.fail(Fault { call, failure, is_done: false });
    keeper.journal.end_sync(syncing.run()).expect("is well");
    // Nor does it say anything else about the new segment.
    let syncing = keeper.journal.begin_sync().expect("begins");
    keeper.snapshot().expect("is written");
    let (call, failure) = (memory.calls() + 1, StorageFailure::Broken("gone".to_owned()));
    memory.fail(Fault { call, failure: failure.clone(), is_done: false });
    let synced = syncing.run();
    assert_eq!(snapshots[lost(&memory)], snapshots[9]);
    // A failure is final, and a full disk is one here.
    assert_eq!(keeper.journal.end_sync(synced), Err(failure.clone()));
    assert_eq!(keeper.sync(), Err(failure.clone()));
    assert_eq!(keeper.journal.begin_sync().err(), Some(failure));
}
