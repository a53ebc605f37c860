//! What a restart makes of what ends by itself: holds and lost holds begin anew in full, delays end
//! when they were to end, by the wall clock.

use ticketd::machine::{TicketState, TicketStateKind};

use super::kept::{Kept, WALL_MS};
use super::*;

#[tokio::test(start_paused = true)]
async fn holds_and_lost_holds_begin_anew_in_full() {
    for from_snapshot in [false, true] {
        let mut kept = Kept::new();
        let worker = kept.open(new_session("w", 600_000));
        let lost = kept.open(lingering("lost", 600_000, 2000));
        kept.done(worker, issue(worker, "t", TicketTerms::default()));
        kept.done(worker, claim(worker, Some(2000)));
        kept.done(lost, lock(lost));
        kept.done(lost, Command::Close { session: lost, by_other: true });
        sleep(1900).await;
        let mut kept =
            if from_snapshot { kept.restart_from_snapshot(0) } else { kept.restart(WALL_MS * 2) };
        sleep(1999).await;
        assert_eq!((kept.figures("jobs"), kept.figures("db")), ((0, 1, 0), (0, 1, 0)));
        pass(1).await;
        assert_eq!((kept.figures("jobs"), kept.figures("db")), ((1, 0, 0), (0, 0, 0)));
    }
}

/// A ticket that is delayed by 10 s, restarted so long before the delay was to end.
async fn restarted(before_end_ms: i64, from_snapshot: bool) -> Kept {
    let mut kept = Kept::new();
    let worker = kept.open(new_session("w", 600_000));
    let terms = TicketTerms { delay_ms: 10_000, ..TicketTerms::default() };
    kept.done(worker, issue(worker, "t", terms));
    let page =
        kept.look(|machine| machine.tickets_page("jobs", Some(TicketStateKind::Delayed), 0, 10));
    let TicketState::Delayed { until_ms } = page[0].state else { panic!("{page:?}") };
    let wall_ms = until_ms.saturating_add_signed(-before_end_ms);
    if from_snapshot { kept.restart_from_snapshot(wall_ms) } else { kept.restart(wall_ms) }
}

#[tokio::test(start_paused = true)]
async fn of_a_delay_is_left_what_the_wall_clock_says_but_no_more_than_all_of_it() {
    for from_snapshot in [false, true] {
        for (before_end_ms, left_ms) in [(3000, 3000), (86_400_000, 10_000)] {
            let mut kept = restarted(before_end_ms, from_snapshot).await;
            sleep(left_ms - 1).await;
            assert_eq!(kept.figures("jobs"), (0, 0, 1), "{before_end_ms}");
            pass(1).await;
            assert_eq!(kept.figures("jobs"), (1, 0, 0), "{before_end_ms}");
        }
        let mut kept = restarted(-1, from_snapshot).await;
        assert_eq!(kept.figures("jobs"), (1, 0, 0), "it ended while nobody served");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_there_again_and_so_is_what_was_yet_to_be_served() {
    let mut kept = Kept::new();
    let worker = kept.open(new_session("w", 600_000));
    let pause = |paused| Command::Pause { session: None, resource: name("jobs"), paused };
    kept.done(worker, pause(true));
    let mut kept = kept.restart(WALL_MS);
    assert!(kept.look(|machine| machine.figures("jobs").paused));
    for number in 0..2200 {
        let ticket = format!("t{number}");
        kept.done(worker, issue(worker, &ticket, TicketTerms::default()));
        kept.done(worker, claim_waiting(worker, WaitTimeout::Session));
    }
    assert_eq!(kept.done(worker, pause(false)), Reply::Served { more: true });
    // It ends before the driver could go on.
    let mut kept = kept.restart(WALL_MS);
    pass(1).await;
    assert_eq!(kept.figures("jobs"), (0, 2200, 0));
}
