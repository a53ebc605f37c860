//! The socket's handler over channels, in virtual time: its deadlines to the millisecond, and what
//! crosses while something applied is not durable yet.

mod closing;
mod crossings;
mod large_states;
mod line;
mod slow_disk;
mod slow_line;

use std::net::Ipv4Addr;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::incoming::Incoming;
use super::serve::serve;
use crate::driver::Driver;
use line::Line;

const EXPIRE_MS: u32 = 500;

/// The client's end of a line.
struct Peer {
    to: mpsc::UnboundedSender<Incoming>,
    from: mpsc::Receiver<Frame>,
    /// Answers pings while it reads.
    pongs: bool,
}

impl Peer {
    /// A line that takes any number of frames unread.
    fn new(driver: &Driver) -> Self {
        Self::with_room(driver, 100_000)
    }

    fn with_room(driver: &Driver, room: usize) -> Self {
        let (to, from_client) = mpsc::unbounded();
        let (to_client, from) = mpsc::channel(room);
        tokio::spawn(serve(Box::new(Line { from: from_client, to: to_client }), context(driver)));
        Self { to, from, pongs: true }
    }

    fn say(&self, request: &Value) {
        self.send(Frame::text(request.to_string()));
    }

    fn send(&self, frame: Frame) {
        self.to.unbounded_send(Incoming::Frame(frame)).unwrap();
    }

    async fn frame(&mut self) -> Option<Frame> {
        timeout(Duration::from_secs(600), self.from.next()).await.expect("a frame comes")
    }

    /// The next text, or the code and reason that the socket is closed with.
    async fn hear(&mut self) -> Result<Value, (u16, String)> {
        loop {
            match self.frame().await {
                Some(Frame::Text(text)) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Frame::Ping(_)) if self.pongs => self.send(Frame::Pong(vec![].into())),
                Some(Frame::Close(Some(close))) => {
                    return Err((close.code.into(), close.reason.as_str().to_owned()));
                }
                Some(_) => {}
                None => return Err((1006, "cut".to_owned())),
            }
        }
    }

    async fn text(&mut self) -> Value {
        self.hear().await.expect("not closed")
    }

    async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(end) = self.hear().await {
                return end;
            }
        }
    }

    /// All texts that have come by now, and the close code.
    async fn heard(&mut self) -> Vec<Value> {
        settle().await;
        let mut all = Vec::new();
        while let Ok(frame) = self.from.try_recv() {
            match frame {
                Frame::Text(text) => all.push(serde_json::from_str(&text).unwrap()),
                Frame::Close(Some(close)) => all.push(json!(u16::from(close.code))),
                Frame::Ping(_) if self.pongs => self.send(Frame::Pong(vec![].into())),
                _ => {}
            }
        }
        all
    }

    /// Says `hello` and returns the session's id.
    async fn hello(&mut self, hello: Value) -> String {
        self.say(&with(hello, json!({"id": 0, "op": "hello"})));
        self.text().await["ok"]["session"].as_str().expect("an id").to_owned()
    }
}

fn with(mut object: Value, more: Value) -> Value {
    let (Value::Object(members), Value::Object(more)) = (&mut object, more) else {
        panic!("not objects")
    };
    members.extend(more);
    object
}

fn context(driver: &Driver) -> Context {
    Context {
        meters: std::sync::Arc::default(),
        driver: driver.clone(),
        source: "here".into(),
        stopping: CancellationToken::new(),
        nameless: None,
        address: Ipv4Addr::LOCALHOST.into(),
        access: None,
        guest: None,
        admission: None,
    }
}

