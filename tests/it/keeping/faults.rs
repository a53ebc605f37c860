//! Each call to the disk fails in turn. A failure is the end, and said to be; a full disk is
//! waited for, while time stands still.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use ticketd::driver::{Asked, Cycle, JournalWriter, PersistenceConfig, Unavailable};
use ticketd::journal::{Crash, CrashStore, Fault, Journal, JournalOptions, StorageFailure};
use ticketd::machine::WaitTimeout;

use super::script::{Guests, Story, play};
use super::support::{
    House, Later, ask, granted, heard, later, lock, open, pass, queue, recovered, request, unlock,
    wait_for,
};

const CALLS: u64 = 300;

/// A disk whose call of that number, counted from now, fails.
fn fail(memory: &CrashStore, call: u64, failure: &StorageFailure, is_done: bool) {
    let call = memory.calls() + call;
    memory.fail(Fault { call, failure: failure.clone(), is_done });
}

/// It does not start over a disk that fails, and does when that is over.
#[tokio::test(start_paused = true)]
async fn a_failure_at_the_start_is_the_end_of_it() {
    let broken = StorageFailure::Broken("pulled out".to_owned());
    for failure in [broken, StorageFailure::Full] {
        let mut failed = 0;
        for call in 1..20 {
            let memory = CrashStore::new();
            fail(&memory, call, &failure, call % 2 == 0);
            let Err(why) = House::open(&memory) else { break };
            assert!(why.to_string().contains(&failure.to_string()), "{why}");
            failed += 1;
            let mut house = House::open(&memory).expect("it is over");
            let one = house.open_session("one", 1000);
            granted(&house.done(one, lock(one, "db")));
            house.assert_kept();
        }
        assert!(failed >= 5, "{failed}");
    }
}

