//! What is about the connection, or about asking again, whatever a request wants.

use std::time::Duration;

use serde_json::json;
use ticketd::server::{Bounds, Config};

use crate::support::{Client, Served, SessionInfo, in_time, until_waits};

/// A request without a Host was served like any other, and so was one with two, of which a proxy
/// in front may believe the other one. (RFC 9112, section 3.2)
#[tokio::test]
async fn a_request_of_http_1_1_names_one_host() {
    let server = Served::start().await;
    let one = "400 a request has one Host header";
    for (version, hosts, says) in [
        ("1.1", "", one),
        ("1.1", "Host: a\r\nHost: a\r\n", one),
        ("1.1", "Host: a\r\nhOST: b\r\n", one),
        ("1.0", "Host: a\r\nHost: a\r\nConnection: keep-alive\r\n", one),
        ("1.1", "Host: test\r\n", "200 \"Ok\""),
        ("1.0", "Host: test\r\nConnection: keep-alive\r\n", "200 \"Ok\""),
        ("1.0", "Connection: keep-alive\r\n", "200 \"Ok\""),
    ] {
        let info = SessionInfo::open(server.address, "one").await;
        let mut client = Client::connect(server.address).await;
        let path = format!("/api/v1/sessions/{}", info.id);
        for method in ["PUT", "DELETE"] {
            let request = format!("{method} {path} HTTP/{version}\r\n{hosts}\r\n");
            assert!(client.write(request.as_bytes()).await);
            let answer = client.answer().await;
            assert_eq!(answer.said(), says, "{version} {hosts:?}");
        }
        let lives = info.again().await.ask(&format!("GET {}", &path[7..])).await.status == 200;
        assert_eq!(lives, says == one, "{version} {hosts:?}: it is not carried out");
    }
    let mut client = Client::connect(server.address).await;
    let document = "Accept: application/problem+json\r\n";
    for path in ["/api/v1/ws", "/nope", "/", "/healthz"] {
        assert!(client.write(format!("GET {path} HTTP/1.1\r\n{document}\r\n").as_bytes()).await);
        let answer = client.answer().await;
        assert_eq!((answer.status, &answer.json()["status"]), (400, &json!(400)), "{path}");
        assert_eq!(answer.media(), "application/problem+json", "{path}");
    }
}

/// How long a connection may idle was nowhere to be read: a client that used it again a moment too
/// late had sent its request into a closed one.
#[tokio::test]
async fn answers_that_keep_the_connection_tell_how_long() {
    let config = Config { idle_ms: 20_500, ..Config::default() };
    let server = Served::with(config).await;
    let mut client = Client::connect(server.address).await;
    for path in ["/api/v1/status", "/api/v1/nope", "/", "/healthz", "/api/v1/ws"] {
        let answer = client.ask_at(&format!("GET {path}")).await;
        assert_eq!(answer.header("keep-alive"), "timeout=20", "{path}");
        let options = if path == "/api/v1/ws" { "upgrade, keep-alive" } else { "keep-alive" };
        assert_eq!(answer.header("connection"), options, "{path}");
    }
    let ask = async |version: &str, headers: &str| {
        let mut client = Client::connect(server.address).await;
        let path = "/api/v1/dump/resources/none";
        let request = format!("GET {path} HTTP/{version}\r\nHost: test\r\n{headers}\r\n");
        assert!(client.write(request.as_bytes()).await);
        let answer = client.answer().await;
        let kept = answer.header("keep-alive").to_owned();
        let again = client.write(request.as_bytes()).await;
        let goes_on = again && client.answer_or_end().await.is_some();
        assert_eq!(goes_on, !kept.is_empty(), "{version} {headers:?}");
        kept
    };
    assert_eq!(ask("1.1", "").await, "timeout=20");
    assert_eq!(ask("1.1", "Connection: x, Close\r\n").await, "");
    assert_eq!(ask("1.1", "Connection: x\r\nConnection: close\r\n").await, "");
    assert_eq!(ask("1.0", "").await, "");
    assert_eq!(ask("1.0", "Connection: Keep-Alive\r\n").await, "timeout=20");
}

