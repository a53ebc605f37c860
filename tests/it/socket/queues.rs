//! Queues: first come, first served, whoever comes by socket and whoever by REST; how waits end.

use serde_json::json;

use super::client::{Client, Place, TTL_MS, start};

#[tokio::test]
async fn sockets_and_rest_requests_stand_in_one_queue() {
    let server = start().await;
    let mut holder = server.open("holder").await;
    let (mut first, mut third) = (server.open("first").await, server.open("third").await);
    let second = server.open_by_rest("second").await;
    let held = holder.lock("db").await;
    assert_eq!((&held["granted"], &held["waiting"]), (&json!(true), &json!(0)));

    let (wait, position) = first.wait_for("db").await;
    assert_eq!(position, 1);
    let wanted = holder.event("lock-wanted").await;
    assert_eq!((&wanted["resource"], &wanted["waiting"]), (&json!("db"), &json!(1)));
    let answer = server.rest_later("POST", format!("locks/db?sessid={second}&wait=60000"));
    server.until_waiting("db", 2).await;
    assert_eq!(third.wait_for("db").await.1, 3);
    holder.quiet().await;

    holder.unlock("db").await;
    let granted = first.event("lock-granted").await;
    let (wait_of, waiting) = (&granted["wait"], &granted["waiting"]);
    assert_eq!((&granted["resource"], wait_of, waiting), (&json!("db"), &wait, &json!(2)));
    third.quiet().await;
    assert!(!answer.is_finished());
    first.unlock("db").await;
    let answer = answer.await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "true"));
    third.quiet().await;
    server.rest("DELETE", &format!("locks/db?sessid={second}")).await;
    let last = third.event("lock-granted").await;
    let fences = [held["fence"].as_u64(), granted["fence"].as_u64(), answer.fence];
    assert!(fences.is_sorted() && fences[2] < last["fence"].as_u64(), "{fences:?} {last}");
}

#[tokio::test]
async fn nobody_barges() {
    let server = start().await;
    let mut holder = server.open("holder").await;
    let mut waiter = server.open("waiter").await;
    let (mut eager, other) = (server.open("eager").await, server.open_by_rest("other").await);
    holder.lock("db").await;
    waiter.wait_for("db").await;
    holder.event("lock-wanted").await;
    // The tries are sent ahead of the unlocking and behind it: the waiter gets it all the same.
    for _ in 0..20 {
        let release = holder.feed(json!({"op": "unlock", "resource": "db"})).await;
        let barge = holder.feed(json!({"op": "lock", "resource": "db"})).await;
        holder.flush().await;
        assert_eq!(holder.answer(release).await["ok"], json!({}));
        assert_eq!(holder.answer(barge).await["ok"]["granted"], false);
        assert_eq!(eager.lock("db").await, json!({"granted": false}));
        let tried = server.rest("POST", &format!("locks/db?sessid={other}")).await;
        assert_eq!(tried.body, "false");
        waiter.event("lock-granted").await;
        holder.wait_for("db").await;
        waiter.event("lock-wanted").await;
        waiter.unlock("db").await;
        holder.event("lock-granted").await;
        waiter.wait_for("db").await;
        holder.event("lock-wanted").await;
    }
}

#[tokio::test]
async fn a_try_takes_what_no_earlier_wait_accepts() {
    let server = start().await;
    let (mut issuer, mut named) = (server.open("issuer").await, server.open("named").await);
    let mut eager = server.open("eager").await;
    let wait = json!({"op": "claim", "resource": "pool", "ticket": "b", "wait": true});
    assert_eq!(named.ask(wait).await["position"], 1, "a named wait may precede its ticket");
    issuer.issue("pool", "a", "").await;
    let got = eager.ask(json!({"op": "claim", "resource": "pool"})).await;
    assert_eq!(got["ticket"]["ticket"], "a");
    issuer.issue("pool", "b", "x").await;
    let got = eager.ask(json!({"op": "claim", "resource": "pool"})).await;
    assert_eq!(got, json!({"granted": false}));
    let granted = named.event("ticket-granted").await;
    assert_eq!((&granted["ticket"], &granted["data"]), (&json!("b"), &json!("x")));
    assert_eq!(granted["issuer"], "issuer");
    // A named claim without a wait says who is in the way.
    let claim = |ticket| json!({"op": "claim", "resource": "pool", "ticket": ticket});
    assert_eq!(eager.refused(claim("b")).await, "ticket-held");
    assert_eq!(eager.refused(claim("c")).await, "ticket-not-found");
    let again = named.ask(claim("b")).await;
    assert_eq!(again["ticket"]["fence"], granted["fence"], "confirmed, not granted anew");
}

