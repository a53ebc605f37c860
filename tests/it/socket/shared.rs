//! Locks held by several, what their holders make known, and locks that are taken.

use serde_json::{Value, json};

use super::client::{Client, start, with};

impl Client {
    /// Asks for a lock in shared mode, without waiting.
    async fn share(&mut self, resource: &str) -> Value {
        self.ask(json!({"op": "lock", "resource": resource, "mode": "shared"})).await
    }

    /// The holders in a watch's answer or event: name, fence and data of each.
    fn holders(told: &Value) -> Vec<(String, u64, String)> {
        let list = told["holders"].as_array().unwrap_or_else(|| panic!("no holders: {told}"));
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        list.iter()
            .map(|it| {
                (text(&it["session"]), it["fence"].as_u64().expect("a fence"), text(&it["data"]))
            })
            .collect()
    }
}

#[tokio::test]
async fn readers_share_and_a_writer_waits_its_turn_between_them() {
    let server = start().await;
    let (mut a, mut b) = (server.open("a").await, server.open("b").await);
    let (mut writer, mut late) = (server.open("writer").await, server.open("late").await);
    let first = a.share("page").await;
    assert_eq!((&first["granted"], &first["mode"]), (&json!(true), &json!("shared")));
    let second = b.share("page").await;
    assert!(second["fence"].as_u64() > first["fence"].as_u64(), "each has a fence of its own");
    let (wait, position) = writer.wait_for("page").await;
    assert_eq!(position, 1);
    // Every holder is told, and a reader that comes now stands behind the writer.
    assert_eq!(a.event("lock-wanted").await["waiting"], 1);
    assert_eq!(b.event("lock-wanted").await["waiting"], 1);
    assert_eq!(late.share("page").await["granted"], false);
    let ask = json!({"op": "lock", "resource": "page", "mode": "shared", "wait": true});
    assert_eq!(late.ask(ask).await["position"], 2);
    a.unlock("page").await;
    b.unlock("page").await;
    let granted = writer.event("lock-granted").await;
    assert_eq!((&granted["wait"], granted.get("mode")), (&wait, None));
    writer.unlock("page").await;
    assert_eq!(late.event("lock-granted").await["mode"], "shared");
    let state = late.ask(json!({"op": "session"})).await;
    assert_eq!(state["holds"][0]["mode"], "shared");
}

#[tokio::test]
async fn a_lock_is_held_once_and_in_one_mode() {
    let server = start().await;
    let mut one = server.open("one").await;
    let fence = one.lock("strong").await["fence"].take();
    let again = one.share("strong").await;
    assert_eq!((&again["fence"], again.get("mode")), (&fence, None), "the stronger stays");
    one.share("weak").await;
    let refused = one.ask_any(json!({"op": "lock", "resource": "weak", "wait": true})).await;
    let error = &refused["error"];
    assert_eq!(error["code"], "deadlock", "{refused}");
    assert_eq!(error["cycle"].as_array().map(Vec::len), Some(1), "{refused}");
    assert_eq!(
        (&error["cycle"][0]["session"], &error["cycle"][0]["waits"]),
        (&json!("one"), &json!("weak"))
    );
    assert_eq!(error["cycle"][0]["ref"].as_str().map(str::len), Some(16));
    // A place has the stronger mode, and what is granted says so.
    let (mut holder, mut waiter) = (server.open("holder").await, server.open("waiter").await);
    holder.lock("db").await;
    let ask = json!({"op": "lock", "resource": "db", "mode": "shared", "wait": true});
    let wait = waiter.ask(ask).await["wait"].take();
    let state = waiter.ask(json!({"op": "session"})).await;
    assert_eq!(state["waits"][0]["mode"], "shared");
    assert_eq!(waiter.wait_for("db").await.0, wait);
    let state = waiter.ask(json!({"op": "session"})).await;
    assert_eq!(state["waits"][0].get("mode"), None);
    holder.unlock("db").await;
    assert_eq!(waiter.event("lock-granted").await.get("mode"), None);
}

