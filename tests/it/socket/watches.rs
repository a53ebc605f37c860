//! Watches: who is told that something became available, and when.

use serde_json::{Value, json};

use super::client::{Client, start};

async fn watch(client: &mut Client, resource: &str, changes: bool) -> Value {
    client.ask(json!({"op": "watch", "resource": resource, "changes": changes})).await
}

#[tokio::test]
async fn a_free_ticket_is_announced_only_when_nobody_waits_for_it() {
    let server = start().await;
    let (mut issuer, mut waiter) = (server.open("issuer").await, server.open("waiter").await);
    let mut watcher = server.open("watcher").await;
    let none = json!({"kind": null, "free": 0, "held": 0, "waiting": 0});
    assert_eq!(watch(&mut watcher, "pool", false).await, none);
    waiter.ask(json!({"op": "claim", "resource": "pool", "wait": true})).await;
    issuer.issue("pool", "a", "").await;
    waiter.event("ticket-granted").await;
    watcher.quiet().await;
    issuer.issue("pool", "b", "").await;
    let told = |free: u32| json!({"event": "ticket-available", "resource": "pool", "free": free});
    assert_eq!(watcher.event("ticket-available").await, told(1));
    waiter.ask(json!({"op": "release", "resource": "pool", "ticket": "a"})).await;
    assert_eq!(watcher.event("ticket-available").await, told(2));
    // Claims, and what only changes a figure, are no news to it.
    issuer.issue("pool", "a", "re-issued").await;
    waiter.ask(json!({"op": "claim", "resource": "pool"})).await;
    issuer.ask(json!({"op": "revoke", "resource": "pool", "ticket": "a"})).await;
    watcher.quiet().await;
    let state = watcher.ask(json!({"op": "session"})).await;
    let standing = json!([{"resource": "pool", "changes": false, "kind": "tickets", "free": 0,
                           "held": 1, "waiting": 0}]);
    assert_eq!(state["watches"], standing);
}

#[tokio::test]
async fn a_free_lock_is_announced_only_when_nobody_waits_for_it() {
    let server = start().await;
    let (mut holder, mut next) = (server.open("holder").await, server.open("next").await);
    let mut watcher = server.open("watcher").await;
    holder.lock("db").await;
    let held = json!({"kind": "lock", "free": 0, "held": 1, "waiting": 0});
    assert_eq!(watch(&mut watcher, "db", false).await, held);
    next.wait_for("db").await;
    holder.unlock("db").await;
    next.event("lock-granted").await;
    watcher.quiet().await;
    next.unlock("db").await;
    let told = json!({"event": "lock-available", "resource": "db"});
    assert_eq!(watcher.event("lock-available").await, told);
    holder.lock("db").await;
    holder.ask(json!({"op": "bye"})).await;
    watcher.event("lock-available").await;
}

#[tokio::test]
async fn changes_are_told_to_those_who_asked_for_them() {
    let server = start().await;
    let (mut holder, mut next) = (server.open("holder").await, server.open("next").await);
    let mut watcher = server.open("watcher").await;
    watch(&mut watcher, "db", true).await;
    let told = |kind: Value, held: u32, waiting: u32| {
        json!({"event": "resource-changed", "resource": "db", "kind": kind, "free": 0,
               "held": held, "waiting": waiting, "holders": null})
    };
    // Who holds it is another story's.
    let without_holders = |mut event: Value| {
        assert!(event["holders"].take().is_array(), "{event}");
        event
    };
    holder.lock("db").await;
    assert_eq!(without_holders(watcher.event("resource-changed").await), told(json!("lock"), 1, 0));
    next.wait_for("db").await;
    assert_eq!(without_holders(watcher.event("resource-changed").await), told(json!("lock"), 1, 1));
    holder.unlock("db").await;
    assert_eq!(without_holders(watcher.event("resource-changed").await), told(json!("lock"), 1, 0));
    next.unlock("db").await;
    watcher.event("lock-available").await;
    assert_eq!(without_holders(watcher.event("resource-changed").await), told(Value::Null, 0, 0));
    // Watching again says how from now on.
    watch(&mut watcher, "db", false).await;
    holder.lock("db").await;
    watcher.quiet().await;
}

#[tokio::test]
async fn events_of_a_watch_stand_between_its_answer_and_that_to_unwatch() {
    let server = start().await;
    let mut issuer = server.open("issuer").await;
    let mut watcher = server.open("watcher").await;
    let mut events = 0;
    for round in 0..100 {
        let ticket = format!("t{round}");
        let mut noise = Vec::new();
        for _ in 0..4 {
            for op in ["issue", "revoke"] {
                let request = json!({"op": op, "resource": "pool", "ticket": ticket});
                noise.push(issuer.feed(request).await);
            }
        }
        let watch = json!({"op": "watch", "resource": "pool", "changes": true});
        let watch = watcher.feed(watch).await;
        let own = json!({"op": "issue", "resource": "pool", "ticket": "own"});
        watcher.feed(own).await;
        let unwatch = watcher.feed(json!({"op": "unwatch", "resource": "pool"})).await;
        let last = watcher.feed(json!({"op": "revoke", "resource": "pool", "ticket": "own"})).await;
        let (_, ()) = tokio::join!(issuer.flush(), watcher.flush());
        let mut watching = false;
        loop {
            let frame = watcher.next().await.unwrap();
            if frame.get("event").is_some() {
                assert!(watching, "round {round}: {frame}");
                events += 1;
                continue;
            }
            assert!(frame.get("ok").is_some(), "{frame}");
            if frame["id"] == watch {
                watching = true;
            } else if frame["id"] == unwatch {
                watching = false;
            } else if frame["id"] == last {
                break;
            }
        }
        for id in noise {
            issuer.answer(id).await;
        }
    }
    println!("{events} events");
    watcher.quiet().await;
}

#[tokio::test]
async fn watches_end_with_unwatch_and_with_the_session() {
    let server = start().await;
    let (mut one, mut two) = (server.open("one").await, server.open("two").await);
    watch(&mut one, "db", true).await;
    assert_eq!(one.ask(json!({"op": "unwatch", "resource": "db"})).await, json!({}));
    assert_eq!(one.ask(json!({"op": "unwatch", "resource": "never"})).await, json!({}));
    two.lock("db").await;
    one.quiet().await;
    // One's own doing is told like that of others.
    watch(&mut two, "db", false).await;
    two.unlock("db").await;
    two.event("lock-available").await;
}
