//! Nothing leaves before it is kept, and what leaves does so in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ticketd::driver::{Asked, Cycle};
use ticketd::machine::{Command, Reply, WaitTimeout};

use super::support::{
    House, ask, granted, heard, issue, later, lock, name, open, pass, queue, request, unlock,
    unlock_by_socket, wait_for,
};

#[tokio::test(start_paused = true)]
async fn requests_are_answered_when_they_are_kept() {
    let mut house = House::new();
    let one = house.open_session("one", 60_000);
    let two = house.open_session("two", 60_000);
    let driver = house.driver.clone();
    let mut asked = vec![
        later(request(&driver, one, lock(one, "db"))),
        // What changes nothing waits for what it saw.
        later(request(&driver, two, lock(two, "db"))),
        later(request(&driver, two, unlock(two, "nothing"))),
        later(request(&driver, one, lock(one, "db"))),
    ];
    let mut waits = later(wait_for(&driver, two, "db", 60_000));
    let looker = driver.clone();
    let mut looks = later(async move { looker.query(|machine| machine.counts().locks).await });
    let holder = driver.clone();
    let mut holds = later(async move { holder.holds(one, "db", "x").await });
    assert!(asked.iter_mut().all(super::support::Later::is_open));
    assert!(looks.is_open() && holds.is_open() && waits.is_open());
    assert_eq!(house.keeper.cycle().expect("works"), Cycle::Wrote);
    let told: Vec<_> = asked.into_iter().map(|asked| asked.now().expect("is kept")).collect();
    let fence = granted(told[0].as_ref().expect("is free"));
    assert_eq!(told[1], Ok(Reply::NotGranted));
    assert!(told[2].is_err());
    assert_eq!(granted(told[3].as_ref().expect("is its own")), fence);
    assert_eq!(looks.now(), Ok(1));
    assert!(holds.now().expect("is kept").is_err(), "it is a lock");
    assert!(waits.is_open());

    // A grant to somebody who waits.
    let mut gives = later(request(&driver, one, unlock(one, "db")));
    assert!(gives.is_open() && waits.is_open());
    house.keep();
    assert!(granted(&waits.now().expect("is kept").expect("is granted")) > fence);
    gives.now().expect("is kept").expect("was its own");
    assert_eq!(house.keeper.cycle().expect("works"), Cycle::Idle);
    house.assert_kept();
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_writes_nothing() {
    let mut house = House::new();
    let one = house.open_session("one", 60_000);
    let two = house.open_session("two", 60_000);
    house.done(one, lock(one, "db"));
    let calls = house.memory.calls();
    for command in [lock(two, "db"), lock(one, "db")] {
        let told = later(request(&house.driver, two, command)).now();
        assert!(told.expect("there is nothing to wait for").is_ok());
    }
    let refused = later(request(&house.driver, two, unlock(two, "db"))).now();
    assert!(refused.expect("there is nothing to wait for").is_err());
    assert!(later(refresh(&house, one)).now().expect("can be said"));
    assert_eq!(house.keeper.cycle().expect("works"), Cycle::Idle);
    assert_eq!(house.memory.calls(), calls);
}

fn refresh(
    house: &House,
    session: ticketd::machine::SessionId,
) -> impl Future<Output = Result<bool, ticketd::driver::Unavailable>> + Send + 'static {
    let driver = house.driver.clone();
    async move { driver.refresh(&session).await }
}

#[tokio::test(start_paused = true)]
async fn sockets_are_answered_and_told_when_it_is_kept_and_in_order() {
    let mut house = House::new();
    let holder = house.connect("holder", 60_000);
    let waiter = house.connect("waiter", 60_000);
    let (one, two) = (holder.session(), waiter.session());
    // At no sync anything has left of what it is about to make durable.
    let syncs = Arc::new(AtomicUsize::new(0));
    let (counted, sockets) = (syncs.clone(), Arc::new([holder, waiter]));
    let looks = sockets.clone();
    house.memory.before_sync(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        assert!(looks.iter().all(|socket| socket.outbox().try_next().is_none()));
    });
    let [holder, waiter] = &*sockets;
    ask(holder, 1, lock(one, "db"));
    ask(waiter, 1, queue(two, "db", WaitTimeout::Session));
    ask(holder, 2, unlock_by_socket(one, "nothing"));
    ask(holder, 3, issue(one, "pool", "t"));
    house.keep();
    assert_eq!(syncs.load(Ordering::SeqCst), 1, "one sync for all that had gathered");
    let expected = ["1 granted", "LockWanted", "2 refused: resource not found", "3 Done"];
    assert_eq!(heard(holder), expected);
    assert_eq!(heard(waiter), ["1 place 1"]);

    ask(waiter, 2, Command::Watch { session: two, resource: name("pool"), changes: true });
    ask(holder, 4, unlock_by_socket(one, "db"));
    ask(holder, 5, issue(one, "pool", "u"));
    assert!(waiter.ask([(Some(3), Asked::Beat), (Some(4), Asked::State)]));
    house.keep();
    assert_eq!(heard(holder), ["4 Done", "5 Done"]);
    let told = heard(waiter);
    assert!(told[0].starts_with("2 Watching"), "{told:?}");
    assert_eq!(
        told[1..],
        ["Granted", "TicketAvailable pool 2", "Changed pool 2", "3 beat 60000", "4 state"]
    );
    assert_eq!(syncs.load(Ordering::SeqCst), 2);
    house.memory.before_sync(|| {});
    house.assert_kept();
}

#[tokio::test(start_paused = true)]
async fn ends_of_sessions_are_told_when_they_are_kept() {
    let mut house = House::new();
    let waiter = house.connect("waiter", 60_000);
    let (gone, session) = (house.open_session("gone", 1000), waiter.session());
    house.done(gone, lock(gone, "db"));
    ask(&waiter, 1, queue(session, "db", WaitTimeout::Session));
    house.keep();
    assert_eq!(heard(&waiter), ["1 place 1"]);
    let hold = waiter.pin();
    pass(2000).await;
    assert_eq!(heard(&waiter), [""; 0], "it has expired, but nobody may know yet");
    let mut asks = later(request(&house.driver, gone, lock(gone, "db")));
    assert!(asks.is_open());
    house.keep();
    assert_eq!(heard(&waiter), ["Granted"]);
    assert!(asks.now().expect("is kept").is_err());
    drop(hold);
    house.assert_kept();
}

#[tokio::test(start_paused = true)]
async fn sessions_live_through_a_sync_that_takes_long() {
    let mut house = House::new();
    let asking = house.open_session("asking", 200);
    let beating = house.connect("beating", 200);
    let mut locks = later(request(&house.driver, asking, lock(asking, "db")));
    assert!(locks.is_open());
    let mut opens = later(open(&house.driver, "new", 200));
    assert!(opens.is_open());
    // Five seconds: 25 times their TTL.
    for _ in 0..50 {
        pass(100).await;
        assert!(beating.ask([(Some(1), Asked::Beat)]));
        assert_eq!(heard(&beating), ["1 beat 200"], "a beat waits for nothing");
    }
    house.keep();
    let new = opens.now().expect("is kept");
    assert!(granted(&locks.now().expect("is kept").expect("is free")).0 > 0);
    // From now on their time runs.
    pass(100).await;
    for session in [asking, new] {
        assert!(later(refresh(&house, session)).now().expect("can be said"));
    }
    pass(800).await;
    house.keep();
    for session in [asking, new, beating.session()] {
        assert!(!later(refresh(&house, session)).now().expect("can be said"));
    }
    house.assert_kept();
}