fn driver() -> Driver {
    let driver = Driver::new(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    driver
}

fn gated() -> Driver {
    let driver = Driver::gated(EXPIRE_MS);
    tokio::spawn(driver.clone().run());
    driver
}

/// Everybody does what there is to do.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[expect(clippy::disallowed_methods, reason = "virtual time is what is tested")]
fn now() -> Instant {
    Instant::now()
}

/// How long ago that was, in ms.
fn ms_since(start: Instant) -> u128 {
    (now() - start).as_millis()
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_says_no_hello_is_closed_after_5_s() {
    let driver = driver();
    let start = now();
    let mut peer = Peer::new(&driver);
    // Frames that are no requests do not help, nor does a hello that was refused.
    sleep(Duration::from_secs(3)).await;
    peer.send(Frame::Ping(vec![].into()));
    peer.say(&json!({"id": 1, "op": "hello", "ttl": 1}));
    assert_eq!(peer.text().await["error"]["code"], "bad-request");
    assert_eq!(peer.closed().await.0, 4500);
    assert!((5000..5010).contains(&ms_since(start)), "{}", ms_since(start));
}

#[tokio::test(start_paused = true)]
async fn a_refused_hello_may_be_tried_again_within_its_time() {
    let driver = driver();
    let mut peer = Peer::new(&driver);
    peer.say(&json!({"id": 1, "op": "hello", "session": "3MUQ0000000000000000000000a"}));
    assert_eq!(peer.text().await["error"]["code"], "session-not-found");
    sleep(Duration::from_millis(4900)).await;
    peer.hello(json!({})).await;
    sleep(Duration::from_secs(1)).await;
    peer.say(&json!({"id": 3, "op": "beat"}));
    assert_eq!(peer.text().await, json!({"id": 3, "ok": {"ttl": 5000}}));
}

#[tokio::test(start_paused = true)]
async fn a_stuck_write_closes_with_4001_and_the_session_lives() {
    let driver = driver();
    let mut peer = Peer::with_room(&driver, 0);
    let session = peer.hello(json!({"ttl": 60_000})).await;
    peer.say(&json!({"id": 1, "op": "lock", "resource": "db"}));
    for id in 2..20 {
        peer.say(&json!({"id": id, "op": "beat"}));
    }
    sleep(Duration::from_millis(5100)).await;
    assert_eq!(peer.closed().await.0, 4001);
    let mut again = Peer::new(&driver);
    again.say(&json!({"id": 1, "op": "hello", "session": session}));
    assert_eq!(again.text().await["ok"]["holds"][0]["resource"], "db");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_slow_but_not_stuck_gets_every_answer_in_order() {
    let driver = driver();
    let mut peer = Peer::with_room(&driver, 8);
    peer.hello(json!({"ttl": 60_000})).await;
    for id in 1..=5000 {
        peer.say(&json!({"id": id, "op": "lock", "resource": "r".repeat(200)}));
    }
    for id in 1..=5000 {
        sleep(Duration::from_millis(2)).await;
        assert_eq!(peer.text().await["id"], id);
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_events_close_with_4001_and_the_session_lives() {
    let driver = driver();
    let mut issuer = Peer::new(&driver);
    issuer.hello(json!({"ttl": 60_000})).await;
    let mut slow = Peer::with_room(&driver, 0);
    let session = slow.hello(json!({"ttl": 60_000})).await;
    issuer.say(&json!({"id": 1, "op": "issue", "resource": "pool", "ticket": "t"}));
    issuer.text().await;
    slow.say(&json!({"id": 1, "op": "claim", "resource": "pool"}));
    slow.text().await;
    for id in 2..=1100 {
        issuer.say(&json!({"id": id, "op": "issue", "resource": "pool", "ticket": "t"}));
        issuer.text().await;
    }
    let mut told = 0;
    let end = loop {
        match slow.hear().await {
            Ok(event) => {
                told += 1;
                assert_eq!(event["event"], "ticket-updated");
            }
            Err(end) => break end,
        }
    };
    assert_eq!(end.0, 4001);
    assert!(told < 1100, "nothing was left out");
    let mut again = Peer::new(&driver);
    again.say(&json!({"id": 1, "op": "hello", "session": session}));
    assert_eq!(again.text().await["ok"]["holds"][0]["ticket"], "t");
}

#[tokio::test(start_paused = true)]
async fn pings_come_every_third_of_the_ttl_and_are_spread() {
    let driver = driver();
    let mut firsts = std::collections::BTreeSet::new();
    for _ in 0..64 {
        let mut peer = Peer::new(&driver);
        let start = now();
        peer.say(&json!({"id": 1, "op": "hello", "ttl": 9000}));
        assert_eq!(peer.text().await["ok"]["ping"], 3000);
        let mut at = Vec::new();
        while at.len() < 4 {
            if let Some(Frame::Ping(_)) = peer.frame().await {
                at.push(ms_since(start));
                peer.send(Frame::Pong(vec![].into()));
            }
        }
        assert!(at[0] <= 3001, "{at:?}");
        assert!(at.windows(2).all(|two| (2998..=3002).contains(&(two[1] - two[0]))), "{at:?}");
        firsts.insert(at[0] / 10);
    }
    assert!(firsts.len() > 16, "they beat together: {firsts:?}");
}

#[tokio::test(start_paused = true)]
async fn the_longest_time_between_pings_is_25_s() {
    let driver = driver();
    let mut peer = Peer::new(&driver);
    peer.say(&json!({"id": 1, "op": "hello", "ttl": 86_400_000}));
    assert_eq!(peer.text().await["ok"]["ping"], 25_000);
}

#[tokio::test(start_paused = true)]
async fn a_silent_session_ends_after_its_ttl_never_before_and_at_most_expire_late() {
    let driver = driver();
    for quiet in [0, 50, 333, 1234] {
        let mut peer = Peer::new(&driver);
        peer.pongs = false;
        peer.hello(json!({"ttl": 1500})).await;
        sleep(Duration::from_millis(quiet)).await;
        peer.say(&json!({"id": 1, "op": "beat"}));
        let heard = now();
        assert_eq!(peer.closed().await, (4502, "expired".to_owned()));
        let after = ms_since(heard);
        assert!((1500..=2001).contains(&after), "{after} ms after the last frame");
    }
}

#[tokio::test(start_paused = true)]
async fn answered_pings_alone_keep_a_session() {
    let driver = driver();
    let mut peer = Peer::new(&driver);
    peer.hello(json!({"ttl": 300})).await;
    let listening = timeout(Duration::from_secs(60), peer.hear());
    assert!(listening.await.is_err(), "neither closed nor told anything");
    peer.say(&json!({"id": 1, "op": "beat"}));
    assert_eq!(peer.text().await["ok"]["ttl"], 300);
}

#[tokio::test(start_paused = true)]
async fn with_liveness_beat_pongs_do_not_keep_a_session_and_beats_do() {
    let driver = driver();
    let mut lazy = Peer::new(&driver);
    lazy.hello(json!({"ttl": 900, "liveness": "beat"})).await;
    let start = now();
    let mut beats = 0;
    let end = loop {
        lazy.send(Frame::Pong(vec![].into()));
        match lazy.hear().await {
            Ok(event) => {
                assert_eq!(event, json!({"event": "beat"}));
                beats += 1;
            }
            Err(end) => break end,
        }
    };
    assert_eq!(end, (4502, "expired".to_owned()));
    assert!((900..=1402).contains(&ms_since(start)), "{}", ms_since(start));
    assert!((2..=5).contains(&beats), "{beats} beats, one every 300 ms");

    let mut busy = Peer::new(&driver);
    busy.hello(json!({"ttl": 900, "liveness": "beat"})).await;
    let start = now();
    while ms_since(start) < 20_000 {
        assert_eq!(busy.text().await, json!({"event": "beat"}));
        busy.say(&json!({"id": 1, "op": "beat"}));
        assert_eq!(busy.text().await, json!({"id": 1, "ok": {"ttl": 900}}));
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_behind_bye_is_ignored() {
    let driver = driver();
    for behind in [
        Frame::text(r#"{"id":2,"op":"beat"}"#),
        Frame::text("nonsense"),
        Frame::Binary(vec![1].into()),
    ] {
        let mut peer = Peer::new(&driver);
        peer.hello(json!({})).await;
        peer.say(&json!({"id": 1, "op": "bye"}));
        peer.send(behind);
        assert_eq!(peer.text().await, json!({"id": 1, "ok": {}}));
        assert_eq!(peer.hear().await.unwrap_err().0, 1000);
    }
}

#[tokio::test(start_paused = true)]
async fn the_pings_of_a_pause_are_not_made_up_for() {
    let driver = driver();
    let mut peer = Peer::new(&driver);
    peer.hello(json!({"ttl": 300})).await;
    tokio::time::advance(Duration::from_secs(3600)).await;
    settle().await;
    let mut pings = 0;
    while let Ok(frame) = peer.from.try_recv() {
        assert!(matches!(frame, Frame::Ping(_)), "{frame:?}");
        pings += 1;
    }
    assert!(pings <= 3, "{pings} pings at once");
}
