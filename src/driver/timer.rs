//! The task that comes when something falls due.

use super::visit::{Door, Tick};

/// Comes by whenever something falls due. Runs until it is dropped.
pub(super) async fn run(door: &Door) {
    let mut had_backlog = false;
    loop {
        let tick = door.visit_as_driver().tick(had_backlog);
        had_backlog = matches!(tick, Tick::AtOnce);
        match tick {
            // Whoever waits for the lock goes before the next slice.
            Tick::AtOnce => tokio::task::yield_now().await,
            Tick::At(wake) => tokio::select! {
                () = tokio::time::sleep_until(wake) => {}
                () = door.earlier.notified() => {}
            },
            Tick::WhenWoken => door.earlier.notified().await,
        }
    }
}
