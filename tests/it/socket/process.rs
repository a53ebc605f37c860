//! The program itself: suspended, and told to stop.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::client::{Place, now};
use crate::support::Program;

async fn start() -> (Program, Place) {
    let program = Program::start(&["--listen", "127.0.0.1:0", "--loglevel", "1"]).await;
    let place = Place(program.address);
    (program, place)
}

#[tokio::test]
async fn a_suspended_server_ends_no_session_whose_client_is_alive() {
    const TTL_MS: u64 = 400;
    let (program, place) = start().await;
    let mut idle = place.open_with(json!({"ttl": TTL_MS})).await;
    idle.lock("by ping").await;
    let mut beating = place.open_with(json!({"ttl": TTL_MS, "liveness": "beat"})).await;
    beating.lock("by beat").await;
    let opened = place.rest("POST", &format!("sessions?ttl={TTL_MS}")).await;
    let rest: String = serde_json::from_str(&opened.body).unwrap();
    let mut waiter = place.open("waiter").await;
    waiter.wait_for("by ping").await;
    let ask = json!({"op": "lock", "resource": "by ping", "wait": 6 * TTL_MS});
    let mut timed = place.open("timed").await;
    timed.ask(ask).await;
    idle.event("lock-wanted").await;

    let stopped = async {
        sleep(Duration::from_millis(TTL_MS)).await;
        program.signal(Signal::STOP);
        sleep(Duration::from_millis(10 * TTL_MS)).await;
        program.signal(Signal::CONT);
        sleep(Duration::from_millis(4 * TTL_MS)).await;
    };
    tokio::select! {
        () = stopped => {}
        said = idle.next() => panic!("{said:?}"),
        () = async {
            loop {
                beating.event("beat").await;
                beating.ask(json!({"op": "beat"})).await;
            }
        } => {}
        () = async {
            loop {
                sleep(Duration::from_millis(TTL_MS / 5)).await;
                let path = format!("sessions/{rest}");
                assert_eq!(place.rest("PUT", &path).await.status, 200);
            }
        } => {}
    }
    for (client, resource) in [(&mut idle, "by ping"), (&mut beating, "by beat")] {
        let state = client.ask(json!({"op": "session"})).await;
        assert_eq!(state["holds"][0]["resource"], resource, "{state}");
    }
    assert_eq!(place.rest("PUT", &format!("sessions/{rest}")).await.status, 200);
    waiter.quiet().await;
    // The pause was left out of a wait's time, too, and yet that ends.
    timed.event("wait-ended").await;
}

/// A stop shorter than `--expire` counted as ordinary lateness: the server woke up, found all
/// sessions overdue and ended them, with their beats lying unread in the kernel. Of 10 none lived.
#[tokio::test]
async fn a_short_stop_ends_no_session_whose_beats_lie_in_the_kernel() {
    const TTL_MS: u64 = 300;
    const STOP_MS: u64 = 450;
    let (program, place) = start().await;
    let mut beating = Vec::new();
    for _ in 0..5 {
        beating.push(place.open_with(json!({"ttl": TTL_MS, "liveness": "beat"})).await);
    }
    let mut by_rest: Vec<String> = Vec::new();
    for _ in 0..5 {
        let opened = place.rest("POST", &format!("sessions?ttl={TTL_MS}")).await;
        by_rest.push(serde_json::from_str(&opened.body).unwrap());
    }
    let stopped = async {
        for _ in 0..3 {
            sleep(Duration::from_millis(TTL_MS)).await;
            program.signal(Signal::STOP);
            sleep(Duration::from_millis(STOP_MS)).await;
            program.signal(Signal::CONT);
        }
        sleep(Duration::from_millis(TTL_MS)).await;
    };
    let beats = futures::future::join_all(beating.iter_mut().map(|client| async {
        loop {
            client.event("beat").await;
            client.ask(json!({"op": "beat"})).await;
        }
    }));
    let at = &place;
    let refreshes = futures::future::join_all(by_rest.iter().map(|id| async move {
        loop {
            sleep(Duration::from_millis(TTL_MS / 3)).await;
            assert_eq!(at.rest("PUT", &format!("sessions/{id}")).await.status, 200);
        }
    }));
    tokio::select! {
        () = stopped => {}
        _ = beats => {}
        _ = refreshes => {}
    }
    for client in &mut beating {
        client.ask(json!({"op": "session"})).await;
    }
    for id in &by_rest {
        assert_eq!(place.rest("PUT", &format!("sessions/{id}")).await.status, 200);
    }
}

#[tokio::test]
async fn a_server_told_to_stop_says_so_to_everybody_and_ends() {
    let (program, place) = start().await;
    let mut holder = place.open("holder").await;
    holder.lock("db").await;
    let mut waiter = place.open("waiter").await;
    waiter.wait_for("db").await;
    let poller = place.open_by_rest("poller").await;
    let lock = place.rest_later("POST", format!("locks/db?sessid={poller}&wait=60000"));
    place.until_waiting("db", 2).await;
    let claim = place.rest_later("POST", format!("claims/pool?sessid={poller}&wait=60000"));
    place.until_waiting("pool", 1).await;
    let mut nameless = place.connect().await;

    let told = now();
    program.signal(Signal::TERM);
    for answer in [lock, claim] {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body == "false" || answer.body.contains(r#""Claimed":false"#), "{answer:?}");
    }
    holder.event("lock-wanted").await;
    for client in [&mut holder, &mut waiter] {
        let going = client.event("going-away").await;
        assert!(going["after"].is_u64(), "{going}");
        assert_eq!(client.closed().await.0, 1012);
    }
    assert_eq!(nameless.closed().await.0, 1012);
    drop((holder, waiter, nameless));
    let (status, said) = timeout(Duration::from_secs(10), program.ended()).await.unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    let took = now() - told;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn clients_that_do_not_react_do_not_keep_a_server_from_ending() {
    let (program, place) = start().await;
    let (deaf, mute) = (place.open("deaf").await, place.connect().await);
    let told = now();
    program.signal(Signal::TERM);
    let (status, said) = timeout(Duration::from_secs(10), program.ended()).await.unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    let took = now() - told;
    assert!(took < Duration::from_millis(5500), "{took:?}");
    drop((deaf, mute));
}
