//! What is due at one instant: what frees comes before what gives up, and sessions before all.

use super::*;

/// Ends of holds, of lost holds and of delays each come before the end of a wait.
#[tokio::test(start_paused = true)]
async fn a_wait_whose_time_is_up_is_granted_what_is_free_at_that_instant() {
    let driver = driver();
    let (issuer, one, two) =
        (connect(&driver, "issuer"), connect(&driver, "one"), connect(&driver, "two"));
    let waits = || claim_waiting(two.session(), WaitTimeout::Ms(1000));
    command(&issuer, issue(issuer.session(), "t", TicketTerms::default()));
    assert_eq!(command(&one, claim(one.session(), Some(1000))), "granted");
    assert_eq!(command(&two, waits()), "place 1");
    pass(1000).await;
    assert_eq!(heard(&two), ["granted"]);
    let later = Parting { delay_ms: 1000, ..Parting::default() };
    assert_eq!(command(&two, waits()), "place 1");
    assert_eq!(command(&two, release(two.session(), "t", later)), "Released(true)");
    pass(1000).await;
    assert_eq!(heard(&two), ["granted"]);
    let lost = driver.open(lingering("lost", 60_000, 1000), None).await.expect("it works");
    request(&driver, lost, lock(lost)).await.expect("it is free");
    assert_eq!(command(&two, lock_waiting(two.session(), WaitTimeout::Ms(1000))), "place 1");
    let close = Command::Close { session: lost, by_other: true };
    request(&driver, lost, close).await.expect("it lives");
    pass(1000).await;
    assert_eq!(heard(&two), ["granted"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_at_that_instant_is_granted_nothing() {
    let driver = driver();
    let (issuer, worker, next) =
        (connect(&driver, "issuer"), connect(&driver, "w"), connect(&driver, "next"));
    let ends = connect_as(&driver, new_session("ends", 1000));
    command(&issuer, issue(issuer.session(), "t", TicketTerms::default()));
    assert_eq!(command(&worker, claim(worker.session(), Some(1000))), "granted");
    let waits = |socket: &Connection| claim_waiting(socket.session(), WaitTimeout::Session);
    assert_eq!(command(&ends, waits(&ends)), "place 1");
    assert_eq!(command(&next, waits(&next)), "place 2");
    pass(1000).await;
    assert_eq!(heard(&next), ["granted"]);
    assert!(heard(&ends).is_empty());
}

/// More than one visit ends: holds first, all of them, then waits.
#[tokio::test(start_paused = true)]
async fn it_is_so_with_more_than_a_slice() {
    const MANY: usize = 1300;
    let driver = driver();
    let (holder, waiter) = (connect(&driver, "holder"), connect(&driver, "waiter"));
    for number in 0..MANY {
        let ticket = format!("t{number}");
        command(&holder, issue(holder.session(), &ticket, TicketTerms::default()));
        heard(&holder);
        assert_eq!(command(&holder, claim(holder.session(), Some(1000))), "granted");
    }
    for _ in 0..MANY {
        command(&waiter, claim_waiting(waiter.session(), WaitTimeout::Ms(1000)));
    }
    // Nobody reads so much at once: the sockets are ended, the sessions live on.
    pass(1000).await;
    let counts = query(&driver, |machine| machine.counts()).await;
    assert_eq!((counts.claims, counts.waits), (MANY, 0));
    let session = waiter.session();
    let held = query(&driver, |machine| machine.stakes(&session).map(|it| it.claims)).await;
    assert_eq!(held, Some(MANY));
}

#[tokio::test(start_paused = true)]
async fn what_is_due_is_applied_before_a_request() {
    let driver = driver();
    let (worker, next) = (connect(&driver, "w"), connect(&driver, "next"));
    command(&worker, issue(worker.session(), "t", TicketTerms::default()));
    command(&worker, claim(worker.session(), Some(500)));
    sleep(500).await;
    assert_eq!(command(&next, claim(next.session(), None)), "granted");
    let delayed = TicketTerms { delay_ms: 500, ..TicketTerms::default() };
    command(&worker, issue(worker.session(), "u", delayed));
    sleep(500).await;
    assert_eq!(command(&next, claim(next.session(), None)), "granted");
}
