//! Tickets: what claimants and issuers are told, and how data travels.

use serde_json::{Value, json};

use super::client::{Client, Running, start};

/// An issuer of `job` in `pool`, with `notify`, and its claimant, who holds it.
async fn issued_and_claimed(server: &Running) -> (Client, Client, Value) {
    let (mut issuer, mut worker) = (server.open("issuer").await, server.open("worker").await);
    let issue = json!({"op": "issue", "resource": "pool", "ticket": "job", "notify": true});
    assert_eq!(issuer.ask(issue).await, json!({}));
    let mut claimed = worker.ask(json!({"op": "claim", "resource": "pool"})).await;
    let fence = claimed["ticket"]["fence"].take();
    let told = json!({"event": "ticket-claimed", "resource": "pool", "ticket": "job",
                      "session": "worker", "fence": fence});
    assert_eq!(issuer.event("ticket-claimed").await, told);
    (issuer, worker, fence)
}

#[tokio::test]
async fn an_issuer_who_asks_for_it_is_told_of_claims_and_releases() {
    let server = start().await;
    let (mut issuer, mut worker, fence) = issued_and_claimed(&server).await;
    let mut next = server.open("next").await;
    next.ask(json!({"op": "claim", "resource": "pool", "wait": true})).await;
    worker.ask(json!({"op": "release", "resource": "pool", "ticket": "job"})).await;
    let told = json!({"event": "ticket-released", "resource": "pool", "ticket": "job",
                      "session": "worker", "fence": fence, "reason": "released", "attempt": 1});
    assert_eq!(issuer.event("ticket-released").await, told);
    let fence = next.event("ticket-granted").await["fence"].take();
    let claimed = issuer.event("ticket-claimed").await;
    assert_eq!((&claimed["session"], &claimed["fence"]), (&json!("next"), &fence));
    // A session's end releases, too.
    next.ask(json!({"op": "bye"})).await;
    let released = issuer.event("ticket-released").await;
    assert_eq!((&released["fence"], &released["reason"]), (&fence, &json!("gone")));
    // Its own revoking is no news to it, and without notify nothing is.
    worker.ask(json!({"op": "claim", "resource": "pool"})).await;
    issuer.event("ticket-claimed").await;
    issuer.ask(json!({"op": "revoke", "resource": "pool", "ticket": "job"})).await;
    issuer.issue("pool", "job", "").await;
    worker.ask(json!({"op": "claim", "resource": "pool"})).await;
    worker.ask(json!({"op": "release", "resource": "pool", "ticket": "job"})).await;
    issuer.quiet().await;
}

#[tokio::test]
async fn a_claimant_is_told_of_a_re_issue_and_a_former_issuer_of_a_taking() {
    let server = start().await;
    let (mut issuer, mut worker, fence) = issued_and_claimed(&server).await;
    issuer.issue("pool", "job", "new").await;
    let told = json!({"event": "ticket-updated", "resource": "pool", "ticket": "job",
                      "data": "new", "fence": fence});
    assert_eq!(worker.event("ticket-updated").await, told);
    let mut thief = server.open("thief").await;
    let bytes = json!({"op": "issue", "resource": "pool", "ticket": "job", "data64": "/wA="});
    thief.ask(bytes).await;
    let taken =
        json!({"event": "ticket-taken", "resource": "pool", "ticket": "job", "session": "thief"});
    assert_eq!(issuer.event("ticket-taken").await, taken);
    let told = json!({"event": "ticket-updated", "resource": "pool", "ticket": "job",
                      "data64": "/wA=", "fence": fence});
    assert_eq!(worker.event("ticket-updated").await, told);
    let state = issuer.ask(json!({"op": "session"})).await;
    assert_eq!(state["issued"], json!([]), "it is the other's now");
    issuer.ask(json!({"op": "revoke", "resource": "pool", "ticket": "job"})).await;
    assert_eq!(thief.event("ticket-taken").await["session"], "issuer");
    let revoked = json!({"event": "ticket-revoked", "resource": "pool", "ticket": "job",
                         "fence": fence, "reason": "revoked"});
    assert_eq!(worker.event("ticket-revoked").await, revoked);
}

