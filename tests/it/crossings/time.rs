//! Crossings with time: ends of waits and of sessions, slow syncs, and pauses of the server.

use std::time::Duration;

use ticketd::machine::{WaitOrigin, WaitTimeout};

use super::*;

const EXPIRE_MS: u32 = 500;

/// How long something takes, in ms of virtual time.
#[expect(clippy::disallowed_methods, reason = "virtual time")]
async fn duration_ms(what: impl Future) -> u128 {
    let before = tokio::time::Instant::now();
    what.await;
    (tokio::time::Instant::now() - before).as_millis()
}

async fn sleep(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Lets time pass in one go: the server has no chance to run meanwhile.
async fn jump(ms: u64) {
    tokio::time::advance(Duration::from_millis(ms)).await;
}

/// Whether a session lives. Looking does not keep it alive.
fn lives(driver: &Driver, session: SessionId) -> bool {
    let mut looking = Box::pin(driver.query(|machine| machine.has_session(&session)));
    if let Some(seen) = (&mut looking).now_or_never() {
        return seen.expect("the server is there");
    }
    driver.make_durable();
    looking.now_or_never().expect("it is durable").expect("the server is there")
}

#[tokio::test(start_paused = true)]
async fn a_grant_just_before_the_time_is_up_stands_however_late_it_is_told() {
    let driver = Driver::gated(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let (one, two) = (open(&driver, 60_000), open(&driver, 60_000));
    handed_over(&settled(&driver, driver.request(one, lock(one))));
    let mut waiting = begun(driver.request_waiting(two, 600, lock_waiting(two)));
    sleep(599).await;
    let unlocked = begun(driver.request(one, unlock(one)));
    sleep(600).await;
    assert!(waits(&mut waiting), "granted, but not durable");
    driver.make_durable();
    answered(unlocked);
    assert!(handed_over(&answered(waiting)).is_some());
    assert_eq!(counts(&driver).locks, 1);
}

#[tokio::test(start_paused = true)]
async fn when_grant_and_end_of_time_fall_together_the_time_is_up_first() {
    let driver = Driver::gated(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let (one, two) = (open(&driver, 60_000), open(&driver, 60_000));
    handed_over(&settled(&driver, driver.request(one, lock(one))));
    let mut waiting = begun(driver.request_waiting(two, 600, lock_waiting(two)));
    sleep(600).await;
    let unlocked = begun(driver.request(one, unlock(one)));
    assert!(waits(&mut waiting), "that it was in vain is not said earlier either");
    driver.make_durable();
    answered(unlocked);
    assert_eq!(fence(&answered(waiting)), None);
    assert_eq!((counts(&driver).locks, counts(&driver).waits), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_lasts_as_long_as_it_says() {
    let driver = Driver::new(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let one = opening(&driver, 60_000).await.expect("a session");
    let two = opening(&driver, 60_000).await.expect("a session");
    handed_over(&driver.request(one, lock(one)).await.expect("an answer"));
    for wait_ms in [1, 99, 1000, 60_000] {
        let waiting = driver.request_waiting(two, wait_ms, lock_waiting(two));
        let took = duration_ms(waiting).await;
        let (least, most) = (u128::from(wait_ms), u128::from(wait_ms + EXPIRE_MS));
        assert!((least..=most).contains(&took), "{took} of {wait_ms}");
        driver.refresh(&one).await.expect("an answer");
    }
}

#[tokio::test(start_paused = true)]
async fn no_session_ends_before_its_ttl_nor_much_later() {
    let driver = Driver::new(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let heir = opening(&driver, 60_000).await.expect("a session");
    for ttl_ms in [50, 51, 333, 1000, 4999, 20_000] {
        for refreshed_after_ms in [0, 1, ttl_ms / 2, ttl_ms - 1] {
            let brief = opening(&driver, i64::from(ttl_ms)).await.expect("a session");
            handed_over(&driver.request(brief, lock(brief)).await.expect("an answer"));
            sleep(u64::from(refreshed_after_ms)).await;
            assert_eq!(driver.refresh(&brief).await, Ok(true));
            // The lock passes on when its holder ends: so nobody has to ask whether it has.
            let inherited = driver.request_waiting(heir, 60_000, lock_waiting(heir));
            let took = duration_ms(async {
                let inherited = inherited.await.expect("an answer");
                assert!(handed_over(&inherited).is_some());
            })
            .await;
            let (least, most) = (u128::from(ttl_ms), u128::from(ttl_ms + EXPIRE_MS));
            assert!((least..=most).contains(&took), "{took} of {ttl_ms}");
            driver.request(heir, unlock(heir)).await.expect("an answer");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_command_keeps_its_session_and_looking_at_it_does_not() {
    let driver = Driver::new(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let session = opening(&driver, 100).await.expect("a session");
    for command in [lock(session), unlock(session), unlock(session), issue(session)] {
        sleep(99).await;
        driver.request(session, command).await.expect("an answer").hand_over();
    }
    sleep(99).await;
    let _ = driver.holds(session, "none", "none").await.expect("an answer");
    sleep(99).await;
    assert!(lives(&driver, session));
    sleep(1).await;
    assert!(!lives(&driver, session));
    assert_eq!(driver.refresh(&session).await, Ok(false), "nothing brings it back");
}

#[tokio::test(start_paused = true)]
async fn a_slow_sync_expires_nobody() {
    let driver = Driver::gated(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let mut opened = begun(opening(&driver, 100));
    sleep(5000).await;
    assert!(waits(&mut opened));
    driver.make_durable();
    // Its ttl counts from the moment its id was sent.
    let session = answered(opened);
    sleep(90).await;
    let mut locked = begun(driver.request(session, lock(session)));
    sleep(5000).await;
    assert!(waits(&mut locked));
    driver.make_durable();
    assert!(handed_over(&answered(locked)).is_some());
    sleep(90).await;
    assert!(lives(&driver, session));
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_by_itself_after_a_slow_sync_too() {
    let driver = Driver::gated(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let opened = begun(opening(&driver, 100));
    sleep(5000).await;
    driver.make_durable();
    let session = answered(opened);
    sleep(100 + u64::from(EXPIRE_MS)).await;
    driver.make_durable();
    // Had it not ended yet, looking would end it, and the answer would have to wait for that.
    let seen = driver.query(|machine| machine.has_session(&session)).now_or_never();
    assert_eq!(seen, Some(Ok(false)), "it ended only when somebody asked");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_slow_for_a_sync_keeps_its_session() {
    let driver = Driver::gated(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let (other, session) = (open(&driver, 60_000), open(&driver, 100));
    let locked = begun(driver.request(other, lock(other)));
    let looked = begun(driver.holds(session, "none", "none"));
    sleep(5000).await;
    driver.make_durable();
    assert!(handed_over(&answered(locked)).is_some());
    assert!(answered(looked).is_err(), "there is no such resource");
    assert!(lives(&driver, session));
}

#[tokio::test(start_paused = true)]
async fn a_wait_keeps_its_session_and_the_sync_behind_it_does_too() {
    let driver = Driver::gated(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let (one, two) = (open(&driver, 60_000), open(&driver, 100));
    handed_over(&settled(&driver, driver.request(one, lock(one))));
    let theirs = driver.clone();
    let waiting = tokio::spawn(async move {
        let answer = theirs.request_waiting(two, 20_000, lock_waiting(two)).await;
        handed_over(&answer.expect("an answer"))
    });
    sleep(5000).await;
    let unlocked = begun(driver.request(one, unlock(one)));
    sleep(5000).await;
    assert!(!waiting.is_finished(), "granted, but not durable");
    driver.make_durable();
    answered(unlocked);
    assert!(waiting.await.expect("no panic").is_some());
    assert!(lives(&driver, two));
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_server_expires_nobody() {
    let driver = Driver::new(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let one = opening(&driver, 1000).await.expect("a session");
    let two = opening(&driver, 60_000).await.expect("a session");
    handed_over(&driver.request(one, lock(one)).await.expect("an answer"));
    let mut waiting = begun(driver.request_waiting(two, 2000, lock_waiting(two)));
    for _ in 0..10 {
        sleep(50).await;
        jump(3_600_000).await;
        assert!(waits(&mut waiting));
    }
    // Half a second has passed for the server, so about half a second is left.
    sleep(400).await;
    assert!(lives(&driver, one));
    assert!(waits(&mut waiting));
    let took = duration_ms(async {
        assert!(handed_over(&waiting.await.expect("an answer")).is_some());
    })
    .await;
    assert!(took <= 600 + u128::from(EXPIRE_MS), "{took}: the deadlines moved, but not for ever");
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_found_out_by_whoever_comes_first() {
    let driver = Driver::new(EXPIRE_MS);
    // Nobody runs beside it: the request finds the server late.
    let session = opening(&driver, 1000).await.expect("a session");
    jump(86_400_000).await;
    assert!(lives(&driver, session));
    let issued = driver.request(session, issue(session)).await.expect("an answer");
    assert_eq!(issued.reply, Ok(Reply::Done));
}

#[tokio::test(start_paused = true)]
async fn a_server_with_nothing_to_do_was_not_late() {
    let driver = Driver::new(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    for _ in 0..3 {
        jump(3_600_000).await;
        let session = opening(&driver, 1000).await.expect("a session");
        sleep(999).await;
        assert!(lives(&driver, session));
        sleep(1).await;
        assert!(!lives(&driver, session));
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_that_fall_due_together_grant_each_other_nothing() {
    let driver = Driver::new(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let one = opening(&driver, 1000).await.expect("a session");
    let two = opening(&driver, 1000).await.expect("a session");
    let three = opening(&driver, 60_000).await.expect("a session");
    let first = handed_over(&driver.request(one, lock(one)).await.expect("an answer"));
    // A wait by socket does not keep its session.
    let wait_request = WaitRequest { origin: WaitOrigin::Socket, timeout: WaitTimeout::Session };
    let queued = driver.request(two, lock_waiting(two)(wait_request)).await.expect("an answer");
    assert!(matches!(queued.reply, Ok(Reply::Queued { position: 1, .. })));
    let next = driver.request_waiting(three, 60_000, lock_waiting(three));
    let third = handed_over(&next.await.expect("an answer"));
    assert_eq!(third, first.map(|fence| Fence(fence.0 + 1)));
    assert_eq!(counts(&driver).sessions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_away_answers_those_who_wait_and_lets_nobody_wait_any_more() {
    let driver = Driver::gated(EXPIRE_MS);
    let (one, two) = (open(&driver, 60_000), open(&driver, 60_000));
    handed_over(&settled(&driver, driver.request(one, lock(one))));
    let mut waiting = begun(driver.request_waiting(two, 60_000, lock_waiting(two)));
    driver.stop_waiting();
    assert!(waits(&mut waiting), "this, too, is said when it is durable");
    driver.make_durable();
    assert_eq!(fence(&answered(waiting)), None);
    let late = begun(driver.request_waiting(two, 60_000, lock_waiting(two)));
    driver.make_durable();
    assert_eq!(fence(&answered(late)), None);
    assert_eq!(counts(&driver).waits, 0);
}