#[tokio::test]
async fn who_leads_and_where_is_seen_by_all_who_watch() {
    let server = start().await;
    let (mut leader, mut observer) = (server.open("leader").await, server.open("o").await);
    let watch = json!({"op": "watch", "resource": "elected", "changes": true});
    let state = observer.ask(watch).await;
    assert_eq!(state["holders"], json!([]), "nobody leads");
    let ask = json!({"op": "lock", "resource": "elected", "data": "here"});
    let fence = leader.ask(ask).await["fence"].as_u64().expect("a fence");
    let changed = observer.event("resource-changed").await;
    assert_eq!(Client::holders(&changed), [("leader".into(), fence, "here".into())]);
    assert_eq!(changed["holders"][0]["ref"].as_str().map(str::len), Some(16));
    // A confirmation without a value leaves it, one with another replaces it, and "" empties it.
    leader.lock("elected").await;
    observer.quiet().await;
    for (value, shown) in [("there", "there"), ("", "")] {
        let update = json!({"op": "lock", "resource": "elected", "fence": fence, "data": value});
        assert_eq!(leader.ask(update).await["fence"], fence);
        let changed = observer.event("resource-changed").await;
        assert_eq!(Client::holders(&changed), [("leader".into(), fence, shown.into())]);
    }
    let bytes = json!({"op": "lock", "resource": "elected", "fence": fence, "data64": "/wA="});
    leader.ask(bytes).await;
    assert_eq!(observer.event("resource-changed").await["holders"][0]["data64"], "/wA=");
    // With another's fence nothing is taken; with its own nothing that was lost.
    let mut other = server.open("other").await;
    let update = json!({"op": "lock", "resource": "elected", "fence": fence, "data": "me"});
    assert_eq!(other.refused(update.clone()).await, "not-holder");
    leader.unlock("elected").await;
    let changed = observer.event("lock-available").await;
    assert_eq!(changed["resource"], "elected");
    let changed = observer.event("resource-changed").await;
    assert_eq!((&changed["kind"], Client::holders(&changed).len()), (&Value::Null, 0));
    assert_eq!(leader.refused(update).await, "not-holder");
    let large = json!({"op": "lock", "resource": "elected", "data": "x".repeat(1025)});
    assert_eq!(leader.refused(large).await, "too-large");
    // What a reader did not see it finds in its next state.
    let ask = json!({"op": "lock", "resource": "elected", "data": "again"});
    leader.ask(ask).await;
    let (_, state) = server.resume(&observer.session).await;
    assert_eq!(Client::holders(&state["watches"][0])[0].2, "again");
}

#[tokio::test]
async fn a_lock_is_taken_at_once_and_who_waits_waits_on() {
    let server = start().await;
    let (mut holder, mut waiter) = (server.open("holder").await, server.open("waiter").await);
    let mut thief = server.open("thief").await;
    let fence = holder.lock("db").await["fence"].take();
    waiter.wait_for("db").await;
    assert_eq!(holder.event("lock-wanted").await["waiting"], 1);
    let steal = json!({"op": "lock", "resource": "db", "steal": true, "wait": true});
    let stolen = thief.ask(steal.clone()).await;
    assert_eq!((&stolen["granted"], &stolen["waiting"]), (&json!(true), &json!(1)));
    let lost = json!({"event": "lock-lost", "resource": "db", "fence": fence, "reason": "forced",
                      "by": "thief"});
    assert_eq!(holder.event("lock-lost").await, lost);
    waiter.quiet().await;
    // By its own holder it is another grant, of which that is not told.
    let again = thief.ask(steal).await;
    assert!(again["fence"].as_u64() > stolen["fence"].as_u64());
    thief.quiet().await;
    for wrong in [json!({"mode": "shared"}), json!({"fence": 7})] {
        let ask = json!({"op": "lock", "resource": "db", "steal": true});
        assert_eq!(thief.refused(with(ask, wrong.clone())).await, "bad-request", "{wrong}");
    }
    thief.unlock("db").await;
    waiter.event("lock-granted").await;
}

#[tokio::test]
async fn grants_are_ended_by_force_all_or_one() {
    let server = start().await;
    let (mut a, mut b, mut ops) =
        (server.open("a").await, server.open("b").await, server.open("ops").await);
    let force =
        |members: Value| with(json!({"op": "unlock", "resource": "page", "force": true}), members);
    assert_eq!(ops.refused(force(json!({}))).await, "resource-not-found");
    let first = a.share("page").await["fence"].take();
    let second = b.share("page").await["fence"].take();
    ops.share("page").await;
    assert_eq!(ops.ask(force(json!({"fence": second}))).await, json!({}));
    let lost = json!({"event": "lock-lost", "resource": "page", "fence": second,
                      "reason": "forced", "by": "ops"});
    assert_eq!(b.event("lock-lost").await, lost);
    assert_eq!(ops.refused(force(json!({"fence": second}))).await, "not-holder");
    a.quiet().await;
    assert_eq!(ops.ask(force(json!({}))).await, json!({}));
    assert_eq!(a.event("lock-lost").await["fence"], first);
    ops.quiet().await;
    assert_eq!(ops.refused(force(json!({}))).await, "not-locked");
    // By a request without a session nobody is named.
    let fence = a.share("page").await["fence"].take();
    assert_eq!(server.rest("DELETE", "locks/page?force=true").await.body, "\"ok\"");
    let lost = json!({"event": "lock-lost", "resource": "page", "fence": fence,
                      "reason": "forced"});
    assert_eq!(a.event("lock-lost").await, lost);
    // Likewise of a ticket.
    a.issue("jobs", "j", "").await;
    let claim = json!({"op": "claim", "resource": "jobs"});
    let fence = b.ask(claim).await["ticket"]["fence"].take();
    let force = json!({"op": "release", "resource": "jobs", "ticket": "j", "force": true});
    let wrong = json!({"op": "release", "resource": "jobs", "ticket": "j", "force": true,
                       "fence": 1});
    assert_eq!(ops.refused(wrong).await, "not-holder");
    assert_eq!(ops.ask(force.clone()).await, json!({"released": true}));
    let lost = json!({"event": "ticket-revoked", "resource": "jobs", "ticket": "j",
                      "fence": fence, "reason": "forced", "by": "ops"});
    assert_eq!(b.event("ticket-revoked").await, lost);
    assert_eq!(ops.ask(force).await, json!({"released": false}));
}