#[tokio::test]
async fn a_claimant_is_told_why_it_lost_its_ticket() {
    let server = start().await;
    for reason in ["revoked", "issuer-gone", "released"] {
        let (mut issuer, mut worker, fence) = issued_and_claimed(&server).await;
        match reason {
            "revoked" => {
                issuer.ask(json!({"op": "revoke", "resource": "pool", "ticket": "job"})).await;
            }
            "issuer-gone" => {
                issuer.ask(json!({"op": "bye"})).await;
            }
            _ => {
                let path = format!("claims/pool?sessid={}&name=job", worker.session);
                assert_eq!(server.rest("DELETE", &path).await.body, "\"Ok\"");
            }
        }
        let told = json!({"event": "ticket-revoked", "resource": "pool", "ticket": "job",
                          "fence": fence, "reason": reason});
        assert_eq!(worker.event("ticket-revoked").await, told);
        worker.quiet().await;
        let state = worker.ask(json!({"op": "session"})).await;
        assert_eq!(state["holds"], json!([]));
        issuer.session.clear();
    }
}

#[tokio::test]
async fn a_release_is_for_the_holder_and_its_fence() {
    let server = start().await;
    let (_issuer, mut worker, fence) = issued_and_claimed(&server).await;
    let mut other = server.open("other").await;
    let release = |fence: Value| {
        let mut release = json!({"op": "release", "resource": "pool", "ticket": "job"});
        if !fence.is_null() {
            release["fence"] = fence;
        }
        release
    };
    assert_eq!(other.ask(release(Value::Null)).await["released"], false);
    let stale = json!(fence.as_u64().unwrap() - 1);
    assert_eq!(worker.ask(release(stale)).await["released"], false);
    assert_eq!(worker.ask(release(fence)).await["released"], true);
    let elsewhere = json!({"op": "release", "resource": "nowhere", "ticket": "job"});
    assert_eq!(worker.refused(elsewhere).await, "resource-not-found");
    let revoke = json!({"op": "revoke", "resource": "pool", "ticket": "none"});
    assert_eq!(worker.refused(revoke).await, "ticket-not-found");
    worker.lock("db").await;
    assert_eq!(other.refused(json!({"op": "claim", "resource": "db"})).await, "wrong-kind");
    assert_eq!(other.refused(json!({"op": "lock", "resource": "pool"})).await, "wrong-kind");
}

#[tokio::test]
async fn data_is_text_when_it_can_be_and_base64_when_not() {
    let server = start().await;
    let mut issuer = server.open("i").await;
    let text = "zw\u{f6}lf \"\u{0}\n\u{1f3ab}\\";
    for (put, got) in [
        (json!({"data": text}), json!({"data": text})),
        (json!({"data64": "aGk="}), json!({"data": "hi"})),
        (json!({"data64": "/w=="}), json!({"data64": "/w=="})),
        (json!({"data64": ""}), json!({"data": ""})),
        (json!({}), json!({"data": ""})),
    ] {
        let mut issue = json!({"op": "issue", "resource": "pool", "ticket": "t"});
        issue.as_object_mut().unwrap().extend(put.as_object().unwrap().clone());
        issuer.ask(issue).await;
        let claim = json!({"op": "claim", "resource": "pool", "ticket": "t"});
        let ticket = issuer.ask(claim).await["ticket"].take();
        for member in ["data", "data64"] {
            assert_eq!(ticket.get(member), got.get(member), "{put} {ticket}");
        }
        issuer.ask(json!({"op": "release", "resource": "pool", "ticket": "t"})).await;
    }
    for wrong in [
        json!({"data": "a", "data64": "YQ=="}),
        json!({"data": 7}),
        json!({"data64": "YQ"}),
        json!({"data64": "*"}),
        json!({"notify": "yes"}),
    ] {
        let mut issue = json!({"op": "issue", "resource": "pool", "ticket": "t"});
        issue.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(issuer.refused(issue).await, "bad-request", "{wrong}");
    }
}
