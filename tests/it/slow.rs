//! Clients that do not read: they are closed and their sessions kept, and nobody else waits for
//! them or pays for them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::faults::line::{Heard, Line};
use crate::support::{Client, Program, Served, in_time};

/// Sockets that do not read.
const SILENT: usize = 1000;
/// What their kernels take in, in bytes.
const TAKEN_BYTES: u32 = 4096;
/// Cycle trips of the client that is measured, before and meanwhile at least.
const TRIPS: usize = 1000;
/// Between two changes of the busy resource.
const PACE: Duration = Duration::from_millis(20);
/// Most that the server may grow by.
const GROWTH_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Requests that come without anybody reading the answers.
const PIPELINED: u64 = 100_000;

#[expect(clippy::disallowed_methods, reason = "round trips are measured in real time")]
fn now() -> Instant {
    Instant::now()
}

/// A thousand sockets need more descriptors than a process usually may have.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).expect("the soft limit can be raised");
}

/// A socket whose kernel takes in little, and a new session on it.
async fn silent(server: SocketAddr) -> (Line, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(TAKEN_BYTES).expect("a small buffer");
    let stream = in_time(socket.connect(server)).await.expect("a connection");
    let mut line = in_time(Line::over(stream)).await.expect("a socket");
    let session = line.greet("silent").await;
    (line, session)
}

async fn status(http: &mut Client, figure: &str) -> u64 {
    http.ask("GET /status").await.json()[figure].as_u64().expect("a figure")
}

/// Locks and unlocks; how long it took.
async fn trip(line: &mut Line, resource: &str) -> Duration {
    let start = now();
    let grant = line.ask(json!({"op": "lock", "resource": resource})).await.expect("a lock");
    assert_eq!(grant["granted"], true);
    let unlock = json!({"op": "unlock", "resource": resource, "fence": grant["fence"]});
    line.ask(unlock).await.expect("unlocked");
    now() - start
}

/// All but the worst of a hundred are as short as this.
fn p99(trips: &mut [Duration]) -> Duration {
    trips.sort_unstable();
    trips[trips.len() * 99 / 100]
}

