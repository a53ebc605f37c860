//! What a session issued is gathered in slices when it is much: a `hello` that took over a session
//! with 100 000 tickets held everybody up. What happens meanwhile follows behind the state.

use std::collections::BTreeMap;

use futures::FutureExt;

use super::*;
use crate::driver::NewSession;
use crate::machine::{
    Command, Conduct, Data, LockAsk, Name, Parting, Reach, SessionId, SessionName, TicketTerms, Ttl,
};
use crate::wire::read_id;

const MANY: usize = 3000;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn job(number: usize) -> Name {
    name(&format!("job-{number}"))
}

fn issue(session: SessionId, number: usize) -> Command {
    let (resource, ticket, terms) = (name("jobs"), job(number), TicketTerms::default());
    let data = Data::new(b"").unwrap();
    Command::Issue { session, resource, ticket, data, notify: true, terms }
}

fn revoke(session: SessionId, number: usize) -> Command {
    let (resource, ticket) = (name("jobs"), job(number));
    Command::Revoke { session, resource, ticket, reach: Reach::Any, fence: None }
}

fn claim(session: SessionId, number: usize) -> Command {
    let (resource, ticket) = (name("jobs"), Some(job(number)));
    Command::Claim { session, resource, ticket, wait_request: None, again: false, hold_ms: None }
}

fn release(session: SessionId, number: usize) -> Command {
    let (resource, ticket, parting) = (name("jobs"), job(number), Parting::default());
    Command::Release { session, resource, ticket, fence: None, by_socket: false, parting }
}

/// Carries it out; it becomes durable if it can.
async fn tell(driver: &Driver, session: SessionId, command: Command) {
    let answer = driver.request(session, command).await.unwrap();
    assert!(answer.reply.is_ok(), "{:?}", answer.reply);
    answer.hand_over();
}

async fn open(driver: &Driver) -> SessionId {
    let (name, ttl) = (SessionName::parse("").unwrap(), Ttl::new(60_000).unwrap());
    let new = NewSession { name, ttl, source: "here".into(), conduct: Conduct::default() };
    driver.open(new, None).await.unwrap()
}

/// A session that issued much, on a socket that heard nothing of it yet.
async fn issuer(driver: &Driver, hello: Value) -> (Peer, SessionId) {
    let mut peer = Peer::new(driver);
    let id = read_id(&peer.hello(hello).await).unwrap();
    for number in 0..MANY {
        tell(driver, id, issue(id, number)).await;
    }
    (peer, id)
}

fn resume(id: &SessionId) -> Value {
    json!({"id": 0, "op": "hello", "session": crate::wire::write_id(id)})
}

/// What a state lists as issued, and whether it is claimed; and what came behind the state.
fn state(told: &[Value], id: u64) -> (BTreeMap<String, bool>, &[Value]) {
    let mut all = BTreeMap::new();
    for (at, frame) in told.iter().enumerate() {
        assert_eq!(frame["id"], id, "{frame}");
        let lists = frame.get("part").unwrap_or(&frame["ok"]);
        for ticket in lists["issued"].as_array().into_iter().flatten() {
            let name = ticket["ticket"].as_str().unwrap().to_owned();
            let before = all.insert(name, ticket["claimed"].as_bool().unwrap());
            assert_eq!(before, None, "{ticket} is listed twice");
        }
        if frame.get("ok").is_some() {
            return (all, &told[at + 1..]);
        }
    }
    panic!("the state does not end")
}

