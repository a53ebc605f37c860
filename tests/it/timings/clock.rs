//! What time it is, for the machine.

use super::kept::{Kept, WALL_MS};
use super::*;

fn clock_ms(kept: &mut Kept) -> u64 {
    kept.look(|machine| machine.snapshot().clock_ms)
}

#[tokio::test(start_paused = true)]
async fn the_machine_is_told_once_a_second_and_only_ahead_of_something_else() {
    let mut kept = Kept::new();
    sleep(10_000).await;
    assert_eq!((clock_ms(&mut kept), kept.commands()), (0, 1), "only the start is kept");
    let worker = kept.open(new_session("w", 86_400_000));
    assert_eq!((clock_ms(&mut kept), kept.commands()), (WALL_MS + 10_000, 3));
    // Who looks, and who says that it is there, asks for nothing that would have to be kept.
    sleep(5000).await;
    assert_eq!(kept.driver.refresh(&worker).await, Ok(true));
    assert_eq!((clock_ms(&mut kept), kept.commands()), (WALL_MS + 10_000, 3));
    kept.done(worker, lock(worker));
    assert_eq!((clock_ms(&mut kept), kept.commands()), (WALL_MS + 15_000, 5));
    sleep(999).await;
    kept.done(worker, unlock(worker));
    assert_eq!((clock_ms(&mut kept), kept.commands()), (WALL_MS + 15_000, 6));
    sleep(1).await;
    kept.done(worker, lock(worker));
    assert_eq!((clock_ms(&mut kept), kept.commands()), (WALL_MS + 16_000, 8));
}

#[tokio::test(start_paused = true)]
async fn grants_and_waits_are_stamped_with_it() {
    let mut kept = Kept::new();
    sleep(2500).await;
    let (holder, waiter) =
        (kept.open(new_session("h", 60_000)), kept.open(new_session("w", 60_000)));
    kept.done(holder, lock(holder));
    sleep(1500).await;
    kept.done(waiter, lock_waiting(waiter, WaitTimeout::Session));
    let seen = kept.look(|machine| machine.look("db", 10));
    assert_eq!(seen.holders[0].since_ms, WALL_MS + 2500);
    assert_eq!(seen.waiters[0].since_ms, WALL_MS + 4000);
}
