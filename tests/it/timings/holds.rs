//! Claims that last for a time.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_claim_is_told_of_its_end_and_ends_and_another_has_the_ticket() {
    let driver = driver();
    let (issuer, worker, next) =
        (connect(&driver, "issuer"), connect(&driver, "w"), connect(&driver, "n"));
    command(&issuer, issue_loudly(issuer.session(), "t"));
    assert_eq!(command(&worker, claim(worker.session(), Some(1000))), "granted");
    let waits = claim_waiting(next.session(), WaitTimeout::Session);
    assert_eq!(command(&next, waits), "place 1");
    heard(&issuer);
    sleep(749).await;
    assert!(heard(&worker).is_empty());
    pass(1).await;
    assert_eq!(heard(&worker), ["t expiring, left 250"]);
    sleep(249 - LATE_MS).await;
    assert!(heard(&worker).is_empty() && heard(&next).is_empty());
    pass(1).await;
    assert_eq!(heard(&worker), ["t revoked: TimedOut"]);
    assert_eq!(heard(&next), ["granted"]);
    let told = heard(&issuer);
    assert_eq!(told[0], "released: TimedOut, attempt 1, dead false", "{told:?}");
    assert_eq!(command(&worker, touch(worker.session(), "t", None)), "NotHolder");
}

#[tokio::test(start_paused = true)]
async fn of_a_long_hold_half_a_minute_is_left_when_it_is_told() {
    let driver = driver();
    let worker = connect(&driver, "w");
    let terms = TicketTerms { hold_ms: Some(600_000), ..TicketTerms::default() };
    command(&worker, issue(worker.session(), "t", terms));
    assert_eq!(command(&worker, claim(worker.session(), None)), "granted");
    heard(&worker);
    sleep(569_999).await;
    assert!(heard(&worker).is_empty());
    pass(1).await;
    assert_eq!(heard(&worker), ["t expiring, left 30000"]);
}

#[tokio::test(start_paused = true)]
async fn a_touch_begins_it_anew_and_comes_too_late_at_the_very_end() {
    let driver = driver();
    let worker = connect(&driver, "w");
    let session = worker.session();
    command(&worker, issue(session, "t", TicketTerms::default()));
    command(&worker, claim(session, Some(1000)));
    sleep(999).await;
    assert_eq!(command(&worker, touch(session, "t", None)), "Touched(Some(1000))");
    sleep(999).await;
    assert_eq!(command(&worker, touch(session, "t", Some(2000))), "Touched(Some(2000))");
    sleep(1500).await;
    heard(&worker);
    sleep(500).await;
    // Whoever comes first, the timer or the request, finds it ended.
    assert_eq!(command(&worker, touch(session, "t", None)), "NotHolder");
    // What has no time is given one by a touch, and keeps none without.
    command(&worker, claim(session, None));
    assert_eq!(command(&worker, touch(session, "t", None)), "Touched(None)");
    sleep(10_000).await;
    assert_eq!(command(&worker, touch(session, "t", Some(100))), "Touched(Some(100))");
    pass(100).await;
    assert_eq!(heard(&worker).last().map(String::as_str), Some("t revoked: TimedOut"));
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_is_told_what_is_left_and_so_is_who_looks() {
    let driver = driver();
    let worker = connect(&driver, "w");
    let session = worker.session();
    command(&worker, issue(session, "t", TicketTerms::default()));
    command(&worker, claim(session, Some(1000)));
    sleep(400).await;
    let (resource, ticket) = (name("jobs"), Some(name("t")));
    let (wait_request, again, hold_ms) = (None, true, Some(5000));
    let claim = Command::Claim { session, resource, ticket, wait_request, again, hold_ms };
    assert_eq!(command(&worker, claim.clone()), "confirmed, left 600", "only touch begins it anew");
    let answer: Answer = driver.request(session, claim).await.expect("the server is there");
    assert_eq!(answer.left_ms, Some(600));
    let looked = driver.look(&name("jobs"), 10).await.expect("the server is there");
    let fence = looked.view.holders[0].fence;
    assert_eq!(looked.lefts.get(fence), Some(600));
    let page = driver.tickets_page("jobs", None, 0, 10).await.expect("the server is there");
    assert_eq!(page[0].1, Some(600));
    assert!(socket_is_told_in_its_state(&worker, fence, 600));
}

fn socket_is_told_in_its_state(socket: &Connection, fence: Fence, left_ms: u32) -> bool {
    heard(socket);
    assert!(socket.ask([(Some(1), Asked::State)]));
    match socket.outbox().try_next() {
        Some(Next::Message(Message::Answer(_, Answered::State(state)))) => {
            state.lefts.get(fence) == Some(left_ms)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_server_runs_no_hold_down() {
    let driver = driver();
    let worker = connect(&driver, "w");
    command(&worker, issue(worker.session(), "t", TicketTerms::default()));
    command(&worker, claim(worker.session(), Some(2000)));
    for _ in 0..10 {
        sleep(50).await;
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(heard(&worker).iter().all(|told| !told.contains("revoked")));
    }
    // Half a second has passed for the server.
    sleep(1000).await;
    assert_eq!(command(&worker, touch(worker.session(), "t", None)), "Touched(Some(2000))");
}

/// The answer to a claim by REST reached nobody: the ticket was not tried.
#[tokio::test(start_paused = true)]
async fn what_nobody_was_told_of_counts_as_no_attempt() {
    let driver = Driver::gated(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    let opening = |who| {
        let mut opening = Box::pin(driver.open(new_session(who, 60_000), None));
        assert!((&mut opening).now_or_never().is_none());
        driver.make_durable();
        opening.now_or_never().expect("it is durable").expect("the server is there")
    };
    let (issuer, worker) = (opening("i"), opening("w"));
    let once = TicketTerms { attempts: Some(1), stay: true, ..TicketTerms::default() };
    let _ = driver.request(issuer, issue(issuer, "t", once)).now_or_never();
    let mut asked = Box::pin(driver.request(worker, claim(worker, Some(100))));
    assert!((&mut asked).now_or_never().is_none(), "it is not durable");
    drop(asked);
    let mut looking = Box::pin(driver.query(|machine| machine.figures("jobs")));
    assert!((&mut looking).now_or_never().is_none(), "that it was undone is not durable");
    driver.make_durable();
    let figures = looking.now_or_never().expect("it is durable").expect("the server is there");
    assert_eq!((figures.free, figures.held, figures.dead), (1, 0, 0));
}
