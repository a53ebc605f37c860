//! Sockets over a journal whose disk is slow, full or broken.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::*;
use crate::driver::{Cycle, JournalWriter, PersistenceConfig, Unavailable};
use crate::journal::{CrashStore, Fault, StorageFailure};

fn writer(memory: &CrashStore) -> (Driver, JournalWriter) {
    let persistence =
        PersistenceConfig { snapshot_after_bytes: u64::MAX, ..PersistenceConfig::default() };
    let opened =
        JournalWriter::over(Arc::new(memory.clone()), EXPIRE_MS, persistence, 1_800_000_000_000);
    let (driver, writer) = opened.expect("a journal in memory");
    tokio::spawn(driver.clone().run());
    (driver, writer)
}

fn write_all(writer: &mut JournalWriter) {
    while writer.cycle().expect("the disk works") == Cycle::Wrote {}
}

/// Answers heartbeats, and returns what came until an answer to request 7 did.
fn lives(mut peer: Peer) -> JoinHandle<(Peer, usize)> {
    tokio::spawn(async move {
        let mut beats = 0;
        loop {
            let told = peer.text().await;
            if told["event"] == "beat" {
                peer.say(&json!({"id": 1, "op": "beat"}));
            } else if told["id"] == 1 {
                assert_eq!(told["ok"]["ttl"], 200, "{told}");
                beats += 1;
            } else if told["id"] == 7 {
                assert!(told["ok"].is_object(), "{told}");
                return (peer, beats);
            }
        }
    })
}

/// A sync takes 25 times their ttl.
#[tokio::test(start_paused = true)]
async fn nobody_expires_while_a_sync_takes_seconds_and_beats_go_on() {
    let (driver, mut writer) = writer(&CrashStore::new());
    let mut peers = Vec::new();
    for liveness in ["ping", "beat"] {
        for asks in [true, false] {
            let mut peer = Peer::new(&driver);
            peer.say(&json!({"id": 0, "op": "hello", "ttl": 200, "liveness": liveness}));
            settle().await;
            write_all(&mut writer);
            let hello = peer.text().await;
            peers.push((peer, asks, liveness, hello["ok"]["session"].clone()));
        }
    }
    let lives = |(peer, asks, liveness, session)| (lives_on(peer, asks), liveness, session);
    let peers: Vec<_> = peers.into_iter().map(lives).collect();
    settle().await;
    // In flight when the sync begins: two locks.
    sleep(Duration::from_secs(5)).await;
    for (peer, ..) in &peers {
        assert!(!peer.is_finished(), "told before it was opened, or closed");
    }
    write_all(&mut writer);
    for (peer, liveness, session) in peers {
        let (mut peer, beats) = peer.await.unwrap();
        // A beat every 67 ms.
        assert_eq!(beats > 50, liveness == "beat", "{beats}");
        peer.say(&json!({"id": 8, "op": "session"}));
        settle().await;
        write_all(&mut writer);
        let state = loop {
            let told = peer.text().await;
            if told["id"] == 8 {
                break told;
            }
        };
        assert_eq!(state["ok"]["session"], session, "{state}");
    }
}

/// Asks at once, or when the disk has long been slow.
fn lives_on(peer: Peer, asks: bool) -> JoinHandle<(Peer, usize)> {
    let lock = json!({"id": 7, "op": "lock", "resource": if asks { "a" } else { "b" }});
    if asks {
        peer.say(&lock);
    } else {
        let to = peer.to.clone();
        tokio::spawn(async move {
            sleep(Duration::from_millis(4500)).await;
            to.unbounded_send(Incoming::Frame(Frame::text(lock.to_string()))).unwrap();
        });
    }
    lives(peer)
}

#[tokio::test(start_paused = true)]
async fn a_broken_disk_is_told_to_every_socket() {
    let memory = CrashStore::new();
    let (driver, mut writer) = writer(&memory);
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mut peer = Peer::new(&driver);
        peer.say(&json!({"id": 0, "op": "hello", "ttl": 60_000}));
        settle().await;
        write_all(&mut writer);
        peer.text().await;
        peers.push(peer);
    }
    peers[0].say(&json!({"id": 1, "op": "lock", "resource": "db"}));
    peers[1].say(&json!({"id": 1, "op": "lock", "resource": "db", "wait": true}));
    peers[1].say(&json!({"id": 2, "op": "bye"}));
    let mut late = Peer::new(&driver);
    late.say(&json!({"id": 0, "op": "hello"}));
    settle().await;
    let failure = StorageFailure::Broken("pulled out".to_owned());
    memory.fail(Fault { call: memory.calls() + 1, failure: failure.clone(), is_done: true });
    assert_eq!(writer.cycle(), Err(failure));
    let unavailable = |told: &Value, id: u64| {
        assert_eq!((&told["id"], &told["error"]["code"]), (&id.into(), &"unavailable".into()));
        assert_eq!(told["error"]["message"], Unavailable::Failed.to_string());
    };
    unavailable(&peers[0].text().await, 1);
    unavailable(&peers[1].text().await, 1);
    unavailable(&peers[1].text().await, 2);
    unavailable(&late.text().await, 0);
    peers.push(late);
    for peer in &mut peers {
        assert_eq!(peer.text().await, json!({"event": "going-away", "after": 0}));
        assert_eq!(peer.closed().await.0, 1012);
    }
    let mut after = Peer::new(&driver);
    after.say(&json!({"id": 0, "op": "hello"}));
    unavailable(&after.text().await, 0);
}

/// Once it was told as "the server is going away", which it is not.
#[tokio::test(start_paused = true)]
async fn a_full_disk_is_told_and_got_over() {
    let memory = CrashStore::new();
    let (driver, mut writer) = writer(&memory);
    let mut peer = Peer::new(&driver);
    peer.say(&json!({"id": 0, "op": "hello", "ttl": 300, "liveness": "beat"}));
    settle().await;
    write_all(&mut writer);
    peer.text().await;
    let failure = StorageFailure::Full;
    memory.fail(Fault { call: memory.calls() + 1, failure, is_done: false });
    peer.say(&json!({"id": 1, "op": "lock", "resource": "db"}));
    settle().await;
    assert_eq!(writer.cycle(), Ok(Cycle::Full));
    peer.say(&json!({"id": 2, "op": "lock", "resource": "db"}));
    let full = |told: &Value| {
        assert_eq!(told["error"]["code"], "unavailable");
        let message = told["error"]["message"].as_str().expect("a text");
        assert!(message.contains("disk is full") && !message.contains("away"), "{message}");
    };
    full(&peer.text().await);
    let mut new = Peer::new(&driver);
    new.say(&json!({"id": 0, "op": "hello"}));
    full(&new.text().await);
    // It neither beats nor is anything heard of it.
    sleep(Duration::from_secs(3)).await;
    write_all(&mut writer);
    let granted = loop {
        let told = peer.text().await;
        if told["event"] != "beat" {
            break told;
        }
    };
    assert_eq!((&granted["id"], &granted["ok"]["granted"]), (&json!(1), &json!(true)));
    new.say(&json!({"id": 1, "op": "hello"}));
    settle().await;
    write_all(&mut writer);
    assert!(new.text().await["ok"].is_object(), "it may try again on the same socket");
}