/// What is left is one of the states that there were, not before what was acknowledged.
fn assert_nothing_lost(memory: &CrashStore, story: &Story, seed: u64) {
    for crash in [Crash::Lost, Crash::PersistenceStatus, Crash::Torn(seed)] {
        let (image, fence) = recovered(&memory.crash(crash));
        let at = story.images.iter().rposition(|then| *then == image);
        let at = at.unwrap_or_else(|| panic!("{crash:?}: what is left never was"));
        let last_kept = &story.images[story.kept - 1];
        assert!(at + 1 >= story.kept || image == *last_kept, "{crash:?}: {at} of {}", story.kept);
        assert!(fence > story.fence, "{crash:?}: {fence} was handed out");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_at_any_call_acknowledges_nothing_that_is_lost() {
    let failure = StorageFailure::Broken("pulled out".to_owned());
    let mut failed = 0;
    for call in 1..=CALLS {
        let mut house = House::new();
        let mut guests = Guests::enter(&mut house);
        fail(&house.memory, call, &failure, call % 2 == 0);
        let mut story = Story::default();
        let full = async |_: &mut House, _: &mut Guests| panic!("it is not full");
        match play(&mut house, &mut guests, &mut story, full).await {
            Ok(()) => house.assert_kept(),
            Err(why) => {
                failed += 1;
                assert_eq!(why, failure);
                assert_all_are_told(&mut house, &mut guests).await;
                assert_nothing_lost(&house.memory, &story, call);
            }
        }
    }
    assert!(failed > 200, "only {failed} failures came to anything");
}

/// Whoever waits is told that it is not kept; and nothing else is said any more, not of what was
/// granted either.
async fn assert_all_are_told(house: &mut House, guests: &mut Guests) {
    for asked in guests.asked.drain(..).chain(guests.waits.drain(..)) {
        assert_eq!(asked.now(), Err(Unavailable::Failed));
    }
    for socket in &guests.sockets {
        let told = heard(socket);
        let (answers, end) = told.split_at(told.len() - 2);
        assert_eq!(end, ["going away", "end GoingAway"]);
        assert!(answers.iter().all(|said| said.ends_with(" unavailable, Failed")), "{told:?}");
    }
    let session = guests.requests[0];
    assert!(later(request(&house.driver, session, lock(session, "new"))).now().is_err());
    assert!(later(wait_for(&house.driver, session, "new", 1000)).now().is_err());
    assert!(later(open(&house.driver, "new", 1000)).now().is_err());
    let session = guests.sockets[0].session();
    assert!(house.driver.reconnect(Some(1), session, None, None).await.is_err());
    assert!(house.driver.failed().await.contains("pulled out"));
    assert!(house.keeper.cycle().is_err(), "and it stays so");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_at_any_call_is_waited_for() {
    let mut full = 0;
    for call in 1..=CALLS {
        let mut house = House::new();
        let mut guests = Guests::enter(&mut house);
        // For a while, every other time.
        for more in 0..if call % 2 == 0 { 3 } else { 1 } {
            fail(&house.memory, call + more, &StorageFailure::Full, false);
        }
        let mut story = Story::default();
        let played = play(&mut house, &mut guests, &mut story, async |house, guests| {
            assert_nothing_is_done(house, guests).await;
        })
        .await;
        match played {
            Ok(()) => house.assert_kept(),
            // When it was to be synced: then it is in doubt.
            Err(failure) => {
                assert!(matches!(&failure, StorageFailure::Broken(why) if why.contains("full")));
                assert_nothing_lost(&house.memory, &story, call);
            }
        }
        full += story.full;
    }
    assert!(full > 150, "only {full} times full");
}

/// A stop is said to be well only if there is a last snapshot. Once it was said of any.
#[test]
fn a_failure_of_the_last_image_is_told() {
    let mut failed = 0;
    for call in 1.. {
        let memory = CrashStore::new();
        let keeping =
            PersistenceConfig { snapshot_after_bytes: u64::MAX, ..PersistenceConfig::default() };
        let store = Arc::new(memory.clone());
        let (driver, keeper) = JournalWriter::over(store, 500, keeping, 1).expect("is new");
        let failure = if call % 2 == 0 {
            StorageFailure::Full
        } else {
            StorageFailure::Broken("out".to_owned())
        };
        fail(&memory, call, &failure, false);
        let calls = memory.calls() + call;
        let stopped = keeper.run(&AtomicBool::new(true));
        if memory.calls() < calls {
            assert_eq!(stopped, Ok(()));
            break;
        }
        failed += usize::from(stopped.is_err());
        let store = Arc::new(memory.crash(Crash::Lost));
        let commands =
            Journal::open(store, JournalOptions { identity: 7 }).expect("opens").report.commands;
        // What fails at the very end is only the removal of the old one.
        assert!(stopped.is_err() || commands == 0, "call {call}");
        drop(driver);
    }
    assert!(failed >= 5, "{failed}");
}

/// While the disk is full: whoever asks is told so at once, and whoever waits goes on waiting.
async fn assert_nothing_is_done(house: &mut House, guests: &mut Guests) {
    let calls = house.memory.calls();
    let session = guests.requests[0];
    let full = Unavailable::Full;
    let asked = later(request(&house.driver, session, lock(session, "new"))).now();
    assert_eq!(asked, Err(full));
    assert_eq!(later(wait_for(&house.driver, session, "new", 1000)).now(), Err(full));
    let driver = house.driver.clone();
    assert_eq!(later(async move { driver.query(|_| ()).await }).now(), Err(full));
    assert_eq!(later(open(&house.driver, "new", 1000)).now(), Err(full));
    let socket = &guests.sockets[0];
    assert!(socket.ask([(Some(999), Asked::Beat)]));
    ask(socket, 1000, lock(socket.session(), "new"));
    let said = heard(socket);
    assert_eq!(said[0], "1000 unavailable, Full");
    // A beat may be stuck behind what waits, until the socket's next heartbeat.
    assert_eq!(said.len() - 1 + socket.outbox().stuck_beats().len(), 1, "{said:?}");
    assert!(guests.asked.iter_mut().all(Later::is_open));
    assert!(house.driver.status().persistence.expect("it keeps").is_full);
    // Far longer than anybody's TTL.
    pass(200_000).await;
    assert_eq!(house.memory.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn while_the_disk_is_full_time_stands_still() {
    let mut house = House::new();
    let short = house.open_session("short", 1000);
    let socket = house.connect("socket", 60_000);
    house.done(short, lock(short, "db"));
    ask(&socket, 1, queue(socket.session(), "db", WaitTimeout::Ms(2000)));
    house.keep();
    assert_eq!(heard(&socket), ["1 place 1"]);
    pass(500).await;
    let mut waits = later(wait_for(&house.driver, socket.session(), "other", 700));
    granted(&{
        assert!(waits.is_open());
        house.keep();
        waits.now().expect("is kept").expect("is free")
    });

    // It fills up with two requests under way; the session has 500 ms left.
    for more in 1..=3 {
        let call = house.memory.calls() + more;
        house.memory.fail(Fault { call, failure: StorageFailure::Full, is_done: false });
    }
    let mut first = later(request(&house.driver, short, lock(short, "first")));
    assert!(first.is_open());
    assert_eq!(house.keeper.cycle(), Ok(Cycle::Full));
    for _ in 0..2 {
        pass(100_000).await;
        assert_eq!(house.keeper.cycle(), Ok(Cycle::Full));
        assert_eq!(heard(&socket), [""; 0]);
    }
    // It hangs up meanwhile; that needs no room.
    let mut gone = later(request(&house.driver, short, unlock(short, "first")));
    assert!(gone.look().expect("is said at once").is_err());
    assert!(first.is_open());
    assert_eq!(house.keeper.cycle(), Ok(Cycle::Wrote));
    granted(&first.now().expect("is kept").expect("was free"));
    assert!(!house.driver.status().persistence.expect("it keeps").is_full);

    // Its TTL runs from the answer, the wait's time goes on where it stood.
    pass(900).await;
    assert_eq!(heard(&socket), [""; 0]);
    pass(700).await;
    house.keep();
    assert_eq!(heard(&socket), ["Granted"], "the session has ended");
    house.assert_kept();
}

/// Between two slices of what was due the timer asked without a pause whether there was room, with
/// all that a processor had, for as long as the disk was full.
#[tokio::test(start_paused = true)]
async fn many_that_are_due_together_wait_for_the_disk_at_rest() {
    const MANY: usize = 1300;
    let mut house = House::new();
    for _ in 0..MANY {
        house.open_session("one of many", 1000);
    }
    let sessions = |house: &House| house.driver.status().counts.sessions;
    tokio::time::advance(Duration::from_millis(999)).await;
    while sessions(&house) == MANY {
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let left = sessions(&house);
    assert!(left > 0, "they ended in one slice");
    let call = house.memory.calls() + 1;
    house.memory.fail(Fault { call, failure: StorageFailure::Full, is_done: false });
    assert_eq!(house.keeper.cycle(), Ok(Cycle::Full));
    // While anything is at work, no time passes here.
    pass(100_000).await;
    assert_eq!(sessions(&house), left);
    assert_eq!(house.keeper.cycle(), Ok(Cycle::Wrote));
    pass(100).await;
    assert_eq!(sessions(&house), 0);
    house.keep();
    house.assert_kept();
}

/// The end of a session was to be kept, and the disk is full.
#[tokio::test(start_paused = true)]
async fn a_session_ends_while_the_disk_is_full() {
    for by_itself in [true, false] {
        let mut house = House::new();
        let ends = house.open_session("ends", 1000);
        let socket = house.connect("waiter", 60_000);
        house.done(ends, lock(ends, "db"));
        ask(&socket, 1, queue(socket.session(), "db", WaitTimeout::Session));
        house.keep();
        heard(&socket);
        let call = house.memory.calls() + 1;
        house.memory.fail(Fault { call, failure: StorageFailure::Full, is_done: false });
        let close = ticketd::machine::Command::Close { session: ends, by_other: false };
        let mut closes = later(request(&house.driver, ends, close));
        if by_itself {
            let held = socket.pin();
            pass(2000).await;
            drop(held);
        } else {
            assert!(closes.is_open());
        }
        assert_eq!(house.keeper.cycle(), Ok(Cycle::Full));
        assert_eq!(heard(&socket), [""; 0]);
        pass(100_000).await;
        assert_eq!(house.keeper.cycle(), Ok(Cycle::Wrote));
        assert_eq!(heard(&socket), ["Granted"]);
        assert_eq!(closes.now().expect("is kept").is_ok(), !by_itself);
        house.assert_kept();
    }
}
