//! A policy that changes a thousand times while everybody works, and access that is switched on and
//! off over restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use ticketd::server::{Access, Config, PersistenceConfig};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::served::{Guarded, everybody, policy, principal, token};
use crate::support::{Client, Dir, Served, in_time};

const CLIENTS: usize = 50;
const RELOADS: u32 = 1000;

/// Half of the clients may always lock, the others only by the first of two policies.
fn file(sometimes: bool) -> String {
    (0..CLIENTS)
        .map(|number| {
            let may = sometimes || number % 2 == 0;
            let on = if may { "r/*" } else { "x/*" };
            let allow = format!("allow = [{{ to = [\"lock\"], on = [\"{on}\"] }}]");
            principal(&format!("p{number}"), &allow)
        })
        .collect()
}

/// Locks and unlocks until it is told to stop. What it was granted it can always give back.
async fn work(mut client: Client, number: usize, session: String, stop: Arc<AtomicBool>) -> u32 {
    let (mut granted, resource) = (0, format!("r%2F{}", number / 10));
    while !stop.load(Ordering::Relaxed) {
        let said = client.ask(&format!("POST /locks/{resource}?sessid={session}&wait=20")).await;
        match said.status {
            200 if said.body == b"true" => {
                granted += 1;
                let unlock = format!("DELETE /locks/{resource}?sessid={session}");
                assert_eq!(client.ask(&unlock).await.said(), "200 \"ok\"", "{number}");
            }
            200 => {}
            403 => assert!(number % 2 == 1, "{number} always may"),
            _ => panic!("{number}: {}", said.said()),
        }
    }
    granted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_take_no_right_from_who_has_it() {
    let guarded = Guarded::by(&file(true)).await;
    let (stop, mut workers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for number in 0..CLIENTS {
        let name = format!("p{number}");
        let session = guarded.open(Some(&name)).await;
        let client = guarded.client(Some(&name)).await;
        workers.spawn(work(client, number, session, stop.clone()));
    }
    for reload in 0..RELOADS {
        guarded.access.replace(policy(&file(reload % 2 == 1)));
        // Somebody works in between.
        sleep(Duration::from_millis(1)).await;
    }
    // The last one lets all of them.
    sleep(Duration::from_millis(50)).await;
    stop.store(true, Ordering::Relaxed);
    let granted: u32 = in_time(workers.join_all()).await.into_iter().sum();
    assert!(granted > RELOADS / 10, "{granted}");
    guarded.served.stop().await;
}

/// A right that is gone is gone within a second, for those who wait as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_is_never_wrong_by_more_than_a_second() {
    let guarded = Guarded::by(&file(true)).await;
    let mut client = guarded.client(Some("p1")).await;
    let session = guarded.open(Some("p1")).await;
    let lock = format!("POST /locks/r%2F9?sessid={session}");
    let wrong = AtomicU32::new(0);
    for round in 0..20 {
        let may = round % 2 == 1;
        guarded.access.replace(policy(&file(may)));
        in_time(async {
            let expected = if may { 200 } else { 403 };
            while client.ask(&lock).await.status != expected {
                wrong.fetch_add(1, Ordering::Relaxed);
            }
        })
        .await;
    }
    // By REST it is so at once: each request is asked.
    assert_eq!(wrong.load(Ordering::Relaxed), 0);
    guarded.served.stop().await;
}

/// Access is switched on, off, and on again, each time by a restart: nobody loses a lock by it.
#[tokio::test]
async fn switching_access_on_and_off_loses_no_lock() {
    let dir = Dir::new();
    let config = |access: Option<Arc<Access>>| Config {
        access,
        persistence: Some(PersistenceConfig {
            dir: dir.path().to_owned(),
            ..PersistenceConfig::default()
        }),
        ..Config::default()
    };
    let on = || Some(Access::new(policy(&everybody())));
    let as_who = async |served: &Served, name: &str| {
        let bearer = format!("Authorization: Bearer {}", token(name).as_str());
        Client::connect(served.address).await.with(&bearer)
    };
    let served = Served::with(config(None)).await;
    // Clients got their tokens first: they are passed over.
    let mut client = as_who(&served, "lock").await;
    let id = client.ask("POST /sessions?name=n&ttl=600000").await.json();
    let id = id.as_str().expect("an id").to_owned();
    let lock = format!("POST /locks/r%2Fdb?sessid={id}");
    let first = client.ask(&lock).await;
    assert_eq!(first.said(), "200 true");
    served.stop().await;
    for round in 0..2 {
        let served = Served::with(config(on())).await;
        let again = as_who(&served, "lock").await.ask(&lock).await;
        assert_eq!(
            (again.said(), again.fence()),
            ("200 true".to_owned(), first.fence()),
            "{round}"
        );
        let others = as_who(&served, "admin").await.ask(&lock).await;
        assert_eq!(others.said(), "404 session not found", "{round}");
        served.stop().await;
        let served = Served::with(config(None)).await;
        let again = Client::connect(served.address).await.ask(&lock).await;
        assert_eq!(
            (again.said(), again.fence()),
            ("200 true".to_owned(), first.fence()),
            "{round}"
        );
        served.stop().await;
    }
}