#[tokio::test(start_paused = true)]
async fn what_happens_while_a_large_state_is_gathered_follows_behind_it() {
    let driver = driver();
    let (former, id) = issuer(&driver, json!({"ttl": 60_000})).await;
    let other = open(&driver).await;
    drop(former);
    let mut peer = Peer::new(&driver);
    peer.say(&resume(&id));
    let meanwhile = tokio::spawn({
        let driver = driver.clone();
        async move {
            for number in (0..MANY).step_by(30).rev() {
                tell(&driver, other, claim(other, number)).await;
                tell(&driver, other, claim(other, number + 1)).await;
                tell(&driver, other, release(other, number + 1)).await;
                tell(&driver, other, revoke(other, number + 2)).await;
                tell(&driver, other, issue(other, number + 3)).await;
                tokio::task::yield_now().await;
            }
        }
    });
    let first = peer.text().await;
    meanwhile.await.unwrap();
    let told = [vec![first], peer.heard().await].concat();
    let (mut issued, events) = state(&told, 0);
    // Some events tell what the state knows already.
    let ahead = issued.len() < MANY && issued.values().any(|&claimed| claimed);
    assert!(ahead, "it was seen in one look");
    assert_eq!(events.len(), MANY / 30 * 5, "{:?}", events.first());
    for event in events {
        let ticket = event["ticket"].as_str().unwrap();
        match event["event"].as_str().unwrap() {
            "ticket-claimed" => drop(issued.get_mut(ticket).map(|claimed| *claimed = true)),
            "ticket-released" => drop(issued.get_mut(ticket).map(|claimed| *claimed = false)),
            "ticket-taken" => drop(issued.remove(ticket)),
            _ => panic!("{event}"),
        }
    }
    // What one has then is what there is.
    let now = driver.query(|machine| machine.state(&id)).await.unwrap().unwrap();
    let now = now.issued.iter().map(|one| (one.ticket.as_str().to_owned(), one.claimed));
    assert_eq!(issued, now.collect());
}

#[tokio::test(start_paused = true)]
async fn who_ends_while_its_state_is_gathered_is_told_so() {
    let driver = driver();
    let (former, id) = issuer(&driver, json!({"ttl": 60_000})).await;
    drop(former);
    let mut peer = Peer::new(&driver);
    peer.say(&resume(&id));
    // It says hello, and sees the first slice.
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
    tell(&driver, id, Command::Close { session: id, by_other: false }).await;
    let told = peer.text().await;
    assert_eq!(told["error"]["code"], "session-not-found", "{told}");
    assert_eq!(peer.closed().await, (4502, "closed".to_owned()));
}

/// A disk that is slow, a session that issued much, and its socket, which asks for its state while
/// something else happens that is not durable.
async fn slow() -> (Driver, Peer, SessionId) {
    let driver = gated();
    let durable = tokio::spawn({
        let driver = driver.clone();
        async move {
            loop {
                driver.make_durable();
                tokio::task::yield_now().await;
            }
        }
    });
    let (peer, id) = issuer(&driver, json!({"ttl": 60, "liveness": "beat"})).await;
    let other = open(&driver).await;
    durable.abort();
    let _ = durable.await;
    driver.make_durable();
    peer.say(&json!({"id": 7, "op": "session"}));
    for _ in 0..20 {
        tokio::task::yield_now().await;
        let (resource, ask) = (name("db"), LockAsk::default());
        let command = Command::Lock { session: other, resource, wait_request: None, ask };
        // Nobody waits for its answer, so that it is undone, which is not durable either.
        assert!(driver.request(other, command).now_or_never().is_none());
    }
    (driver, peer, id)
}

#[tokio::test(start_paused = true)]
async fn a_large_state_waits_for_the_disk_and_beats_go_on() {
    let (driver, mut peer, _) = slow().await;
    let mut beats = 0;
    for _ in 0..100 {
        sleep(Duration::from_millis(10)).await;
        for told in peer.heard().await {
            if told["event"] == "beat" {
                peer.say(&json!({"id": 1, "op": "beat"}));
            } else {
                assert_eq!(told, json!({"id": 1, "ok": {"ttl": 60}}));
                beats += 1;
            }
        }
    }
    assert!(beats > 40, "{beats}");
    driver.make_durable();
    let mut told = vec![];
    while told.last().is_none_or(|last: &Value| last.get("ok").is_none()) {
        told.push(peer.text().await);
        told.retain(|frame| frame["id"] == 7);
    }
    assert_eq!(state(&told, 7).0.len(), MANY);
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_gathers_a_state_can_be_replaced() {
    let (driver, mut peer, id) = slow().await;
    let newer = Peer::new(&driver);
    newer.say(&resume(&id));
    assert_eq!(peer.closed().await.0, 4501);
}
