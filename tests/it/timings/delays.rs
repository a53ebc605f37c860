//! Tickets that are free only later.

use super::*;

fn delayed(delay_ms: u32) -> TicketTerms {
    TicketTerms { delay_ms, ..TicketTerms::default() }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_ticket_is_free_when_its_delay_is_over() {
    let driver = driver();
    let (issuer, worker) = (connect(&driver, "issuer"), connect(&driver, "w"));
    command(&issuer, issue(issuer.session(), "t", delayed(2000)));
    assert_eq!(command(&worker, claim(worker.session(), None)), "NotGranted");
    let waits = claim_waiting(worker.session(), WaitTimeout::Session);
    assert_eq!(command(&worker, waits), "place 1");
    sleep(1999).await;
    assert!(heard(&worker).is_empty());
    pass(1).await;
    assert_eq!(heard(&worker), ["granted"]);
}

#[tokio::test(start_paused = true)]
async fn issued_again_without_a_delay_it_is_free_at_once_and_with_one_it_begins_anew() {
    let driver = driver();
    let (issuer, worker) = (connect(&driver, "issuer"), connect(&driver, "w"));
    command(&issuer, issue(issuer.session(), "t", delayed(2000)));
    command(&issuer, issue(issuer.session(), "t", TicketTerms::default()));
    assert_eq!(command(&worker, claim(worker.session(), None)), "granted");
    let later = Parting { delay_ms: 1000, ..Parting::default() };
    assert_eq!(command(&worker, release(worker.session(), "t", later)), "Released(true)");
    sleep(900).await;
    command(&issuer, issue(issuer.session(), "t", delayed(3000)));
    sleep(2900).await;
    assert_eq!(command(&worker, claim(worker.session(), None)), "NotGranted");
    pass(100).await;
    assert_eq!(command(&worker, claim(worker.session(), None)), "granted");
    sleep(10_000).await;
    assert_eq!(query(&driver, |machine| machine.figures("jobs").held).await, 1);
}
