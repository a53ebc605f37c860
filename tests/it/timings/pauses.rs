//! Resources that stand still, and what is served when that ends.

use super::*;

fn pause(session: SessionId, resource: &str, paused: bool) -> Command {
    Command::Pause { session: Some(session), resource: name(resource), paused }
}

#[tokio::test(start_paused = true)]
async fn behind_a_pause_waits_are_served_a_thousand_at_a_time_and_others_have_their_turn() {
    const MANY: u32 = 2500;
    let driver = driver();
    let (boss, worker) = (connect(&driver, "boss"), connect(&driver, "w"));
    command(&boss, pause(boss.session(), "jobs", true));
    for number in 0..MANY {
        let stays = TicketTerms { stay: true, ..TicketTerms::default() };
        command(&boss, issue(boss.session(), &format!("t{number}"), stays));
        command(&worker, claim_waiting(worker.session(), WaitTimeout::Session));
    }
    assert_eq!(query(&driver, |machine| machine.figures("jobs").waiting).await, MANY);
    let ended = command(&boss, pause(boss.session(), "jobs", false));
    assert_eq!(ended, "Served { more: true }");
    assert_eq!(command(&boss, claim(boss.session(), None)), "NotGranted", "until all are served");
    let waiting = query(&driver, |machine| machine.figures("jobs").waiting).await;
    assert_eq!(waiting, MANY - 1000, "who comes is not held up by it");
    pass(1).await;
    let figures = query(&driver, |machine| machine.figures("jobs")).await;
    assert_eq!((figures.held, figures.waiting, figures.paused), (MANY, 0, false));
    let stays = TicketTerms::default();
    command(&boss, issue(boss.session(), "one more", stays));
    assert_eq!(command(&boss, claim(boss.session(), None)), "granted");
}

#[tokio::test(start_paused = true)]
async fn a_pause_amid_serving_ends_it_and_the_next_end_begins_it_anew() {
    let driver = driver();
    let (boss, worker) = (connect(&driver, "boss"), connect(&driver, "w"));
    command(&boss, pause(boss.session(), "jobs", true));
    for number in 0..1500 {
        command(&boss, issue(boss.session(), &format!("t{number}"), TicketTerms::default()));
        command(&worker, claim_waiting(worker.session(), WaitTimeout::Session));
    }
    command(&boss, pause(boss.session(), "jobs", false));
    command(&boss, pause(boss.session(), "jobs", true));
    sleep(100).await;
    assert_eq!(query(&driver, |machine| machine.figures("jobs").waiting).await, 500);
    command(&boss, pause(boss.session(), "jobs", false));
    pass(1).await;
    assert_eq!(query(&driver, |machine| machine.figures("jobs").waiting).await, 0);
}