/// Changes the busy resource until told that it is enough.
async fn drive(mut line: Line, resource: String, enough: watch::Receiver<bool>) -> u64 {
    let mut pace = tokio::time::interval(PACE);
    let mut changes = 0;
    let mut fence = Value::Null;
    while !*enough.borrow() {
        pace.tick().await;
        let request = match fence.take() {
            Value::Null => json!({"op": "lock", "resource": resource}),
            fence => json!({"op": "unlock", "resource": resource, "fence": fence}),
        };
        fence = line.ask(request).await.expect("done")["fence"].take();
        changes += 1;
    }
    changes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_that_never_read_are_closed_and_nobody_else_pays() {
    raise_descriptor_limit();
    let server = Program::start(&["-l", "127.0.0.1:0", "--loglevel", "0"]).await;
    let mut http = Client::connect(server.address).await;
    let (mut other, _) = Line::open(server.address, "other").await;
    for _ in 0..TRIPS / 4 {
        trip(&mut other, "own").await;
    }
    let before_bytes = status(&mut http, "ResidentBytes").await;

    // A long name, twice escaped: the sooner they are full.
    let busy = "\"".repeat(255);
    let mut lines = Vec::new();
    for _ in 0..SILENT {
        let (mut line, session) = silent(server.address).await;
        let watch = json!({"op": "watch", "resource": busy, "changes": true});
        line.ask(watch).await.expect("watching");
        lines.push((line, session));
    }
    assert_eq!(status(&mut http, "Sockets").await, 1 + SILENT as u64);
    let idle_bytes = status(&mut http, "ResidentBytes").await;
    let mut before = Vec::new();
    for _ in 0..TRIPS {
        before.push(trip(&mut other, "own").await);
    }

    let (driver, _) = Line::open(server.address, "driver").await;
    let (tell, enough) = watch::channel(false);
    let driving = tokio::spawn(drive(driver, busy.clone(), enough));
    let start = now();
    let (mut meanwhile, mut most_bytes, mut first) = (Vec::new(), 0, None);
    let all_closed = async {
        loop {
            for _ in 0..20 {
                meanwhile.push(trip(&mut other, "own").await);
            }
            most_bytes = most_bytes.max(status(&mut http, "ResidentBytes").await);
            let sockets = status(&mut http, "Sockets").await;
            if sockets < 2 + SILENT as u64 && first.is_none() {
                first = Some(now() - start);
            }
            if sockets == 2 {
                break;
            }
        }
    };
    timeout(Duration::from_secs(75), all_closed).await.expect("all are closed");
    let took = now() - start;
    tell.send(true).expect("the driver listens");
    let changes = driving.await.expect("the driver ends");

    let (was, is) = (p99(&mut before), p99(&mut meanwhile));
    let growth = most_bytes.saturating_sub(before_bytes);
    println!(
        "p99 of lock and unlock: {was:?} before, {is:?} meanwhile (x{:.2}); {changes} changes; \
         first closed after {first:?}, last after {took:?}; resident {before_bytes} B, \
         {idle_bytes} B with {SILENT} sockets, {most_bytes} B at most",
        is.as_secs_f64() / was.as_secs_f64()
    );
    // The code arrives if there was room for it; else the end does.
    let mut codes = BTreeMap::new();
    for (line, _) in &mut lines[..50] {
        *codes.entry(line.end().await).or_insert(0) += 1;
    }
    println!("ends of 50 that read at last: {codes:?}");
    assert!(codes.keys().all(|code| matches!(code, None | Some(4001))), "{codes:?}");
    for (_, session) in &lines {
        let answer = http.ask(&format!("GET /sessions/{session}")).await;
        assert_eq!(answer.status, 200, "its session lives");
    }
    assert!(growth < GROWTH_MAX_BYTES, "grew by {growth} bytes");
    assert!(is < was * 10 + Duration::from_millis(50), "{was:?} before, {is:?} meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_behind_reads_all_up_to_4001_and_resumes() {
    let server = Served::start().await;
    let (mut slow, session) = silent(server.address).await;
    let (mut other, _) = Line::open(server.address, "other").await;
    let data = "x".repeat(1000);
    let issue =
        json!({"op": "issue", "resource": "r", "ticket": "t", "data": data, "notify": true});
    slow.ask(issue).await.expect("issued");
    // Nothing of this can be put together: two events each, far more than anybody keeps.
    let mut fences = Vec::new();
    for _ in 0..4000 {
        let claim = json!({"op": "claim", "resource": "r", "ticket": "t"});
        let grant = other.ask(claim).await.expect("claimed");
        fences.push(grant["ticket"]["fence"].as_u64().expect("a fence"));
        other
            .ask(json!({"op": "release", "resource": "r", "ticket": "t"}))
            .await
            .expect("released");
    }
    let expected = fences.iter().zip(1..).flat_map(|(&fence, attempt)| {
        [("ticket-claimed", fence), ("ticket-released", fence)].map(|(event, fence)| {
            let mut told = json!({"event": event, "resource": "r", "ticket": "t", "fence": fence});
            told["session"] = "other".into();
            if event == "ticket-released" {
                (told["reason"], told["attempt"]) = ("released".into(), attempt.into());
            }
            told
        })
    });
    let mut heard = 0;
    let mut code = None;
    for event in expected {
        match in_time(slow.hear()).await {
            Heard::Json(value) => assert_eq!(value, event, "after {heard}"),
            Heard::Closed(closed) => {
                code = Some(closed);
                break;
            }
            Heard::Cut => break,
        }
        heard += 1;
    }
    assert_eq!(code, Some(4001), "after {heard} events");
    println!("4001 after {heard} of 8000 events");
    let mut again = Line::connect(server.address).await.expect("a socket");
    let hello = json!({"op": "hello", "session": session, "attempt": 1});
    let state = again.ask(hello).await.expect("the session lives");
    let issued = json!([{"resource": "r", "ticket": "t", "claimed": false}]);
    assert_eq!((&state["resumed"], &state["issued"]), (&json!(true), &issued));
    server.stop().await;
}

/// Answers alone never close a socket: the server stops reading until its client does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_without_reading_is_not_read_from_and_gets_every_answer() {
    let server = Served::start().await;
    let mut http = Client::connect(server.address).await;
    let (mut line, _) = silent(server.address).await;
    let before = status(&mut http, "Operations").await;
    let filler = "x".repeat(300);
    let mut sent = 0;
    let mut stuck = false;
    // Sends until it can send no more.
    while sent < PIPELINED && !stuck {
        let request = json!({"id": sent, "op": "lock", "resource": "r", "filler": filler});
        let feeding = line.feed(request.to_string());
        match timeout(Duration::from_millis(500), feeding).await {
            Ok(fed) => {
                fed.expect("it is not closed");
                sent += 1;
            }
            Err(_) => stuck = true,
        }
    }
    assert!(stuck, "all was taken in without anybody reading an answer");
    let operations = status(&mut http, "Operations").await - before;
    assert!(operations < sent, "{operations} of {sent}");
    // Reads, and sends what is left meanwhile.
    let (mut sink, mut stream) = line.socket.split();
    let sending = tokio::spawn(async move {
        for id in sent..PIPELINED {
            let request = json!({"id": id, "op": "lock", "resource": "r", "filler": filler});
            sink.feed(Message::text(request.to_string())).await.expect("it is not closed");
        }
        sink.flush().await.expect("it is not closed");
    });
    let mut fence = Value::Null;
    let mut answered = 0;
    while answered < PIPELINED {
        let answer = match in_time(stream.next()).await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_))) => continue,
            end => panic!("{end:?} after {answered} answers"),
        };
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!((&answer["id"], &answer["ok"]["granted"]), (&json!(answered), &json!(true)));
        if answered == 0 {
            fence = answer["ok"]["fence"].clone();
        }
        assert_eq!(answer["ok"]["fence"], fence);
        answered += 1;
    }
    sending.await.expect("all was sent");
    println!("stuck with {operations} requests carried out");
    server.stop().await;
}