/// It was promised on connections that the server closed then: a client that believed it lost its
/// next request.
#[tokio::test]
async fn no_connection_that_ends_is_said_to_go_on() {
    let server = Served::start().await;
    let mut info = SessionInfo::open(server.address, "one").await;
    // Much more than a ticket's data may be, of which a part is sent.
    let head = "POST /api/v1/tickets/jobs?name=a HTTP/1.1\r\nHost: test\r\nContent-Length: 5000000";
    let request = format!("{head}\r\nTicketd-Session: {}\r\n\r\n{:60000}", info.id, "");
    let mut client = Client::connect(server.address).await;
    client.write(request.as_bytes()).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("keep-alive")), (413, ""));
    // A wait that is under way as the server stops.
    assert_eq!(
        SessionInfo::open(server.address, "two").await.says("POST /locks/db").await,
        "200 true"
    );
    info.send("POST /locks/db?wait=60000").await;
    until_waits(server.address, 1).await;
    let stopped = tokio::spawn(server.stop());
    let answer = info.answer().await;
    assert_eq!((answer.status, answer.header("keep-alive")), (200, ""));
    stopped.await.expect("it stops");
}

#[tokio::test]
async fn how_long_a_connection_may_idle_is_up_to_who_runs_the_server() {
    let server = Served::with(Config { idle_ms: 60, ..Config::default() }).await;
    let mut idle = Client::connect(server.address).await;
    assert_eq!(idle.ask("GET /status").await.header("keep-alive"), "", "less than a second");
    let mut half = Client::connect(server.address).await;
    assert!(half.write(b"GET /api/v1/status HTTP/1.1\r\n").await);
    let mut holder = SessionInfo::open(server.address, "holder").await;
    holder.ask("POST /locks/db").await;
    let mut waiter = SessionInfo::open(server.address, "waiter").await;
    waiter.send("POST /locks/db?wait=60000").await;
    until_waits(server.address, 1).await;
    // Far below the default.
    let ended = async { (idle.answer_or_end().await, half.answer_or_end().await) };
    let ended = tokio::time::timeout(Duration::from_secs(5), ended).await.expect("in time");
    assert!(ended.0.is_none() && ended.1.is_none());
    // One that waits is not idle.
    assert!(waiter.is_quiet().await);
    holder.again().await.ask("DELETE /locks/db").await;
    assert_eq!(waiter.answer().await.said(), "200 true");
}

#[tokio::test]
async fn who_is_refused_for_now_is_told_when_to_ask_again() {
    let bounds = Bounds { connections: 0, rate: 3 };
    let server = Served::with(Config { bounds, ..Config::default() }).await;
    let mut client = Client::connect(server.address).await;
    let refused = async {
        loop {
            let answer = client.ask("GET /dump/sessions").await;
            match answer.status {
                200 => assert_eq!(answer.header("retry-after"), ""),
                _ => break answer,
            }
        }
    };
    let refused = in_time(refused).await;
    assert_eq!(refused.said(), "429 too many requests from this address");
    assert_eq!(refused.header("retry-after"), "1");

    let bounds = Bounds { connections: 1, rate: 0 };
    let server = Served::with(Config { bounds, ..Config::default() }).await;
    let mut first = Client::connect(server.address).await;
    assert_eq!(first.ask("GET /status").await.status, 200);
    let refused = Client::connect(server.address).await.ask("GET /status").await;
    assert_eq!(refused.said(), "429 too many connections from this address");
    assert_eq!((refused.header("retry-after"), refused.header("keep-alive")), ("1", ""));
    assert_eq!(refused.header("connection"), "close");
}

/// A client could not tell a server that waits as it prefers from one that knows no such wish.
#[tokio::test]
async fn a_preference_that_was_applied_is_told() {
    let server = Served::start().await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    holder.ask("POST /locks/db").await;
    holder.issue("work", "t", "").await;
    let waiter = SessionInfo::open(server.address, "waiter").await;
    for (prefer, request, applied) in [
        ("respond-async, wait=1", "POST /locks/db", "wait=1"),
        ("wait=0", "POST /locks/db", "wait=0"),
        ("Wait=5", "POST /locks/own", "wait=5"),
        ("wait=100", "POST /claims/work", "wait=60"),
        ("wait=1", "POST /claims/none", "wait=1"),
        // The query goes before it, and what makes no sense is none.
        ("wait=5", "POST /locks/db?wait=1", ""),
        ("wait=soon", "POST /locks/db", ""),
        ("respond-async", "POST /locks/own", ""),
        ("wait=5", "POST /locks/work", ""),
        ("wait=5", "GET /status", ""),
    ] {
        let mut waiter = waiter.again().await.with(&format!("Prefer: {prefer}"));
        let answer = waiter.ask(request).await;
        assert_eq!(answer.header("preference-applied"), applied, "{prefer}: {request}");
    }
}