#[tokio::test]
async fn freed_tickets_go_out_in_order_to_the_earliest() {
    let server = start().await;
    let mut issuer = server.open("issuer").await;
    for ticket in ["c", "a", "b"] {
        issuer.issue("pool", ticket, "").await;
    }
    issuer.issue("pool", "c", "a re-issue keeps the place").await;
    let mut taker = server.open("taker").await;
    for ticket in ["c", "a", "b"] {
        let got = taker.ask(json!({"op": "claim", "resource": "pool"})).await;
        assert_eq!(got["ticket"]["ticket"], ticket, "always one more");
    }
    let poller = server.open_by_rest("poller").await;
    let mut waiter = server.open("waiter").await;
    let answer = server.rest_later("POST", format!("claims/pool?sessid={poller}&wait=60000"));
    server.until_waiting("pool", 1).await;
    waiter.ask(json!({"op": "claim", "resource": "pool", "wait": 60_000})).await;
    for ticket in ["b", "c"] {
        let release = json!({"op": "release", "resource": "pool", "ticket": ticket});
        assert_eq!(taker.ask(release.clone()).await["released"], true);
        assert_eq!(taker.ask(release).await["released"], false);
    }
    let answer = answer.await.unwrap();
    assert!(answer.body.contains(r#""Claimed":true"#), "{answer:?}");
    assert!(answer.body.contains(r#""Name":"b""#), "{answer:?}");
    assert_eq!(waiter.event("ticket-granted").await["ticket"], "c");
}

#[tokio::test]
async fn a_wait_whose_time_is_up_says_so_and_leaves_the_queue() {
    let server = start().await;
    let (mut holder, mut waiter) = (server.open("holder").await, server.open("waiter").await);
    holder.lock("db").await;
    let ask = json!({"op": "lock", "resource": "db", "wait": 40});
    let wait = waiter.ask(ask).await["wait"].take();
    let ended = waiter.event("wait-ended").await;
    let told = json!({"event": "wait-ended", "wait": wait, "resource": "db", "reason": "timeout"});
    assert_eq!(ended, told);
    assert_eq!(waiter.ask(json!({"op": "cancel", "wait": wait})).await["cancelled"], false);
    let poller = server.open_by_rest("poller").await;
    let answer = server.rest("POST", &format!("locks/db?sessid={poller}&wait=40")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "false"));
    let answer = server.rest("POST", &format!("claims/pool?sessid={poller}&wait=40")).await;
    assert!(answer.body.contains(r#""Claimed":false"#), "{answer:?}");
    holder.unlock("db").await;
    waiter.quiet().await;
    assert_eq!(waiter.lock("db").await["granted"], true, "nobody else has it");
}

#[tokio::test]
async fn a_cancelled_wait_is_never_granted_and_one_that_was_granted_is_told_first() {
    let server = start().await;
    let (mut holder, mut waiter) = (server.open("holder").await, server.open("waiter").await);
    holder.lock("db").await;
    let (wait, _) = waiter.wait_for("db").await;
    assert_eq!(holder.ask(json!({"op": "cancel", "wait": wait})).await["cancelled"], false);
    assert_eq!(waiter.ask(json!({"op": "cancel", "wait": wait})).await["cancelled"], true);
    assert_eq!(waiter.ask(json!({"op": "cancel", "wait": wait})).await["cancelled"], false);
    holder.unlock("db").await;
    waiter.quiet().await;

    holder.lock("db").await;
    let (wait, _) = waiter.wait_for("db").await;
    holder.unlock("db").await;
    assert_eq!(waiter.ask(json!({"op": "cancel", "wait": wait})).await["cancelled"], false);
    assert_eq!(waiter.told("lock-granted")["wait"], wait, "ahead of the answer");
}

#[tokio::test]
async fn a_wait_of_true_lasts_and_a_shorter_one_does_not_shorten_it() {
    let server = start().await;
    let mut holder = server.open("holder").await;
    let (mut patient, mut short) = (server.open("patient").await, server.open("short").await);
    holder.lock("db").await;
    let (wait, _) = patient.wait_for("db").await;
    let ask = |ms: u64| json!({"op": "lock", "resource": "db", "wait": ms});
    let merged = patient.ask(ask(1)).await;
    assert_eq!((&merged["wait"], &merged["position"]), (&wait, &json!(1)), "one place per lock");
    short.ask(ask(60)).await;
    short.event("wait-ended").await;
    patient.quiet().await;
    // The other way round it becomes longer.
    let wait = short.ask(ask(60)).await["wait"].take();
    assert_eq!(short.ask(ask(TTL_MS)).await["wait"], wait);
    let mut third = server.open("third").await;
    third.ask(ask(120)).await;
    third.event("wait-ended").await;
    short.quiet().await;
    holder.unlock("db").await;
    patient.event("lock-granted").await;
    patient.unlock("db").await;
    assert_eq!(short.event("lock-granted").await["wait"], wait);
    short.quiet().await;
}

/// A session waits for `db` by REST and by socket, and holds one place.
async fn wait_both_ways(
    server: &Place,
    client: &mut Client,
    wait_ms: u64,
) -> tokio::task::JoinHandle<super::client::Answer> {
    let path = format!("locks/db?sessid={}&wait=60000", client.session);
    let answer = server.rest_later("POST", path);
    server.until_waiting("db", 1).await;
    let place = client.ask(json!({"op": "lock", "resource": "db", "wait": wait_ms})).await;
    assert_eq!(place["position"], 1, "{place}");
    answer
}

#[tokio::test]
async fn rest_and_socket_of_one_session_share_a_place_and_are_both_answered() {
    let server = start().await;
    let (mut holder, mut both) = (server.open("holder").await, server.open("both").await);
    let mut next = server.open("next").await;
    holder.lock("db").await;
    let answer = wait_both_ways(&server, &mut both, 60_000).await;
    assert_eq!(next.wait_for("db").await.1, 2);
    holder.unlock("db").await;
    let event = both.event("lock-granted").await;
    let answer = answer.await.unwrap();
    assert_eq!((answer.body.as_str(), answer.fence), ("true", event["fence"].as_u64()));
    both.unlock("db").await;
    next.event("lock-granted").await;
}

#[tokio::test]
async fn a_shared_place_lasts_for_its_longest_wait() {
    let server = start().await;
    let (mut holder, mut both) = (server.open("holder").await, server.open("both").await);
    let mut next = server.open("next").await;
    holder.lock("db").await;
    let answer = wait_both_ways(&server, &mut both, 40).await;
    assert_eq!(next.wait_for("db").await.1, 2);
    both.event("wait-ended").await;
    holder.unlock("db").await;
    assert_eq!(answer.await.unwrap().body, "true");
    next.quiet().await;
    both.quiet().await;
}

#[tokio::test]
async fn a_rest_client_that_hangs_up_leaves_its_queue() {
    let server = start().await;
    let (mut holder, mut next) = (server.open("holder").await, server.open("next").await);
    let gone = server.open_by_rest("gone").await;
    holder.lock("db").await;
    let request = server.rest_later("POST", format!("locks/db?sessid={gone}&wait=60000"));
    server.until_waiting("db", 1).await;
    next.wait_for("db").await;
    request.abort();
    server.until_waiting("db", 1).await;
    holder.unlock("db").await;
    next.event("lock-granted").await;
}

#[tokio::test]
async fn a_session_that_ends_leaves_its_queues_and_its_locks_pass_on() {
    let server = start().await;
    let (mut holder, mut leaver) = (server.open("holder").await, server.open("leaver").await);
    let (closed, mut heir) = (server.open_by_rest("closed").await, server.open("heir").await);
    holder.lock("db").await;
    leaver.wait_for("db").await;
    let orphan = server.rest_later("POST", format!("locks/db?sessid={closed}&wait=60000"));
    server.until_waiting("db", 2).await;
    assert_eq!(heir.wait_for("db").await.1, 3);
    assert_eq!(leaver.ask(json!({"op": "bye"})).await, json!({}));
    server.rest("DELETE", &format!("sessions/{closed}")).await;
    assert_eq!(orphan.await.unwrap().status, 404);
    assert_eq!(heir.ask(json!({"op": "session"})).await["waits"][0]["position"], 1);
    holder.ask(json!({"op": "bye"})).await;
    heir.event("lock-granted").await;
}

#[tokio::test]
async fn a_lock_given_up_through_the_other_connection_is_lost() {
    let server = start().await;
    let (mut holder, mut next) = (server.open("holder").await, server.open("next").await);
    let fence = holder.lock("db").await["fence"].take();
    assert_eq!(holder.lock("db").await["fence"], fence, "confirmed, not granted anew");
    next.wait_for("db").await;
    holder.event("lock-wanted").await;
    server.rest("DELETE", &format!("locks/db?sessid={}", holder.session)).await;
    let lost =
        json!({"event": "lock-lost", "resource": "db", "fence": fence, "reason": "released"});
    assert_eq!(holder.event("lock-lost").await, lost);
    let newer = next.event("lock-granted").await["fence"].take();
    assert!(newer.as_u64() > fence.as_u64());
    let stale = json!({"op": "unlock", "resource": "db", "fence": fence});
    assert_eq!(next.refused(stale.clone()).await, "not-holder");
    assert_eq!(holder.refused(stale).await, "not-holder");
    next.ask(json!({"op": "unlock", "resource": "db", "fence": newer})).await;
    next.quiet().await;
    let free = json!({"op": "unlock", "resource": "db"});
    assert_eq!(next.refused(free.clone()).await, "not-locked");
    assert_eq!(next.refused(json!({"op": "unlock", "resource": "x"})).await, "resource-not-found");
}
