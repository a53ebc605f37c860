//! Two things happen at once, and what was applied is not durable yet: the outcome is one or the
//! other, told in order, and nothing is stranded.

use super::*;

/// A holder of `db` and one who waits for it; all that is durable.
struct Pair {
    driver: Driver,
    holder: Peer,
    waiter: Peer,
    waiter_id: String,
    wait: u64,
}

impl Pair {
    async fn new(wait_ms: u64) -> Self {
        let driver = gated();
        let mut holder = Peer::new(&driver);
        let mut waiter = Peer::new(&driver);
        for peer in [&holder, &waiter] {
            peer.say(&json!({"id": 0, "op": "hello", "ttl": 60_000}));
        }
        settle().await;
        driver.make_durable();
        settle().await;
        holder.say(&json!({"id": 1, "op": "lock", "resource": "db"}));
        settle().await;
        waiter.say(&json!({"id": 1, "op": "lock", "resource": "db", "wait": wait_ms}));
        settle().await;
        driver.make_durable();
        let held = holder.heard().await;
        assert_eq!(held[1]["ok"]["granted"], true, "{held:?}");
        assert_eq!(held[2]["event"], "lock-wanted", "{held:?}");
        let waits = waiter.heard().await;
        let waiter_id = waits[0]["ok"]["session"].as_str().unwrap().to_owned();
        let wait = waits[1]["ok"]["wait"].as_u64().unwrap();
        Self { driver, holder, waiter, waiter_id, wait }
    }

    async fn unlock(&self) {
        self.holder.say(&json!({"id": 2, "op": "unlock", "resource": "db"}));
        settle().await;
    }

