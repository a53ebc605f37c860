//! What systemd is told, and what it gives: a socket that it has bound, and a watchdog to feed.
//! Without systemd none of it does anything.

use std::net::TcpListener;
use std::time::Duration;

use sd_notify::NotifyState;

/// The socket that was bound for this program, if one was.
pub(super) fn socket() -> Result<Option<TcpListener>, String> {
    let mut given = listenfd::ListenFd::from_env();
    match given.len() {
        0 => Ok(None),
        1 => given.take_tcp_listener(0).map_err(|why| format!("the socket that was given: {why}")),
        many => Err(format!("{many} sockets were given, and one is needed")),
    }
}

/// It serves.
pub(super) fn ready() {
    say(&[NotifyState::Ready]);
}

/// It reads its files again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => say(&[NotifyState::Reloading, now]),
        Err(why) => tracing::debug!(%why, "no monotonic clock"),
    }
}

/// It stops.
pub(super) fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// What is shown of it.
pub(super) fn status(text: &str) {
    say(&[NotifyState::Status(text)]);
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(why) = sd_notify::notify(false, states) {
        tracing::debug!(%why, "systemd");
    }
}

/// Feeds the watchdog as long as the heart beats. Never returns.
pub(super) async fn feed(heart: impl AsyncFn() -> bool) {
    let mut limit_us = 0;
    if !sd_notify::watchdog_enabled(false, &mut limit_us) {
        return std::future::pending().await;
    }
    let every = Duration::from_micros(limit_us / 3).max(Duration::from_millis(1));
    loop {
        if heart().await {
            say(&[NotifyState::Watchdog]);
        } else {
            tracing::error!("the clockwork stands still: the watchdog is not fed");
        }
        tokio::time::sleep(every).await;
    }
}
