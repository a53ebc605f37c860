//! Queues of work: tickets that stay, their attempts, holds that end, and claims of several.

use serde_json::{Value, json};

use super::client::{Client, Running, start, with};

/// An op about `job` in `jobs`, with further members.
fn about(op: &str, members: Value) -> Value {
    with(json!({"op": op, "resource": "jobs", "ticket": "job"}), members)
}

impl Client {
    /// Claims a ticket of `jobs`: what is told of it.
    async fn work(&mut self, members: Value) -> Value {
        let claim = with(json!({"op": "claim", "resource": "jobs"}), members);
        let ok = self.ask(claim).await;
        assert_eq!(ok["granted"], true, "{ok}");
        ok["ticket"].clone()
    }
}

async fn farm_and_worker(server: &Running, terms: Value) -> (Client, Client) {
    let (mut farm, worker) = (server.open("farm").await, server.open("worker").await);
    let mut issue = about("issue", terms);
    issue["data"] = json!("x");
    issue["notify"] = json!(true);
    farm.ask(issue).await;
    (farm, worker)
}

#[tokio::test]
async fn a_ticket_that_stays_outlives_its_issuer_and_is_finished_by_its_fence() {
    let server = start().await;
    let (mut farm, mut worker) = farm_and_worker(&server, json!({"stay": true})).await;
    let state = farm.ask(json!({"op": "session"})).await;
    let issued = json!([{"resource": "jobs", "ticket": "job", "claimed": false, "stay": true}]);
    assert_eq!(state["issued"], issued);
    farm.ask(json!({"op": "bye"})).await;
    let first = worker.work(json!({})).await;
    assert_eq!((&first["issuer"], &first["attempt"]), (&json!("farm"), &json!(1)));
    assert_eq!((first.get("hold"), first.get("left")), (None, None));
    // REST's old shape has what is new, and an issuer that is gone.
    let dump = server.rest("GET", "dump/resources/jobs").await.body;
    assert!(dump.contains(r#""Issuer":{"Name":"farm","Id":"","Src":"","Ttl":0,"#), "{dump}");
    assert!(dump.contains(r#""Attempt":1}"#), "{dump}");
    // Who does not have it does not finish it, and an old fence does not.
    worker.ask(about("release", json!({}))).await;
    let second = worker.work(json!({})).await;
    assert_eq!(second["attempt"], 2);
    let mut other = server.open("other").await;
    let stale = about("revoke", json!({"fence": first["fence"]}));
    assert_eq!(worker.refused(stale).await, "not-holder");
    let done = about("revoke", json!({"fence": second["fence"]}));
    assert_eq!(worker.ask(done.clone()).await, json!({}));
    assert_eq!(other.refused(done).await, "resource-not-found".replace("resource", "ticket"));
}

#[tokio::test]
async fn attempts_are_counted_until_the_last_and_a_dead_ticket_is_revived() {
    let server = start().await;
    let (mut farm, mut worker) =
        farm_and_worker(&server, json!({"stay": true, "attempts": 2})).await;
    let fence = worker.work(json!({})).await["fence"].take();
    farm.event("ticket-claimed").await;
    let release = about("release", json!({"note": "no such file"}));
    assert_eq!(worker.ask(release.clone()).await, json!({"released": true}));
    let told = json!({"event": "ticket-released", "resource": "jobs", "ticket": "job",
                      "session": "worker", "fence": fence, "reason": "released", "attempt": 1,
                      "note": "no such file"});
    assert_eq!(farm.event("ticket-released").await, told);
    // What was not looked at does not count.
    worker.work(json!({})).await;
    farm.event("ticket-claimed").await;
    worker.ask(about("release", json!({"untried": true}))).await;
    farm.event("ticket-released").await;
    assert_eq!(worker.work(json!({})).await["attempt"], 2);
    farm.event("ticket-claimed").await;
    worker.ask(release).await;
    let told = farm.event("ticket-released").await;
    assert_eq!((&told["attempt"], &told["dead"]), (&json!(2), &json!(true)));
    // It goes to nobody; by its name a try is not granted, and a wait stands.
    let claim = json!({"op": "claim", "resource": "jobs"});
    assert_eq!(worker.ask(claim).await["granted"], false);
    assert_eq!(worker.ask(about("claim", json!({}))).await["granted"], false);
    let wait = worker.ask(about("claim", json!({"wait": true}))).await;
    assert_eq!(wait["position"], 1);
    let watch = json!({"op": "watch", "resource": "jobs", "changes": true});
    let figures = json!({"kind": "tickets", "free": 0, "held": 0, "waiting": 1, "dead": 1});
    assert_eq!(farm.ask(watch).await, figures);
    assert_eq!(farm.ask(about("revive", json!({}))).await, json!({"revived": 1}));
    let granted = worker.event("ticket-granted").await;
    assert_eq!((&granted["wait"], &granted["attempt"]), (&wait["wait"], &json!(1)));
    // Dead by word, and all of a resource revived.
    worker.ask(about("release", json!({"dead": true}))).await;
    let revive = json!({"op": "revive", "resource": "jobs"});
    assert_eq!(farm.ask(revive.clone()).await, json!({"revived": 1}));
    assert_eq!(farm.ask(revive).await, json!({"revived": 0}));
}

#[tokio::test]
async fn a_ticket_is_new_or_it_is_not_and_the_greater_priority_goes_first() {
    let server = start().await;
    let mut farm = server.open("farm").await;
    for (ticket, priority) in [("low", 0), ("high", 9), ("middle", 5), ("high too", 9)] {
        let issue = json!({"op": "issue", "resource": "jobs", "ticket": ticket,
                           "priority": priority, "new": true});
        assert_eq!(farm.ask(issue.clone()).await, json!({}));
        assert_eq!(farm.refused(issue).await, "ticket-exists");
    }
    for ticket in ["high", "high too", "middle", "low"] {
        let claimed = farm.work(json!({})).await;
        assert_eq!(claimed["ticket"], ticket);
        assert_eq!(claimed.get("attempt"), None, "a plain ticket shows nothing new");
    }
}

#[tokio::test]
async fn a_hold_ends_by_itself_unless_it_is_touched() {
    let server = start().await;
    let (mut farm, mut worker) = farm_and_worker(&server, json!({"stay": true})).await;
    let ticket = worker.work(json!({"hold": 400})).await;
    let fence = ticket["fence"].clone();
    assert_eq!((&ticket["hold"], &ticket["left"]), (&json!(400), &json!(400)));
    farm.event("ticket-claimed").await;
    let expiring = worker.event("claim-expiring").await;
    assert_eq!((&expiring["ticket"], &expiring["fence"]), (&json!("job"), &fence));
    assert!(expiring["left"].as_u64().is_some_and(|left| left <= 100), "{expiring}");
    // Touched it begins anew, and is told of anew.
    let touched = worker.ask(about("touch", json!({"fence": fence}))).await;
    assert_eq!(touched, json!({"left": 400}));
    let state = worker.ask(json!({"op": "session"})).await;
    let hold = &state["holds"][0];
    assert_eq!((&hold["attempt"], &hold["hold"]), (&json!(1), &json!(400)), "{state}");
    assert!(hold["left"].as_u64().is_some_and(|left| left > 100 && left <= 400), "{state}");
    worker.event("claim-expiring").await;
    let revoked = json!({"event": "ticket-revoked", "resource": "jobs", "ticket": "job",
                         "fence": fence, "reason": "timeout"});
    assert_eq!(worker.event("ticket-revoked").await, revoked);
    assert_eq!(farm.event("ticket-released").await["reason"], "timeout");
    assert_eq!(worker.refused(about("touch", json!({}))).await, "not-holder");
    // A claim without a hold has none left, until a touch gives it one.
    assert_eq!(worker.work(json!({})).await["attempt"], 2);
    assert_eq!(worker.ask(about("touch", json!({}))).await, json!({"left": null}));
    let touch = about("touch", json!({"hold": 60_000}));
    assert_eq!(worker.ask(touch).await, json!({"left": 60_000}));
    let path = format!("claims/jobs?sessid={}&name=job&hold=50000", worker.session);
    assert_eq!(server.rest("PUT", &path).await.body, r#"{"Left":50000}"#);
    assert_eq!(worker.refused(about("touch", json!({"fence": fence}))).await, "not-holder");
}

#[tokio::test]
async fn a_ticket_s_own_hold_is_that_of_claims_that_name_none() {
    let server = start().await;
    let (_farm, mut worker) = farm_and_worker(&server, json!({"hold": 60_000})).await;
    let ticket = worker.work(json!({})).await;
    assert_eq!((&ticket["hold"], &ticket["attempt"]), (&json!(60_000), &json!(1)));
    // Confirmed, it has what is left of it.
    let again = worker.ask(about("claim", json!({}))).await;
    assert_eq!(again["ticket"]["fence"], ticket["fence"]);
    assert!(again["ticket"]["left"].as_u64().is_some_and(|left| left <= 60_000), "{again}");
}

#[tokio::test]
async fn a_delayed_ticket_is_free_later_and_at_once_when_issued_without() {
    let server = start().await;
    let (mut farm, mut worker) = farm_and_worker(&server, json!({"delay": 200})).await;
    assert_eq!(worker.ask(about("claim", json!({}))).await["granted"], false);
    let wait = json!({"op": "claim", "resource": "jobs", "wait": true});
    let wait = worker.ask(wait).await["wait"].take();
    assert_eq!(worker.event("ticket-granted").await["wait"], wait);
    farm.event("ticket-claimed").await;
    worker.ask(about("release", json!({"delay": 2_592_000_000_u64}))).await;
    farm.event("ticket-released").await;
    let look = farm.ask(json!({"op": "look", "resource": "jobs"})).await;
    assert_eq!((&look["delayed"], &look["free"]), (&json!(1), &json!(0)), "{look}");
    farm.ask(about("issue", json!({"data": "x"}))).await;
    worker.work(json!({})).await;
}

#[tokio::test]
async fn one_claim_is_for_the_first_of_several_that_has_one() {
    let server = start().await;
    let (mut farm, mut worker) = (server.open("farm").await, server.open("worker").await);
    farm.issue("slow", "s", "").await;
    let claim = |wait: Value| json!({"op": "claim", "resources": ["fast", "slow"], "wait": wait});
    let claimed = worker.ask(claim(json!(false))).await;
    assert_eq!(claimed["ticket"]["ticket"], "s", "{claimed}");
    assert_eq!(worker.ask(claim(json!(0))).await, json!({"granted": false}));
    let queued = worker.ask(claim(json!(true))).await;
    assert_eq!(queued["position"], 1);
    let state = worker.ask(json!({"op": "session"})).await;
    let wait = json!([{"wait": queued["wait"], "resources": ["fast", "slow"], "kind": "ticket",
                       "position": 1}]);
    assert_eq!(state["waits"], wait);
    farm.issue("fast", "f", "").await;
    let granted = worker.event("ticket-granted").await;
    assert_eq!((&granted["wait"], &granted["ticket"]), (&queued["wait"], &json!("f")));
    farm.issue("fast", "f2", "").await;
    farm.issue("slow", "s2", "").await;
    worker.quiet().await;
    assert_eq!(worker.ask(claim(json!(false))).await["ticket"]["ticket"], "f2");
    worker.ask(claim(json!(false))).await;
    // Its time ends it in all, and each must be of tickets.
    let queued = worker.ask(claim(json!(30))).await;
    let ended = json!({"event": "wait-ended", "wait": queued["wait"],
                       "resources": ["fast", "slow"], "reason": "timeout"});
    assert_eq!(worker.event("wait-ended").await, ended);
    farm.lock("lock").await;
    let wrong = json!({"op": "claim", "resources": ["fast", "lock"], "wait": true});
    assert_eq!(worker.refused(wrong).await, "wrong-kind");
}
