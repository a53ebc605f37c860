//! A restart: what was acknowledged is there, what died with its connection is not, and fences only
//! grow, whatever the clock says and whichever copy is put back.

use ticketd::driver::Driver;
use ticketd::journal::Crash;
use ticketd::machine::{Command, Reply, SessionId, WaitTimeout};

use super::support::{
    House, WALL_MS, ask, granted, heard, issue, later, lock, name, pass, queue, recovered, request,
    unlock, wait_for,
};

async fn refresh(driver: &Driver, session: SessionId) -> bool {
    driver.refresh(&session).await.expect("can be said")
}

/// The places that wait for a resource, first to last.
fn queue_of(house: &House, resource: &str) -> Vec<SessionId> {
    let image = house.snapshot();
    let found = image.resources.into_iter().find(|found| found.name == name(resource));
    found.map_or(Vec::new(), |found| found.waits.iter().map(|wait| wait.session).collect())
}

#[tokio::test(start_paused = true)]
async fn sessions_and_what_they_have_are_there_again() {
    for crash in [Crash::Lost, Crash::PersistenceStatus, Crash::Torn(12345)] {
        let mut house = House::new();
        let one = house.open_session("one", 1000);
        let (a, b) = (house.connect("a", 1000), house.connect("b", 1000));
        let (first, second) = (a.session(), b.session());
        let fence = granted(&house.done(one, lock(one, "db")));
        house.done(one, issue(one, "pool", "t"));
        ask(&a, 1, queue(first, "db", WaitTimeout::Ms(800)));
        let mut waits = later(wait_for(&house.driver, one, "other", 60_000));
        assert!(waits.is_open());
        house.keep();
        granted(&waits.now().expect("is kept").expect("is free"));
        // Between the two stands a request, whose connection dies with the server.
        let two = house.open_session("two", 60_000);
        let mut dies = later(wait_for(&house.driver, two, "db", 60_000));
        assert!(dies.is_open());
        ask(&b, 1, queue(second, "db", WaitTimeout::Session));
        house.keep();
        assert_eq!(queue_of(&house, "db"), [first, two, second]);
        // Most of the TTL has passed.
        pass(700).await;
        let epoch = epoch_of(&house, &a);
        drop((a, b));

        let mut house = house.crash(crash);
        assert_eq!(queue_of(&house, "db"), [first, second], "{crash:?}");
        pass(700).await;
        for session in [one, first, second] {
            assert!(refresh(&house.driver, session).await, "it has a full TTL");
        }
        let a = house.driver.reconnect(Some(1), first, Some(1), None).await.expect("lives");
        house.keep();
        a.opened();
        assert_eq!(heard(&a), ["1 state"]);
        assert_ne!(epoch_of(&house, &a), epoch);
        // So does the wait: its 800 ms count from the start.
        assert_eq!(queue_of(&house, "db"), [first, second]);
        pass(200).await;
        assert!(refresh(&house.driver, one).await && refresh(&house.driver, second).await);
        a.heard();
        house.keep();
        assert_eq!(heard(&a), ["WaitEnded"]);
        assert_eq!(queue_of(&house, "db"), [second]);

        let again = house.done(one, lock(one, "db"));
        assert!(matches!(&again, Reply::Granted { fresh: false, .. }), "{again:?}");
        assert_eq!(granted(&again), fence);
        let new = granted(&house.done(one, lock(one, "new")));
        assert!(new > fence);
        house.assert_kept();
    }
}

fn epoch_of(house: &House, socket: &ticketd::driver::Connection) -> String {
    use ticketd::driver::{Answered, Asked, Message, Next, RequestMark};
    assert!(socket.ask([(Some(9), Asked::State)]));
    while let Some(next) = socket.outbox().try_next() {
        if let Next::Message(Message::Answer(
            RequestMark { id: Some(9), .. },
            Answered::State(state),
        )) = next
        {
            return state.epoch.to_string();
        }
    }
    panic!("no state; {:?}", house.keeper)
}

#[tokio::test(start_paused = true)]
async fn emptied_resources_are_forgotten_after_a_restart() {
    let mut house = House::new();
    let one = house.open_session("one", 60_000);
    house.done(one, lock(one, "db"));
    house.done(one, unlock(one, "db"));
    let mut house = house.crash(Crash::Lost);
    let known = |house: &House| house.snapshot().resources.iter().any(|found| found.known);
    assert!(known(&house));
    pass(400).await;
    assert!(known(&house));
    pass(400).await;
    assert!(refresh(&house.driver, one).await);
    assert!(!known(&house));
    house.assert_kept();
}

