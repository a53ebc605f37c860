//! Resume: a line that is cut loses nothing, and of several sockets the newest one counts.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::client::{start, start_with};

#[tokio::test]
async fn a_cut_line_loses_nothing() {
    let server = start().await;
    let (mut first, mut second) = (server.open("first").await, server.open("second").await);
    let mut lost = server.open("lost").await;
    let own = lost.lock("own").await["fence"].take();
    first.issue("pool", "job", "data").await;
    let job = lost.ask(json!({"op": "claim", "resource": "pool"})).await["ticket"].take();
    lost.issue("mine", "x", "").await;
    let figures = lost.ask(json!({"op": "watch", "resource": "pool", "changes": true})).await;
    for resource in ["soon", "later"] {
        first.lock(resource).await;
        second.wait_for(resource).await;
        assert_eq!(lost.wait_for(resource).await.1, 2);
    }
    let session = lost.session.clone();
    let waits = lost.ask(json!({"op": "session"})).await["waits"].take();
    drop(lost);

    first.unlock("soon").await;
    second.event("lock-granted").await;
    second.unlock("soon").await;
    assert_eq!(second.lock("soon").await["granted"], false, "it went to the one who is away");

    let (mut back, state) = server.resume(&session).await;
    assert_eq!(state["resumed"], true);
    assert_eq!((&state["name"], &state["session"]), (&json!("lost"), &json!(session)));
    let holds = state["holds"].as_array().unwrap();
    let hold = |resource: &str| holds.iter().find(|hold| hold["resource"] == resource).unwrap();
    assert_eq!(holds.len(), 3, "{holds:?}");
    assert_eq!(hold("own"), &json!({"resource": "own", "fence": own, "waiting": 0}));
    assert_eq!(hold("pool"), &job);
    assert!(hold("soon")["fence"].as_u64() > own.as_u64());
    assert_eq!(state["waits"], json!([waits[1]]), "the same wait at the same place");
    assert_eq!(state["waits"][0]["position"], 2);
    assert_eq!(state["waits"][0]["kind"], "lock");
    let mut watch = json!({"resource": "pool", "changes": true});
    watch.as_object_mut().unwrap().extend(figures.as_object().unwrap().clone());
    assert_eq!(state["watches"], json!([watch]));
    assert_eq!(state["issued"], json!([{"resource": "mine", "ticket": "x", "claimed": false}]));
    back.quiet().await;
    let again = back.ask(json!({"op": "session"})).await;
    for list in ["holds", "waits", "watches", "issued", "epoch", "ping"] {
        assert_eq!(again[list], state[list]);
    }

    // And it goes on from there.
    first.unlock("later").await;
    second.event("lock-granted").await;
    second.unlock("later").await;
    assert_eq!(back.event("lock-granted").await["wait"], waits[1]["wait"]);
    first.issue("pool", "another", "").await;
    back.event("ticket-available").await;
    back.event("resource-changed").await;
}

#[tokio::test]
async fn the_newest_socket_has_the_session() {
    let server = start().await;
    let mut oldest = server.open("s").await;
    let session = oldest.session.clone();
    let (mut older, _) = server.resume(&session).await;
    assert_eq!(oldest.closed().await.0, 4501);
    let mut newer = server.connect().await;
    newer.hello(json!({"session": session, "attempt": 5})).await;
    assert_eq!(older.closed().await.0, 4501);

    let mut late = server.connect().await;
    late.send(json!({"op": "hello", "session": session, "attempt": 3})).await;
    assert_eq!(late.closed().await.0, 4501, "a lower attempt comes too late");
    assert_eq!(newer.lock("db").await["granted"], true, "and changes nothing");

    let mut newest = server.connect().await;
    let state = newest.hello(json!({"session": session, "attempt": 5})).await;
    assert_eq!(state["holds"][0]["resource"], "db");
    assert_eq!(newer.closed().await.0, 4501, "of equal ones the newer wins");
    newest.quiet().await;
}

#[tokio::test]
async fn nothing_of_an_older_socket_is_applied_after_an_attach() {
    let server = start().await;
    for _ in 0..10 {
        let mut older = server.open("s").await;
        let session = older.session.clone();
        for number in 0..400 {
            let lock = json!({"op": "lock", "resource": format!("{session}{number}")});
            older.feed(lock).await;
        }
        let (_, (mut newer, state)) = tokio::join!(older.flush(), server.resume(&session));
        let mut answered = 0;
        let end = loop {
            match older.next().await {
                Ok(answer) => answered += u64::from(answer.get("ok").is_some()),
                Err(end) => break end,
            }
        };
        assert_eq!(end.0, 4501, "{end:?}");
        let holds = |state: &Value| state["holds"].as_array().unwrap().len() as u64;
        let later = newer.ask(json!({"op": "session"})).await;
        assert_eq!(holds(&later), holds(&state), "applied after the attach");
        assert!(answered <= holds(&state), "{answered} answered");
        newer.ask(json!({"op": "bye"})).await;
    }
}

