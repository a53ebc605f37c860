//! A client that says its last and closes: what it asked is answered first, for a while. Of 200
//! requests right before a close frame all were carried out and none was answered.

use super::*;

impl Peer {
    /// Says that it closes, and closes.
    fn close(&self) {
        self.to.unbounded_send(Incoming::Closing).unwrap();
        self.send(Frame::Close(None));
    }

    /// Whether the server has let go of the line.
    async fn is_cut(&mut self) -> bool {
        settle().await;
        self.to.is_closed()
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_a_close_is_answered_before_it() {
    let driver = driver();
    let mut peer = Peer::new(&driver);
    let session = peer.hello(json!({"ttl": 60_000})).await;
    for id in 1..=200 {
        peer.say(&json!({"id": id, "op": "lock", "resource": format!("r{id}")}));
    }
    peer.close();
    let heard = peer.heard().await;
    let ids: Vec<u64> = heard.iter().filter_map(|answer| answer["id"].as_u64()).collect();
    assert_eq!(ids, (1..=200).collect::<Vec<u64>>());
    assert!(peer.is_cut().await);
    let mut again = Peer::new(&driver);
    again.say(&json!({"id": 1, "op": "hello", "session": session}));
    let state = again.text().await;
    assert_eq!(state["ok"]["holds"].as_array().map(Vec::len), Some(200), "they were carried out");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_durable_yet_is_waited_for_5_s_at_most() {
    for (durable_after_ms, is_answered) in [(0, true), (4900, true), (5100, false)] {
        let driver = gated();
        let mut peer = Peer::new(&driver);
        peer.say(&json!({"id": 0, "op": "hello", "ttl": 60_000}));
        settle().await;
        driver.make_durable();
        peer.text().await;
        peer.pongs = false;
        peer.say(&json!({"id": 1, "op": "lock", "resource": "db"}));
        peer.close();
        let start = now();
        assert_eq!(peer.heard().await, [json!(null); 0], "nothing is said before it is durable");
        assert!(!peer.is_cut().await);
        sleep(Duration::from_millis(durable_after_ms)).await;
        driver.make_durable();
        let answers = peer.heard().await.iter().filter(|told| told["id"] == 1).count();
        assert_eq!(answers == 1, is_answered, "durable after {durable_after_ms} ms");
        assert!(peer.is_cut().await, "after {} ms", ms_since(start));
    }
}

#[tokio::test(start_paused = true)]
async fn who_asked_nothing_waits_for_nobody_else() {
    let driver = gated();
    let [mut peer, other] = [Peer::new(&driver), Peer::new(&driver)];
    for peer in [&peer, &other] {
        peer.say(&json!({"id": 0, "op": "hello", "ttl": 60_000}));
    }
    settle().await;
    driver.make_durable();
    peer.text().await;
    other.say(&json!({"id": 1, "op": "lock", "resource": "db"}));
    settle().await;
    peer.close();
    assert!(peer.is_cut().await);
}

#[tokio::test(start_paused = true)]
async fn hello_itself_is_answered_before_a_close() {
    let driver = gated();
    let mut peer = Peer::new(&driver);
    peer.say(&json!({"id": 0, "op": "hello", "session": "3MUQ0000000000000000000000a"}));
    peer.say(&json!({"id": 1, "op": "hello"}));
    peer.say(&json!({"id": 2, "op": "issue", "resource": "jobs", "ticket": "t"}));
    peer.close();
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.extend(peer.heard().await);
        driver.make_durable();
    }
    heard.extend(peer.heard().await);
    let ids: Vec<&Value> = heard.iter().map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [0, 1, 2], "{heard:?}");
    assert!(peer.is_cut().await);
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_answered_with_its_place_and_not_with_its_end() {
    let driver = driver();
    let mut holder = Peer::new(&driver);
    holder.hello(json!({"ttl": 60_000})).await;
    holder.say(&json!({"id": 1, "op": "lock", "resource": "db"}));
    holder.text().await;
    let mut peer = Peer::new(&driver);
    peer.hello(json!({"ttl": 60_000})).await;
    peer.say(&json!({"id": 1, "op": "lock", "resource": "db", "wait": true}));
    peer.close();
    let heard = peer.heard().await;
    assert_eq!((heard.len(), &heard[0]["ok"]["position"]), (1, &json!(1)), "{heard:?}");
    assert!(peer.is_cut().await);
}

#[tokio::test(start_paused = true)]
async fn a_bye_before_a_close_ends_the_session_as_ever() {
    let driver = driver();
    let mut peer = Peer::new(&driver);
    peer.hello(json!({"ttl": 60_000})).await;
    peer.say(&json!({"id": 1, "op": "bye"}));
    peer.close();
    assert_eq!(peer.heard().await, [json!({"id": 1, "ok": {}}), json!(1000)]);
    assert!(peer.is_cut().await);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_and_does_not_read_is_waited_for_5_s_at_most() {
    let driver = driver();
    let mut peer = Peer::with_room(&driver, 0);
    peer.hello(json!({"ttl": 60_000})).await;
    for id in 1..=20 {
        peer.say(&json!({"id": id, "op": "lock", "resource": "db"}));
    }
    peer.close();
    sleep(Duration::from_millis(4900)).await;
    assert!(!peer.is_cut().await);
    sleep(Duration::from_millis(1500)).await;
    assert!(peer.is_cut().await);
}

/// A message of many fragments took longer than the ttl, and its session expired meanwhile.
#[tokio::test(start_paused = true)]
async fn every_fragment_is_a_sign_of_life() {
    let driver = driver();
    let mut peer = Peer::new(&driver);
    peer.pongs = false;
    peer.hello(json!({"ttl": 300, "liveness": "beat"})).await;
    for _ in 0..20 {
        sleep(Duration::from_millis(250)).await;
        peer.to.unbounded_send(Incoming::Fragment).unwrap();
    }
    peer.say(&json!({"id": 1, "op": "beat"}));
    let answered = async { while peer.hear().await.expect("it lives")["id"] != 1 {} };
    answered.await;
}

#[tokio::test(start_paused = true)]
async fn the_tenth_refused_hello_is_the_last() {
    let driver = driver();
    let mut peer = Peer::new(&driver);
    for id in 1..=11 {
        peer.say(&json!({"id": id, "op": "hello", "ttl": 1}));
    }
    for id in 1..=10 {
        let refused = peer.text().await;
        assert_eq!(
            (&refused["id"], &refused["error"]["code"]),
            (&json!(id), &json!("bad-request"))
        );
    }
    assert_eq!(peer.closed().await, (4500, "too many refused hellos".to_owned()));
}
