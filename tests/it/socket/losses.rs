//! What becomes of what a lost session held, and of those who wait for each other.

use serde_json::{Value, json};

use super::client::{Client, Place, start};

impl Place {
    /// Closes another's session, as an administrator does.
    async fn close_by_ref(&self, state: &Value) {
        let session = state["ref"].as_str().expect("a ref");
        assert_eq!(self.rest("DELETE", &format!("sessions/{session}")).await.body, "\"Ok\"");
    }

    async fn look(&self, resource: &str) -> Value {
        let answer = self.rest("GET", &format!("resources/{resource}")).await;
        serde_json::from_str(&answer.body).unwrap_or_else(|why| panic!("{why}: {answer:?}"))
    }
}

#[tokio::test]
async fn a_lost_hold_stays_for_a_while_as_nobodys() {
    let server = start().await;
    let hello = json!({"name": "lost", "ttl": 60_000, "delay": 1500});
    let (mut lost, state) = server.hello(hello).await;
    let (mut next, mut farm) = (server.open("next").await, server.open("farm").await);
    let fence = lost.lock("db").await["fence"].take();
    farm.ask(json!({"op": "issue", "resource": "jobs", "ticket": "j", "notify": true})).await;
    lost.ask(json!({"op": "claim", "resource": "jobs"})).await;
    farm.event("ticket-claimed").await;
    next.wait_for("db").await;
    next.ask(json!({"op": "claim", "resource": "jobs", "wait": true})).await;
    lost.event("lock-wanted").await;
    server.close_by_ref(&state).await;
    assert_eq!(lost.closed().await, (4502, "closed".to_owned()));
    // Its issuer is told at once; the lock is held on, by nobody, with the fence that it had.
    let released = farm.event("ticket-released").await;
    assert_eq!((&released["reason"], &released["attempt"]), (&json!("gone"), &json!(1)));
    let look = server.look("db").await;
    assert_eq!((&look["held"], &look["waiting"]), (&json!(1), &json!(1)));
    let holder = &look["holders"][0];
    assert_eq!((&holder["session"], &holder["fence"]), (&Value::Null, &fence));
    assert!(holder["left"].as_u64().is_some_and(|left| left <= 1500), "{look}");
    assert_eq!(holder.get("ref"), None);
    let dump = server.rest("GET", "dump/resources/db").await.body;
    let gone = r#""Issuer":{"Name":"lost","Id":"","Src":"","Ttl":0,"#;
    assert!(dump.contains(gone), "{dump}");
    // Then it passes on.
    let granted = [next.event("lock-granted").await, next.event("ticket-granted").await];
    assert!(granted[0]["fence"].as_u64() > fence.as_u64());
}

#[tokio::test]
async fn a_session_that_ends_itself_leaves_nothing_and_force_ends_what_one_left() {
    let server = start().await;
    let hello = json!({"name": "a", "ttl": 60_000, "delay": 60_000});
    let (mut a, _) = server.hello(hello.clone()).await;
    let mut next = server.open("next").await;
    a.lock("db").await;
    next.wait_for("db").await;
    a.event("lock-wanted").await;
    a.ask(json!({"op": "bye"})).await;
    next.event("lock-granted").await;
    let (mut b, state) = server.hello(hello).await;
    for lock in ["x", "y"] {
        b.lock(lock).await;
    }
    server.close_by_ref(&state).await;
    assert_eq!(next.lock("x").await["granted"], false);
    assert_eq!(next.ask(json!({"op": "unlock", "resource": "x", "force": true})).await, json!({}));
    assert_eq!(next.lock("x").await["granted"], true);
    let steal = json!({"op": "lock", "resource": "y", "steal": true});
    assert_eq!(next.ask(steal).await["granted"], true);
    let beyond = json!({"op": "hello", "delay": 60_001});
    assert_eq!(server.connect().await.refused(beyond).await, "bad-request");
}

async fn blocking(server: &Place, name: &str) -> Client {
    server.open_with(json!({"name": name, "ttl": 60_000, "blocking": true})).await
}

#[tokio::test]
async fn a_circle_of_those_who_only_wait_is_refused_and_told() {
    let server = start().await;
    let (mut a, mut b) = (blocking(&server, "a").await, blocking(&server, "b").await);
    a.lock("db").await;
    b.lock("disk").await;
    a.wait_for("disk").await;
    let refused = b.ask_any(json!({"op": "lock", "resource": "db", "wait": true})).await;
    assert_eq!(refused["error"]["code"], "deadlock", "{refused}");
    let cycle = refused["error"]["cycle"].as_array().expect("a cycle");
    let told: Vec<_> = cycle.iter().map(|it| (&it["session"], &it["waits"])).collect();
    assert_eq!(told, [(&json!("b"), &json!("db")), (&json!("a"), &json!("disk"))]);
    // By REST it is told the same, in a document.
    let path = format!("locks/db?sessid={}&wait=1000", b.session);
    let answer = server.rest("POST", &path).await;
    assert_eq!((answer.status, &*answer.body), (409, "it would wait for ever\n"));
    // A try waits for nobody; and who does not block may wait.
    assert_eq!(b.lock("db").await["granted"], false);
    let mut c = server.open("c").await;
    c.lock("tape").await;
    let state = a.ask(json!({"op": "session"})).await;
    let wait = state["waits"][0]["wait"].clone();
    a.ask(json!({"op": "cancel", "wait": wait})).await;
    a.wait_for("tape").await;
    assert_eq!(c.wait_for("db").await.1, 1);
}
