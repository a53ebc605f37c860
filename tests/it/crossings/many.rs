//! Many sessions whose time is up together: they end in slices, and as if in one step.
//!
//! 50 000 that fell due together were ended in one visit to the lock, which held up everybody for
//! up to 280 ms.

use std::time::Duration;

use super::*;

const MANY: usize = 1700;

fn lock_of(session: SessionId, resource: &str) -> Command {
    Command::Lock { session, resource: name(resource), wait_request: None, ask: LockAsk::default() }
}

async fn opened(driver: &Driver, ttl_ms: i64) -> SessionId {
    opening(driver, ttl_ms).await.expect("a session")
}

#[tokio::test(start_paused = true)]
async fn nothing_is_granted_to_one_that_falls_due_in_a_later_slice() {
    let driver = Driver::new(500);
    tokio::spawn(driver.clone().run());
    let heir = opened(&driver, 60_000).await;
    let mut doomed = Vec::new();
    for _ in 0..MANY {
        doomed.push(opened(&driver, 1000).await);
    }
    // The first to be opened holds all that the later ones, and behind them the heir, wait for.
    let first = doomed[0];
    handed_over(&driver.request(first, lock(first)).await.expect("an answer"));
    let origin = ticketd::machine::WaitOrigin::Socket;
    let wait_request =
        Some(WaitRequest { origin, timeout: ticketd::machine::WaitTimeout::Session });
    for &session in &doomed[1..] {
        let command =
            Command::Lock { session, resource: name("db"), wait_request, ask: LockAsk::default() };
        driver.request(session, command).await.expect("an answer");
    }
    let own = lock_of(doomed[MANY - 1], "own");
    handed_over(&driver.request(doomed[MANY - 1], own).await.expect("an answer"));
    let before = counts(&driver);
    assert_eq!((before.sessions, before.waits, before.locks), (MANY + 1, MANY - 1, 2));
    let next_fence = driver.query(ticketd::machine::Machine::next_fence).await.expect("a look");

    let inherited = driver.request_waiting(heir, 60_000, lock_waiting(heir));
    let inherited = inherited.await.expect("an answer");

    let fence = handed_over(&inherited).expect("it is the heir's");
    assert_eq!(fence, next_fence, "somebody had it in between");
    // The last one's own lock goes with its slice, which may come later.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let after = counts(&driver);
    assert_eq!((after.sessions, after.waits, after.locks), (1, 0, 1));
    assert_eq!(driver.refresh(&doomed[MANY - 1]).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn others_are_served_between_the_slices() {
    let driver = Driver::new(500);
    let heir = opened(&driver, 60_000).await;
    for number in 0..MANY {
        let session = opened(&driver, 1000).await;
        let command = lock_of(session, &format!("lock {number}"));
        handed_over(&driver.request(session, command).await.expect("an answer"));
    }
    let running = tokio::spawn(driver.clone().run());
    // Whoever visits sees slices only: more each time the timer has come, and none for visiting.
    let mut seen = Vec::new();
    while seen.last() != Some(&(1, 0)) {
        tokio::time::sleep(Duration::from_micros(500)).await;
        assert_eq!(driver.refresh(&heir).await, Ok(true));
        for _ in 0..10 {
            let now = counts(&driver);
            if seen.last() != Some(&(now.sessions, now.locks)) {
                seen.push((now.sessions, now.locks));
            }
            tokio::task::yield_now().await;
        }
    }
    running.abort();
    let steps = seen.windows(2).map(|pair| (pair[0].0 - pair[1].0, pair[0].1 - pair[1].1));
    for (ended, passed_on) in steps {
        assert!(ended <= 500 && passed_on <= 500, "{ended} and {passed_on} in one visit");
    }
    let all_end_first = seen.iter().all(|&(sessions, locks)| sessions == 1 || locks == MANY);
    assert!(all_end_first && seen.len() > 4, "{seen:?}");
}

/// A slice counted sessions and not what they had: 500 with 400 tickets each held everybody up for
/// 30 ms.
#[tokio::test(start_paused = true)]
async fn few_that_have_much_end_in_slices_too() {
    const RICH: usize = 60;
    const LOCKS: usize = 100;
    let driver = Driver::new(500);
    let mut all = Vec::new();
    for _ in 0..RICH {
        all.push(opened(&driver, 1000).await);
    }
    for (number, &session) in all.iter().enumerate() {
        for lock in 0..LOCKS {
            let command = lock_of(session, &format!("lock {number} {lock}"));
            handed_over(&driver.request(session, command).await.expect("an answer"));
        }
    }
    let running = tokio::spawn(driver.clone().run());
    let mut seen = vec![RICH * LOCKS];
    tokio::time::sleep(Duration::from_millis(999)).await;
    while seen.last() != Some(&0) {
        tokio::time::advance(Duration::from_micros(500)).await;
        let now = counts(&driver);
        assert_eq!(now.locks % LOCKS, 0, "a session ends in one step");
        if seen.last() != Some(&now.locks) {
            seen.push(now.locks);
        }
    }
    running.abort();
    assert!(seen.windows(2).all(|pair| pair[0] - pair[1] <= 2600), "{seen:?}");
}
