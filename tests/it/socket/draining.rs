//! A server that takes no new sessions, while all who are there go on.

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::{Client, Place};
use crate::support::{self, Program, in_time};

const CLIENTS: usize = 100;
const LOCKS: usize = 20;

/// Takes its lock again and again, until it is told that the drain has ended. How often it had it.
async fn works(mut client: Client, resource: String, begun: watch::Sender<usize>) -> usize {
    let mut grants = 0;
    loop {
        let ask = json!({"op": "lock", "resource": resource, "wait": true});
        let mut ended = false;
        if client.ask(ask).await["granted"] == json!(false) {
            ended |= told_until(&mut client, "lock-granted").await;
        }
        grants += 1;
        client.ask(json!({"op": "beat"})).await;
        client.unlock(&resource).await;
        ended |= told(&mut client);
        if grants == 1 {
            begun.send_modify(|count| *count += 1);
        }
        if ended {
            return grants;
        }
    }
}

/// Whether, before that event, the drain has ended. Nothing was lost.
async fn told_until(client: &mut Client, kind: &str) -> bool {
    let mut ended = false;
    loop {
        let event = in_time(client.any_event()).await;
        ended |= is_end(&event);
        if event["event"] == kind {
            return ended;
        }
    }
}

fn told(client: &mut Client) -> bool {
    std::iter::from_fn(|| client.kept_event()).fold(false, |ended, event| ended | is_end(&event))
}

fn is_end(event: &Value) -> bool {
    let kind = event["event"].as_str().expect("a kind");
    assert!(["draining", "lock-granted", "lock-wanted"].contains(&kind), "{event}");
    kind == "draining" && event["on"] == json!(false)
}

#[tokio::test]
async fn by_signal_while_a_hundred_work_nobody_loses_a_lock() {
    let mut program = Program::start(&["-l", "127.0.0.1:0", "--rate", "0"]).await;
    let place = Place(program.address);
    let mut idle = place.open("idle").await;
    let fence = idle.lock("kept").await["fence"].clone();
    let (begun, mut all) = watch::channel(0);
    let mut tasks = JoinSet::new();
    for at in 0..CLIENTS {
        let client = place.open(&format!("worker-{at}")).await;
        tasks.spawn(works(client, format!("lock-{}", at % LOCKS), begun.clone()));
    }
    in_time(all.wait_for(|&count| count == CLIENTS)).await.expect("all work");

    program.signal(Signal::USR1);
    assert_eq!(idle.event("draining").await["on"], json!(true));
    let mut rest = support::Client::connect(place.0).await;
    let answer = rest.ask("POST /sessions?name=new").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    let new = json!({"op": "hello", "name": "new", "ttl": 10_000});
    assert_eq!(place.connect().await.refused(new).await, "unavailable");
    assert_eq!(rest.ask_at("GET /readyz").await.said(), "503 draining");
    assert_eq!(rest.ask_at("GET /healthz").await.said(), "200 ok");
    // Who was there comes back.
    let session = idle.session.clone();
    drop(idle);
    let (mut idle, state) = place.resume(&session).await;
    assert_eq!(state["holds"][0]["fence"], fence, "{state}");

    program.signal(Signal::USR2);
    program.until_says("new sessions are taken again").await;
    while !tasks.is_empty() {
        let grants = in_time(tasks.join_next()).await.expect("a task").expect("it ended well");
        assert!(grants > 0);
    }
    assert_eq!(rest.ask("POST /sessions?name=new").await.status, 200);
    assert_eq!(rest.ask_at("GET /readyz").await.said(), "200 ready");
    idle.unlock("kept").await;
}
