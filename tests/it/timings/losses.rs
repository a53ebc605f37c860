//! Holds of sessions that are lost, which stay for a while as nobody's.

use ticketd::machine::Party;

use super::*;

#[tokio::test(start_paused = true)]
async fn the_lock_of_a_lost_session_passes_on_when_its_delay_is_over() {
    let driver = driver();
    let lost = driver.open(lingering("lost", 1000, 5000), None).await.expect("it works");
    let next = connect(&driver, "next");
    request(&driver, lost, lock(lost)).await.expect("it is free");
    let waits = lock_waiting(next.session(), WaitTimeout::Session);
    assert_eq!(command(&next, waits), "place 1");
    pass(1000).await;
    assert!(!driver.refresh(&lost).await.expect("the server is there"));
    let looked = driver.look(&name("db"), 10).await.expect("the server is there");
    let [holder] = &looked.view.holders[..] else { panic!("{looked:?}") };
    assert!(matches!(&holder.party, Party::Gone(name) if name.as_str() == "lost"));
    let left_ms = looked.lefts.get(holder.fence).expect("it ends by itself");
    assert!((4990..=5000).contains(&left_ms), "{left_ms}");
    sleep(u64::from(left_ms) - 1).await;
    assert!(heard(&next).is_empty());
    pass(1).await;
    assert_eq!(heard(&next), ["granted"]);
}

#[tokio::test(start_paused = true)]
async fn who_closes_itself_leaves_nothing_and_who_is_closed_does() {
    let driver = driver();
    let next = connect(&driver, "next");
    for by_other in [false, true] {
        let session = driver.open(lingering("w", 60_000, 300), None).await.expect("it works");
        request(&driver, session, lock(session)).await.expect("it is free");
        let close = Command::Close { session, by_other };
        request(&driver, session, close).await.expect("it lives");
        let expected = if by_other { "NotGranted" } else { "granted" };
        assert_eq!(command(&next, lock(next.session())), expected);
        command(&next, unlock(next.session()));
        pass(300).await;
        assert_eq!(command(&next, lock(next.session())), "granted");
        command(&next, unlock(next.session()));
    }
}

#[tokio::test(start_paused = true)]
async fn force_ends_it_before_and_nothing_is_due_then() {
    let driver = driver();
    let lost = driver.open(lingering("lost", 1000, 60_000), None).await.expect("it works");
    request(&driver, lost, lock(lost)).await.expect("it is free");
    pass(1000).await;
    let (by, resource, ticket, fence) = (None, name("db"), None, None);
    let force = Command::Force { by, resource, ticket, fence };
    let answer = driver.request_of(Outsider::default(), force).await.expect("the server is there");
    assert_eq!(answer.reply, Ok(Reply::Done));
    let next = connect(&driver, "next");
    assert_eq!(command(&next, lock(next.session())), "granted");
    sleep(60_000).await;
    assert_eq!(query(&driver, |machine| machine.counts().locks).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_lost_has_ended_though_its_ticket_is_free_later() {
    let driver = driver();
    let issuer = connect(&driver, "issuer");
    command(&issuer, issue_loudly(issuer.session(), "t"));
    let lost = driver.open(lingering("lost", 1000, 5000), None).await.expect("it works");
    request(&driver, lost, claim(lost, Some(100_000))).await.expect("it is free");
    heard(&issuer);
    pass(1000).await;
    assert_eq!(heard(&issuer), ["released: Gone, attempt 1, dead false"]);
    assert_eq!(query(&driver, |machine| machine.figures("jobs").held).await, 1);
    pass(5000).await;
    assert_eq!(query(&driver, |machine| machine.figures("jobs").free).await, 1);
    assert!(heard(&issuer).is_empty(), "that was told before");
}
