//! Who lives and who does not, in real time. (To the millisecond: see the handler's own tests.)

use std::time::Duration;

use serde_json::json;
use ticketd::server::Config;
use tokio::time::{sleep, timeout};

use super::client::{Running, now, start_with};

/// A machine that is too busy to run this process for a while should expire nobody: the server
/// then leaves out all pauses above this.
const EXPIRE_MS: u32 = 50;

async fn start() -> Running {
    start_with(Config { expire_ms: EXPIRE_MS, ..Config::default() }).await
}

#[tokio::test]
async fn an_idle_session_lives_on_answered_pings_alone() {
    let server = start().await;
    let mut idle = server.open_with(json!({"ttl": 300})).await;
    idle.lock("db").await;
    // Reading is what answers the pings; nothing else is sent.
    let reading = timeout(Duration::from_millis(3600), idle.next()).await;
    assert!(reading.is_err(), "neither closed nor told anything: {reading:?}");
    let state = idle.ask(json!({"op": "session"})).await;
    assert_eq!(state["holds"][0]["resource"], "db");
}

#[tokio::test]
async fn with_liveness_beat_only_beats_count() {
    let server = start().await;
    let mut hung = server.open_with(json!({"ttl": 600, "liveness": "beat"})).await;
    let mut alive = server.open_with(json!({"ttl": 600, "liveness": "beat"})).await;
    let answering = async {
        for _ in 0..15 {
            alive.event("beat").await;
            assert_eq!(alive.ask(json!({"op": "beat"})).await, json!({"ttl": 600}));
        }
    };
    // This one answers with pongs of its own accord, as a browser with a hung page would.
    let hanging = async {
        let pong = tokio_tungstenite::tungstenite::Message::Pong(Vec::new().into());
        loop {
            match hung.next().await {
                Ok(event) => assert_eq!(event, json!({"event": "beat"})),
                Err(end) => break end,
            }
            let _ = futures::SinkExt::send(&mut hung.socket, pong.clone()).await;
        }
    };
    let ((), end) = tokio::join!(answering, hanging);
    assert_eq!(end, (4502, "expired".to_owned()));
}

#[tokio::test]
async fn a_dead_holders_lock_passes_on_after_its_ttl() {
    const TTL_MS: u64 = 700;
    let server = start().await;
    let mut waiter = server.open("waiter").await;
    for half_open in [true, false] {
        let mut holder = server.open_with(json!({"name": "holder", "ttl": TTL_MS})).await;
        holder.lock("db").await;
        waiter.wait_for("db").await;
        let before = now();
        holder.ask(json!({"op": "beat"})).await;
        let after = now();
        // From here on it reads nothing, and so answers no ping.
        let kept = half_open.then_some(holder);
        waiter.event("lock-granted").await;
        let granted = now();
        assert!(granted - before >= Duration::from_millis(TTL_MS), "{:?}", granted - before);
        // The last part is for the machine, which may be busy.
        let bound = Duration::from_millis(TTL_MS + u64::from(EXPIRE_MS));
        let late = (granted - after).saturating_sub(bound);
        assert!(late <= Duration::from_millis(700), "{late:?} late");
        waiter.unlock("db").await;
        drop(kept);
    }
}

#[tokio::test]
async fn a_waiting_request_keeps_its_session() {
    let server = start().await;
    let mut holder = server.open("holder").await;
    holder.lock("db").await;
    let answer = server.rest("POST", "sessions?ttl=100").await;
    let session: String = serde_json::from_str(&answer.body).unwrap();
    let waiting = server.rest_later("POST", format!("locks/db?sessid={session}&wait=60000"));
    server.until_waiting("db", 1).await;
    sleep(Duration::from_millis(1500)).await;
    holder.unlock("db").await;
    assert_eq!(waiting.await.unwrap().body, "true");
}