/// The server ends between the grant and its answer, and the client asks again.
#[tokio::test(start_paused = true)]
async fn a_grant_whose_answer_was_lost() {
    for is_kept in [true, false] {
        let mut house = House::new();
        let one = house.open_session("one", 60_000);
        let two = house.open_session("two", 60_000);
        let before = granted(&house.done(two, lock(two, "else")));
        let mut lost = later(request(&house.driver, one, lock(one, "db")));
        assert!(lost.is_open());
        if is_kept {
            house.keep();
        }
        let image = house.snapshot();
        let left = house.memory.crash(Crash::Lost);
        drop(lost);
        drop(house);
        let mut house = House::open(&left).expect("can be read");
        assert_eq!(house.snapshot().resources == image.resources, is_kept);
        let other = house.done(two, lock(two, "db"));
        if is_kept {
            assert_eq!(other, Reply::NotGranted, "there is one holder");
            let again = house.done(one, lock(one, "db"));
            assert!(matches!(again, Reply::Granted { fresh: false, .. }), "{again:?}");
        } else {
            assert!(granted(&other) > before);
            assert_eq!(house.done(one, lock(one, "db")), Reply::NotGranted);
        }
        house.assert_kept();
    }
}

/// The same with the answer to somebody who waits.
#[tokio::test(start_paused = true)]
async fn a_grant_to_a_waiting_request_whose_answer_was_lost() {
    let mut house = House::new();
    let one = house.open_session("one", 60_000);
    let two = house.open_session("two", 60_000);
    house.done(one, lock(one, "db"));
    let mut waits = later(wait_for(&house.driver, two, "db", 60_000));
    assert!(waits.is_open());
    house.keep();
    house.done(one, unlock(one, "db"));
    let left = house.memory.crash(Crash::Lost);
    drop(waits);
    drop(house);
    let mut house = House::open(&left).expect("can be read");
    let again = house.done(two, lock(two, "db"));
    assert!(matches!(again, Reply::Granted { fresh: false, .. }), "{again:?}");
    assert_eq!(house.done(one, lock(one, "db")), Reply::NotGranted);
    house.assert_kept();
}

#[tokio::test(start_paused = true)]
async fn fences_grow_though_the_clock_is_set_back_by_an_hour() {
    let mut house = House::new();
    let mut highest = 0;
    for back_ms in [0, 3_600_000, 7_200_000, WALL_MS] {
        let left = house.memory.crash(Crash::Lost);
        drop(house);
        house = House::open_at(&left, WALL_MS - back_ms).expect("can be read");
        let one = house.open_session("one", 60_000);
        for resource in ["a", "b", "c"] {
            let fence = granted(&house.done(one, lock(one, resource))).0;
            assert!(fence > highest, "{fence} after {highest}");
            highest = fence;
            house.done(one, unlock(one, resource));
        }
        assert!(recovered(&house.memory.crash(Crash::Lost)).1 > highest);
        house.assert_kept();
    }
}

#[tokio::test(start_paused = true)]
async fn fences_grow_though_an_old_backup_is_put_back() {
    let mut house = House::new();
    let one = house.open_session("one", 60_000);
    house.done(one, lock(one, "a"));
    let backup = house.memory.crash(Crash::PersistenceStatus);
    let mut highest = 0;
    for round in 0..2000 {
        let resource = format!("b{}", round % 10);
        highest = granted(&house.done(one, lock(one, &resource))).0;
        house.done(one, unlock(one, &resource));
    }
    drop(house);
    // A second later: that is 2048000 fences.
    let mut house = House::open_at(&backup, WALL_MS + 1000).expect("can be read");
    assert!(granted(&house.done(one, lock(one, "c"))).0 > highest);
    house.assert_kept();
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_anything_was_kept_loses_only_that() {
    let mut house = House::new();
    let one = house.open_session("one", 60_000);
    house.done(one, lock(one, "db"));
    let kept = house.snapshot();
    let mut asked = [
        later(request(&house.driver, one, unlock(one, "db"))),
        later(request(&house.driver, one, Command::Close { session: one, by_other: false })),
    ];
    assert!(asked.iter_mut().all(super::support::Later::is_open));
    let (image, _) = recovered(&house.memory.crash(Crash::Lost));
    assert_eq!(image, kept);
    let mut house = house.crash(Crash::Lost);
    assert!(matches!(house.done(one, lock(one, "db")), Reply::Granted { fresh: false, .. }));
}