#[tokio::test]
async fn the_death_of_an_older_socket_does_not_touch_the_session() {
    let server = start_with(ticketd::server::Config { expire_ms: 50, ..Default::default() }).await;
    let mut other = server.open("other").await;
    let older = server.open_with(json!({"ttl": 3000})).await;
    let session = older.session.clone();
    let (mut newer, _) = server.resume(&session).await;
    newer.lock("db").await;
    other.wait_for("db").await;
    newer.event("lock-wanted").await;
    drop(older);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        newer.quiet().await;
    }
    newer.unlock("db").await;
    other.event("lock-granted").await;
    newer.wait_for("db").await;
    other.event("lock-wanted").await;
    other.unlock("db").await;
    newer.event("lock-granted").await;
}

#[tokio::test]
async fn an_ended_session_is_not_found_however_it_ended() {
    let server = start_with(ticketd::server::Config { expire_ms: 20, ..Default::default() }).await;
    let mut gone = server.open("bye").await;
    gone.ask(json!({"op": "bye"})).await;
    assert_eq!(gone.closed().await.0, 1000);
    let mut ended = vec![gone.session.clone(), "nonsense".to_owned(), String::new()];
    let closed = server.open_by_rest("closed").await;
    server.rest("DELETE", &format!("sessions/{closed}")).await;
    ended.push(closed);
    let expired = server.open_with(json!({"ttl": 50})).await;
    ended.push(expired.session.clone());
    // It is not read from, so that nothing answers the pings.
    tokio::time::sleep(Duration::from_millis(200)).await;
    for session in &ended {
        let mut client = server.connect().await;
        let hello = json!({"op": "hello", "session": session});
        assert_eq!(client.refused(hello.clone()).await, "session-not-found", "{session}");
        assert_eq!(client.refused(hello).await, "session-not-found", "always");
        let state = client.hello(json!({"name": "anew"})).await;
        assert_eq!((&state["resumed"], &state["ttl"]), (&json!(false), &json!(5000)));
        assert!(!ended.contains(&client.session));
    }
    drop(expired);
}

#[tokio::test]
async fn a_session_opened_by_rest_is_used_from_both() {
    let server = start().await;
    let session = server.open_by_rest("both").await;
    let locked = server.rest("POST", &format!("locks/db?sessid={session}")).await;
    let (mut client, state) = server.resume(&session).await;
    assert_eq!((&state["name"], &state["resumed"]), (&json!("both"), &json!(true)));
    assert_eq!(state["holds"][0]["fence"].as_u64(), locked.fence);
    assert_eq!(client.lock("db").await["fence"].as_u64(), locked.fence);
    client.unlock("db").await;
    server.rest("DELETE", &format!("sessions/{session}")).await;
    assert_eq!(client.closed().await, (4502, "closed".to_owned()));
}

#[tokio::test]
async fn a_large_state_comes_in_parts() {
    const TICKETS: usize = 100_000;
    let server = start().await;
    let mut issuer = server.open("issuer").await;
    let mut issued = 0;
    while issued < TICKETS {
        let ids = issued..issued + 500;
        issued = ids.end;
        let mut last = 0;
        for number in ids {
            let ticket = format!("ticket {number}");
            last = issuer.feed(json!({"op": "issue", "resource": "r", "ticket": ticket})).await;
        }
        issuer.flush().await;
        while issuer.next().await.unwrap()["id"] != last {}
    }
    let one_more = json!({"op": "issue", "resource": "r", "ticket": "one more"});
    assert_eq!(issuer.refused(one_more).await, "limit");
    let session = issuer.session.clone();
    drop(issuer);

    let mut back = server.connect().await;
    let hello = json!({"id": 7, "op": "hello", "session": session}).to_string();
    back.send_raw(Message::text(hello)).await;
    let mut names = Vec::new();
    let mut parts = 0;
    loop {
        let text = back.text().await.unwrap();
        assert!(text.len() <= 64 * 1024, "a frame of {} bytes", text.len());
        let frame: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(frame["id"], 7);
        let last = frame.get("ok").is_some();
        let lists = if last { &frame["ok"] } else { &frame["part"] };
        for ticket in lists["issued"].as_array().unwrap_or(&Vec::new()) {
            names.push(ticket["ticket"].as_str().unwrap().to_owned());
        }
        if last {
            break;
        }
        parts += 1;
    }
    assert!(parts > 10, "{parts} parts");
    let expected: Vec<String> = (0..TICKETS).map(|number| format!("ticket {number}")).collect();
    assert!(names == expected, "{} names", names.len());
}
