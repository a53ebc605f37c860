//! How things stand: looked at, paused, and how a place in a queue moves.

use serde_json::{Value, json};

use super::client::start;

#[tokio::test]
async fn a_look_tells_who_holds_and_who_waits() {
    let server = start().await;
    let (mut holder, mut waiter) = (server.open("holder").await, server.open("waiter").await);
    let nothing = json!({"resource": "db", "kind": null, "free": 0, "held": 0, "waiting": 0,
                         "delayed": 0, "dead": 0, "paused": false, "holders": [], "waiters": []});
    assert_eq!(holder.ask(json!({"op": "look", "resource": "db"})).await, nothing);
    let lock = json!({"op": "lock", "resource": "db", "data": "here"});
    let fence = holder.ask(lock).await["fence"].take();
    waiter.wait_for("db").await;
    let mut look = waiter.ask(json!({"op": "look", "resource": "db"})).await;
    for list in ["holders", "waiters"] {
        let since = look[list][0]["since"].take();
        assert!(since.as_u64().is_some_and(|ms| ms > 1_700_000_000_000), "{list}: {since}");
        assert_eq!(look[list][0]["ref"].take().as_str().map(str::len), Some(16));
    }
    let holders = json!([{"session": "holder", "ref": null, "fence": fence, "data": "here",
                          "since": null}]);
    assert_eq!(look["holders"], holders);
    let waiters = json!([{"session": "waiter", "ref": null, "position": 1, "since": null,
                          "kind": "lock"}]);
    assert_eq!(look["waiters"], waiters);
    assert_eq!((&look["held"], &look["waiting"]), (&json!(1), &json!(1)));
    // The same by REST, and cut where that is wished.
    let by_rest = server.rest("GET", "resources/db").await.body;
    let by_rest: Value = serde_json::from_str(&by_rest).expect("JSON");
    assert_eq!(by_rest["holders"][0]["fence"], fence);
    server.open("third").await.wait_for("db").await;
    let look = waiter.ask(json!({"op": "look", "resource": "db", "limit": 1})).await;
    assert_eq!((look["waiters"].as_array().map(Vec::len), &look["more"]), (Some(1), &json!(true)));
    let wrong = json!({"op": "look", "resource": "db", "limit": 1001});
    assert_eq!(waiter.refused(wrong).await, "bad-request");
}

#[tokio::test]
async fn a_look_is_no_larger_than_a_frame() {
    let server = start().await;
    for number in 0..100 {
        let mut one = server.open(&format!("{number:03} {}", "\"".repeat(200))).await;
        let data = "\u{1}".repeat(1000);
        one.ask(json!({"op": "lock", "resource": "page", "mode": "shared", "data": data})).await;
        std::mem::forget(one);
    }
    let mut one = server.open("one").await;
    one.wait_for("page").await;
    let id = one.send(json!({"op": "look", "resource": "page"})).await;
    let text = one.text().await.expect("an answer");
    assert!(text.len() <= 64 * 1024, "{}", text.len());
    let look: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&look["id"], &look["ok"]["more"]), (&json!(id), &json!(true)));
    assert!(look["ok"]["holders"].as_array().is_some_and(|all| all.len() > 3), "{look}");
    assert_eq!(look["ok"]["waiters"].as_array().map(Vec::len), Some(1));
    // Of those who watch the same is bounded by 16 KiB.
    let watch = json!({"op": "watch", "resource": "page", "changes": true});
    let watched = one.ask(watch).await;
    assert_eq!(watched["more"], true);
    assert!(watched["holders"].to_string().len() <= 16 * 1024);
}

#[tokio::test]
async fn nothing_of_what_is_paused_is_newly_granted() {
    let server = start().await;
    let (mut a, mut b) = (server.open("a").await, server.open("b").await);
    let fence = a.lock("db").await["fence"].take();
    let pause = |paused: bool| json!({"op": "pause", "resource": "db", "paused": paused});
    assert_eq!(b.ask(pause(true)).await, json!({}));
    // What is held is confirmed and ends as ever; a try is answered as if it were not free.
    assert_eq!(a.lock("db").await["fence"], fence);
    a.unlock("db").await;
    assert_eq!(b.lock("db").await, json!({"granted": false}));
    let steal = json!({"op": "lock", "resource": "db", "steal": true});
    assert_eq!(b.ask(steal).await, json!({"granted": false}));
    b.wait_for("db").await;
    let watch = json!({"op": "watch", "resource": "db"});
    let figures = json!({"kind": "lock", "free": 0, "held": 0, "waiting": 1, "paused": true});
    assert_eq!(a.ask(watch).await, figures);
    b.quiet().await;
    assert_eq!(server.rest("PUT", "resources/db?paused=false").await.body, "\"Ok\"");
    b.event("lock-granted").await;
}

#[tokio::test]
async fn who_asks_for_it_is_told_how_its_place_moves() {
    let server = start().await;
    let (mut holder, mut first) = (server.open("holder").await, server.open("first").await);
    let (mut second, mut third) = (server.open("second").await, server.open("third").await);
    holder.lock("db").await;
    first.wait_for("db").await;
    second.wait_for("db").await;
    let ask = json!({"op": "lock", "resource": "db", "wait": true, "progress": true});
    let queued = third.ask(ask).await;
    assert_eq!(queued["position"], 3);
    first.ask(json!({"op": "bye"})).await;
    let moved = json!({"event": "wait-moved", "wait": queued["wait"], "resource": "db",
                       "position": 2});
    assert_eq!(third.event("wait-moved").await, moved);
    second.quiet().await;
    second.ask(json!({"op": "bye"})).await;
    assert_eq!(third.event("wait-moved").await["position"], 1);
    holder.event("lock-wanted").await;
    holder.unlock("db").await;
    assert_eq!(third.event("lock-granted").await["wait"], queued["wait"]);
}
