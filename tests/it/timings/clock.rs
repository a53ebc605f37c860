//! What time it is, for the machine.

use super::*;

async fn clock_ms(driver: &Driver) -> u64 {
    query(driver, |machine| machine.snapshot().clock_ms).await
}

#[tokio::test(start_paused = true)]
async fn the_machine_is_told_once_a_second_and_only_ahead_of_something_else() {
    let driver = driver();
    assert_eq!(clock_ms(&driver).await, 0, "nobody has asked for anything");
    sleep(10_000).await;
    assert_eq!(clock_ms(&driver).await, 0);
    let worker = connect(&driver, "w");
    let first = clock_ms(&driver).await;
    assert!(first > 0, "a session was opened");
    // Who looks and who beats asks for nothing that would have to be kept.
    std::thread::sleep(Duration::from_millis(5));
    sleep(5000).await;
    ask(&worker, Asked::Beat);
    assert_eq!(clock_ms(&driver).await, first);
    command(&worker, lock(worker.session()));
    let second = clock_ms(&driver).await;
    assert!(second > first);
    std::thread::sleep(Duration::from_millis(5));
    sleep(999).await;
    command(&worker, unlock(worker.session()));
    assert_eq!(clock_ms(&driver).await, second, "less than a second has passed");
    sleep(1).await;
    command(&worker, lock(worker.session()));
    assert!(clock_ms(&driver).await > second);
}
