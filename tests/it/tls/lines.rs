//! Lines over TLS are as lines without it: kept alive, half-closed, idle, cut, and upgraded.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use ticketd::server::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::world::{Dialer, Line, World};
use crate::support::{Client, in_time};

const LOCK: &str = "POST /locks/db?wait=60000";

/// A client of REST with a session.
async fn session(world: &World, dialer: &Dialer) -> Client<Line> {
    let mut client = Client::over(dialer.dial(world.address()).await);
    let opened = client.ask("POST /sessions?ttl=60000").await;
    client.with(&format!("Ticketd-Session: {}", opened.json().as_str().expect("an id")))
}

async fn until_waits(world: &World, waits: usize) {
    let mut client = world.client().await;
    in_time(async { while client.ask("GET /status").await.json()["Waits"] != waits {} }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rest_is_spoken_over_both_versions() {
    let world = World::new().await;
    for version in [&TLS12, &TLS13] {
        let dialer = world.dialer().version(version);
        let mut client = session(&world, &dialer).await;
        assert_eq!(client.ask("POST /locks/db").await.said(), "200 true");
        assert_eq!(client.ask("DELETE /locks/db").await.said(), "200 \"ok\"");
        let data = [b'x'; 900];
        assert_eq!(client.ask_with("POST /tickets/work?name=t", data).await.said(), "200 \"Ok\"");
        let claimed = client.ask("POST /claims/work").await.json();
        assert_eq!(claimed["Ticket"]["Data"].as_str().map(str::len), Some(1200));
        assert_eq!(client.ask("DELETE /tickets/work?name=t").await.said(), "200 \"Ok\"");
        let source = client.ask("GET /dump/sessions").await.said();
        assert!(source.contains("127.0.0.1:"), "{source}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_finished_sending_is_answered_and_leaves_queues() {
    let world = World::new().await;
    for version in [&TLS12, &TLS13] {
        let dialer = world.dialer().version(version);
        let mut holder = session(&world, &dialer).await;
        holder.ask("POST /locks/db").await;
        let mut client = session(&world, &dialer).await;
        for number in 0..4 {
            client.send(&format!("POST /tickets/work?name=t{number}")).await;
        }
        client.finish().await;
        for _ in 0..4 {
            assert_eq!(client.answer().await.said(), "200 \"Ok\"");
        }
        assert!(client.answer_or_end().await.is_none(), "the connection ends");
        let mut waiter = session(&world, &dialer).await;
        waiter.send(LOCK).await;
        until_waits(&world, 1).await;
        waiter.finish().await;
        assert_eq!(waiter.answer().await.said(), "200 false");
        let mut gone = session(&world, &dialer).await;
        gone.send(LOCK).await;
        until_waits(&world, 1).await;
        drop(gone);
        until_waits(&world, 0).await;
        holder.ask("DELETE /locks/db").await;
    }
}

/// TLS has an end of its own, by which a client tells that nobody cut its line.
#[tokio::test]
async fn a_connection_that_idles_is_ended_as_tls_ends() {
    let world = World::with(|config| Config { idle_ms: 300, ..config }).await;
    for version in [&TLS12, &TLS13] {
        let mut line = world.dialer().version(version).dial(world.address()).await;
        line.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("is sent");
        let mut said = String::new();
        // It would fail if the server's end were not told.
        in_time(line.read_to_string(&mut said)).await.expect("an end in order");
        assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    }
}

/// A line that ends without TLS's end may have been cut by anybody; a whole request is one all the
/// same.
#[tokio::test]
async fn an_end_without_a_word_is_an_end() {
    let world = World::new().await;
    let mut line = world.dialer().dial(world.address()).await;
    line.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("is sent");
    line.get_mut().0.shutdown().await.expect("is shut");
    let mut said = String::new();
    in_time(line.read_to_string(&mut said)).await.expect("an end in order");
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_reaches_who_still_sends() {
    let world = World::new().await;
    let mut client = session(&world, &world.dialer()).await;
    let head =
        "POST /api/v1/tickets/work?name=t HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n";
    client.write(head.as_bytes()).await;
    client.write(&vec![b'x'; 500_000]).await;
    assert_eq!(client.answer().await.said(), "422 sessid is missing");
}

/// A large answer is read slowly, but read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_answer_comes_whole() {
    let world = World::new().await;
    let mut client = session(&world, &world.dialer()).await;
    for number in 0..400 {
        client.ask_with(&format!("POST /tickets/work?name=t{number}"), [b'x'; 1000]).await;
    }
    client.send("GET /dump/resources").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let answer = client.answer().await;
    assert!(answer.status == 200 && answer.body.len() > 400 * 1300, "{}", answer.body.len());
}

/// A WebSocket's text, as JSON.
async fn next(socket: &mut WebSocketStream<Line>) -> Value {
    loop {
        match in_time(socket.next()).await.expect("not the end").expect("a frame") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Close(close) => return json!({"closed": close.map(|it| u16::from(it.code))}),
            _ => {}
        }
    }
}

async fn say(socket: &mut WebSocketStream<Line>, request: Value) -> Value {
    let text = Message::text(request.to_string());
    in_time(socket.send(text)).await.expect("is sent");
    loop {
        let answer = next(socket).await;
        if answer.get("event").is_none() {
            return answer;
        }
    }
}

async fn socket(world: &World, dialer: &Dialer) -> WebSocketStream<Line> {
    let line = dialer.dial(world.address()).await;
    let url = format!("wss://localhost:{}/api/v1/ws", world.address().port());
    client_async(url, line).await.expect("an upgrade").0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_are_spoken_over_both_versions() {
    let world = World::new().await;
    for version in [&TLS12, &TLS13] {
        let dialer = world.dialer().version(version);
        let mut sockets = [socket(&world, &dialer).await, socket(&world, &dialer).await];
        let db = format!("{version:?}");
        for socket in &mut sockets {
            let hello = json!({"id": 1, "op": "hello", "name": "one", "ttl": 60_000});
            assert_eq!(say(socket, hello).await["id"], 1);
        }
        let [first, second] = &mut sockets;
        let lock = json!({"id": 2, "op": "lock", "resource": db, "wait": true});
        assert_eq!(say(first, lock.clone()).await["ok"]["granted"], true);
        assert_eq!(say(second, lock).await["ok"]["granted"], false);
        let unlock = json!({"id": 3, "op": "unlock", "resource": db});
        assert_eq!(say(first, unlock).await["id"], 3);
        assert_eq!(next(second).await["event"], "lock-granted");
        let bye = json!({"id": 4, "op": "bye"});
        assert_eq!(say(first, bye).await["id"], 4);
        assert_eq!(next(first).await, json!({"closed": 1000}));
        assert!(in_time(first.next()).await.is_none(), "the line ends in order");
        second.close(None).await.expect("is sent");
        assert_eq!(next(second).await, json!({"closed": null}));
    }
}

/// What finds no room below TLS stays within it, and nobody may forget it there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_reach_who_reads_late() {
    let world = World::new().await;
    let mut socket = socket(&world, &world.dialer()).await;
    say(&mut socket, json!({"id": 1, "op": "hello", "name": "one", "ttl": 60_000})).await;
    let data = "x".repeat(1000);
    for number in 0..400 {
        let ticket = format!("t{number}");
        let issue =
            json!({"id": 2, "op": "issue", "resource": "work", "ticket": ticket, "data": data});
        assert_eq!(say(&mut socket, issue).await["id"], 2);
    }
    for id in 3..8 {
        let ask = Message::text(json!({"id": id, "op": "session"}).to_string());
        in_time(socket.send(ask)).await.expect("is sent");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    for id in 3..8 {
        let state = next(&mut socket).await;
        assert_eq!(state["id"], id);
        assert_eq!(state["ok"]["issued"].as_array().map(Vec::len), Some(400), "{id}");
    }
}

/// A page that came by `https://` is a page of this server.
#[tokio::test]
async fn pages_of_this_server_may_use_it() {
    let world = World::new().await;
    let port = world.address().port();
    for (origin, status) in [
        (format!("https://localhost:{port}"), 200),
        ("https://localhost:1".to_owned(), 403),
        ("https://evil.example".to_owned(), 403),
    ] {
        let mut line = world.dialer().dial(world.address()).await;
        let request = format!(
            "GET /api/v1/status HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: {origin}\r\n\r\n"
        );
        line.write_all(request.as_bytes()).await.expect("is sent");
        assert_eq!(Client::over(line).answer().await.status, status, "{origin}");
    }
}