    /// Whether a stranger gets the lock.
    async fn is_free(&mut self) -> bool {
        let mut stranger = Peer::new(&self.driver);
        stranger.say(&json!({"id": 0, "op": "hello"}));
        settle().await;
        self.driver.make_durable();
        stranger.text().await;
        stranger.say(&json!({"id": 1, "op": "lock", "resource": "db"}));
        settle().await;
        self.driver.make_durable();
        stranger.text().await["ok"]["granted"].as_bool().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_before_it_is_durable() {
    let driver = gated();
    for liveness in ["ping", "beat"] {
        let mut peer = Peer::new(&driver);
        peer.say(&json!({"id": 0, "op": "hello", "ttl": 600, "liveness": liveness}));
        sleep(Duration::from_millis(300)).await;
        let early = peer.heard().await;
        assert!(early.is_empty(), "liveness {liveness}: {early:?}");
        driver.make_durable();
        let hello = peer.text().await;
        assert_eq!(hello["ok"]["resumed"], false, "{hello}");
    }
    let mut peer = Peer::new(&driver);
    peer.say(&json!({"id": 0, "op": "hello", "ttl": 60_000}));
    settle().await;
    driver.make_durable();
    peer.text().await;
    // A beat alone says nothing about the state.
    let mut other = Peer::new(&driver);
    other.say(&json!({"id": 0, "op": "hello", "ttl": 60_000}));
    settle().await;
    peer.say(&json!({"id": 1, "op": "beat"}));
    assert_eq!(peer.text().await["id"], 1);
    // Everything else does: reads, refusals, nonsense; and what stands behind it in the order.
    let requests = [
        json!({"id": 2, "op": "session"}),
        json!({"id": 3, "op": "unlock", "resource": "nowhere"}),
        json!({"id": 4, "op": "nonsense"}),
        json!({"id": 5, "op": "cancel", "wait": 1}),
        json!({"id": 6, "op": "lock", "resource": "db"}),
        json!({"id": 7, "op": "beat"}),
    ];
    for request in &requests {
        peer.say(request);
        let early = peer.heard().await;
        assert!(early.is_empty(), "{early:?}");
    }
    driver.make_durable();
    let ids: Vec<Value> = peer.heard().await.iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(ids, [2, 3, 4, 5, 6, 7]);
    assert_eq!(other.text().await["id"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_resume_is_not_said_before_it_is_durable() {
    let driver = gated();
    let mut gone = Peer::new(&driver);
    gone.say(&json!({"id": 0, "op": "hello", "ttl": 60_000}));
    settle().await;
    driver.make_durable();
    let session = gone.text().await["ok"]["session"].clone();
    gone.say(&json!({"id": 1, "op": "bye"}));
    settle().await;
    let mut back = Peer::new(&driver);
    back.say(&json!({"id": 0, "op": "hello", "session": session}));
    assert_eq!(back.heard().await, [json!(null); 0]);
    assert_eq!(gone.heard().await, [json!(null); 0]);
    driver.make_durable();
    assert_eq!(gone.heard().await, [json!({"id": 1, "ok": {}}), json!(1000)]);
    assert_eq!(back.text().await["error"]["code"], "session-not-found");
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_hello_is_not_answered_yet_does_not_expire() {
    for liveness in ["ping", "beat"] {
        let driver = gated();
        let mut peer = Peer::new(&driver);
        peer.pongs = false;
        peer.say(&json!({"id": 0, "op": "hello", "ttl": 300, "liveness": liveness}));
        sleep(Duration::from_secs(10)).await;
        driver.make_durable();
        let said = now();
        loop {
            let told = peer.hear().await.expect("the session lives");
            if told["id"] == 0 {
                assert_eq!(told["ok"]["resumed"], false, "liveness {liveness}");
                break;
            }
        }
        let durable = driver.clone();
        tokio::spawn(async move {
            loop {
                durable.make_durable();
                settle().await;
            }
        });
        assert_eq!(peer.closed().await, (4502, "expired".to_owned()), "liveness {liveness}");
        let after = ms_since(said);
        assert!((300..=810).contains(&after), "{after} ms after the answer");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expiry_is_told_when_it_is_durable() {
    let driver = gated();
    let mut peer = Peer::new(&driver);
    peer.pongs = false;
    peer.say(&json!({"id": 0, "op": "hello", "ttl": 300}));
    settle().await;
    driver.make_durable();
    peer.text().await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(peer.heard().await, [json!(null); 0]);
    driver.make_durable();
    assert_eq!(peer.hear().await.unwrap_err(), (4502, "expired".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_grant_and_a_cancel_cross() {
    let mut pair = Pair::new(60_000).await;
    pair.unlock().await;
    pair.waiter.say(&json!({"id": 2, "op": "cancel", "wait": pair.wait}));
    assert_eq!(pair.waiter.heard().await, [json!(null); 0]);
    pair.driver.make_durable();
    let told = pair.waiter.heard().await;
    assert_eq!(told[0]["event"], "lock-granted", "{told:?}");
    assert_eq!(told[1], json!({"id": 2, "ok": {"cancelled": false}}));
    assert!(!pair.is_free().await);

    let mut pair = Pair::new(60_000).await;
    pair.waiter.say(&json!({"id": 2, "op": "cancel", "wait": pair.wait}));
    settle().await;
    pair.unlock().await;
    pair.driver.make_durable();
    let told = pair.waiter.heard().await;
    assert_eq!(told, [json!({"id": 2, "ok": {"cancelled": true}})]);
    assert!(pair.is_free().await, "nobody has it, and nobody gets it");
}

#[tokio::test(start_paused = true)]
async fn a_grant_and_a_timeout_cross() {
    let mut pair = Pair::new(1000).await;
    sleep(Duration::from_millis(900)).await;
    pair.unlock().await;
    sleep(Duration::from_millis(2000)).await;
    assert_eq!(pair.waiter.heard().await, [json!(null); 0]);
    pair.driver.make_durable();
    let told = pair.waiter.heard().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["event"], "lock-granted");
    assert!(!pair.is_free().await);

    let mut pair = Pair::new(1000).await;
    sleep(Duration::from_millis(1500)).await;
    pair.unlock().await;
    assert_eq!(pair.waiter.heard().await, [json!(null); 0]);
    pair.driver.make_durable();
    let ended = json!({"event": "wait-ended", "wait": pair.wait, "resource": "db",
                       "reason": "timeout"});
    assert_eq!(pair.waiter.heard().await, [ended]);
    assert!(pair.is_free().await);
}

#[tokio::test(start_paused = true)]
async fn a_grant_and_an_attach_cross() {
    let mut pair = Pair::new(60_000).await;
    pair.unlock().await;
    let mut newer = Peer::new(&pair.driver);
    newer.say(&json!({"id": 9, "op": "hello", "session": pair.waiter_id}));
    assert_eq!(newer.heard().await, [json!(null); 0]);
    assert_eq!(pair.waiter.heard().await, [json!(4501)], "nothing more comes by the older one");
    pair.driver.make_durable();
    let told = newer.heard().await;
    assert_eq!(told.len(), 1, "the state says it, the event is not repeated: {told:?}");
    assert_eq!(told[0]["ok"]["holds"][0]["resource"], "db");
    assert_eq!(told[0]["ok"]["waits"], json!([]));
    assert!(!pair.is_free().await);

    let mut pair = Pair::new(60_000).await;
    let mut newer = Peer::new(&pair.driver);
    newer.say(&json!({"id": 9, "op": "hello", "session": pair.waiter_id}));
    settle().await;
    pair.unlock().await;
    pair.driver.make_durable();
    let told = newer.heard().await;
    assert_eq!(told[0]["ok"]["waits"][0]["position"], 1, "{told:?}");
    assert_eq!(told[1]["event"], "lock-granted", "{told:?}");
    assert_eq!(told.len(), 2);
    assert_eq!(pair.waiter.heard().await, [json!(4501)]);
}

#[tokio::test(start_paused = true)]
async fn requests_that_the_older_socket_had_applied_are_in_the_newer_ones_state() {
    let pair = Pair::new(60_000).await;
    for (id, resource) in [(3, "before"), (4, "before, too")] {
        pair.waiter.say(&json!({"id": id, "op": "lock", "resource": resource}));
    }
    settle().await;
    let mut newer = Peer::new(&pair.driver);
    newer.say(&json!({"id": 9, "op": "hello", "session": pair.waiter_id}));
    settle().await;
    let late = Frame::text(r#"{"id":5,"op":"lock","resource":"x"}"#);
    pair.waiter.to.unbounded_send(Incoming::Frame(late)).ok();
    settle().await;
    newer.say(&json!({"id": 10, "op": "session"}));
    pair.driver.make_durable();
    let told = newer.heard().await;
    assert_eq!(told.len(), 2);
    for state in &told {
        let holds = state["ok"]["holds"].as_array().unwrap();
        assert_eq!(holds.len(), 2, "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn levels_are_coalesced_and_dropped_when_no_longer_true() {
    let driver = gated();
    let mut watcher = Peer::new(&driver);
    let mut issuer = Peer::new(&driver);
    for peer in [&watcher, &issuer] {
        peer.say(&json!({"id": 0, "op": "hello", "ttl": 60_000}));
    }
    settle().await;
    driver.make_durable();
    settle().await;
    watcher.say(&json!({"id": 1, "op": "watch", "resource": "pool", "changes": true}));
    settle().await;
    driver.make_durable();
    assert_eq!(watcher.heard().await.len(), 2);
    for id in 1..=100 {
        let ticket = format!("t{id}");
        issuer.say(&json!({"id": id, "op": "issue", "resource": "pool", "ticket": ticket}));
    }
    assert_eq!(watcher.heard().await, [json!(null); 0]);
    driver.make_durable();
    let available = json!({"event": "ticket-available", "resource": "pool", "free": 100});
    let changed = |free: u32, held: u32| {
        json!({"event": "resource-changed", "resource": "pool", "kind": "tickets", "free": free,
               "held": held, "waiting": 0})
    };
    assert_eq!(watcher.heard().await, [available, changed(100, 0)]);

    issuer.heard().await;
    issuer.say(&json!({"id": 200, "op": "issue", "resource": "pool", "ticket": "more"}));
    for id in 201..=301 {
        issuer.say(&json!({"id": id, "op": "claim", "resource": "pool"}));
    }
    settle().await;
    driver.make_durable();
    assert_eq!(watcher.heard().await, [changed(0, 101)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_a_bad_frame_is_answered_when_it_is_durable() {
    let driver = gated();
    let mut peer = Peer::new(&driver);
    peer.say(&json!({"id": 0, "op": "hello", "ttl": 60_000}));
    settle().await;
    driver.make_durable();
    peer.text().await;
    peer.say(&json!({"id": 1, "op": "lock", "resource": "db"}));
    peer.send(Frame::Binary(vec![0].into()));
    sleep(Duration::from_millis(20)).await;
    driver.make_durable();
    let told = peer.heard().await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["ok"]["granted"], true, "{told:?}");
    assert_eq!(told[1], 4503);
}

#[tokio::test(start_paused = true)]
async fn a_bad_frame_loses_no_answer_of_a_slow_reader() {
    let driver = driver();
    for (count, together) in [(5, true), (5, false), (400, true), (400, false)] {
        let mut peer = Peer::with_room(&driver, 0);
        peer.hello(json!({"ttl": 60_000})).await;
        for id in 1..=count {
            peer.say(&json!({"id": id, "op": "lock", "resource": "db"}));
        }
        if !together {
            settle().await;
        }
        peer.send(Frame::text("nonsense"));
        settle().await;
        for id in 1..=count {
            let answer = peer.hear().await.map(|answer| answer["id"].clone());
            assert_eq!(answer, Ok(json!(id)), "of {count}, together: {together}");
        }
        assert_eq!(peer.hear().await.unwrap_err().0, 4503);
    }
}

/// The answer is held up by a slow sync for longer than the TTL.
async fn lives_through_a_slow_sync(pongs: bool, request: Value) {
    let driver = gated();
    let mut peer = Peer::new(&driver);
    peer.pongs = pongs;
    peer.say(&json!({"id": 0, "op": "hello", "ttl": 600}));
    settle().await;
    driver.make_durable();
    peer.text().await;
    let other = Peer::new(&driver);
    other.say(&json!({"id": 0, "op": "hello", "ttl": 60_000}));
    settle().await;
    peer.say(&request);
    let early = timeout(Duration::from_secs(5), peer.hear()).await;
    assert!(early.is_err(), "{early:?}");
    driver.make_durable();
    let answer = peer.text().await;
    assert!(answer["ok"].is_object(), "{answer}");
    peer.say(&json!({"id": 2, "op": "beat"}));
    assert_eq!(peer.hear().await, Ok(json!({"id": 2, "ok": {"ttl": 600}})), "behind {request}");
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_pings_lives_through_a_slow_sync() {
    lives_through_a_slow_sync(true, json!({"id": 1, "op": "lock", "resource": "db"})).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_asked_for_its_state_does_too() {
    lives_through_a_slow_sync(true, json!({"id": 1, "op": "session"})).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_keeps_its_session_through_a_slow_sync() {
    lives_through_a_slow_sync(false, json!({"id": 1, "op": "lock", "resource": "db"})).await;
}
