//! HTTP at its edges: odd methods, odd paths, and bytes that are no HTTP at all.

use serde_json::json;

use crate::support::{Client, Served, SessionInfo};

#[tokio::test]
async fn a_trailing_slash_makes_no_difference() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    assert_eq!(one.says("POST /locks/db/").await, "200 true");
    one.issue("work/", "t", "").await;
    let id = one.id.clone();
    for request in [
        "GET /claims/work/?name=t".to_owned(),
        format!("GET /sessions/{id}/"),
        format!("PUT /sessions/{id}/"),
        "POST /sessions/".to_owned(),
        "GET /dump/sessions/".to_owned(),
        "GET /dump/resources/".to_owned(),
        "GET /dump/resources/db/".to_owned(),
        "GET /status/".to_owned(),
        "DELETE /locks/db/".to_owned(),
    ] {
        assert_eq!(one.ask(&request).await.status, 200, "{request}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let id = one.id.clone();
    for (path, status) in [
        ("/status", 200),
        ("/dump/sessions", 200),
        (&format!("/sessions/{id}"), 200),
        ("/sessions/nope", 404),
        ("/nope", 404),
        ("/locks/db", 405),
    ] {
        let answer = one.ask(&format!("HEAD {path}")).await;
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{path}");
    }
    assert_eq!(one.says("POST /locks/db").await, "200 true", "the connection is in order");
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    for (request, allowed) in [
        ("PATCH /sessions", "GET,HEAD,POST"),
        ("PATCH /sessions/x", "DELETE,GET,HEAD,PUT"),
        ("POST /sessions/x", "DELETE,GET,HEAD,PUT"),
        ("GET /locks/db", "DELETE,POST"),
        ("PUT /tickets/work", "DELETE,POST"),
        ("OPTIONS /claims/work", "DELETE,GET,HEAD,POST,PUT"),
        ("DELETE /resources", "GET,HEAD"),
        ("POST /resources/db", "GET,HEAD,PUT"),
        ("GET /resources/jobs/revive", "POST"),
        ("PUT /resources/jobs/tickets/", "GET,HEAD"),
        ("DELETE /status", "GET,HEAD"),
        ("BREW /dump/resources/db/", "GET,HEAD"),
    ] {
        let answer = client.ask(request).await;
        assert_eq!(answer.said(), "405 method not allowed", "{request}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        let mut methods: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed, "{request}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_not_found() {
    let server = Served::start().await;
    let mut client = Client::connect(server.address).await;
    for path in ["", "/", "/nope", "/locks", "/locks/", "/locks/a/b", "/dump", "/Status"] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = client.ask(&format!("{method} {path}")).await;
            assert_eq!(answer.said(), "404 not found", "{method} {path}");
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        }
    }
}

#[tokio::test]
async fn who_asks_for_problem_documents_gets_them() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let two = SessionInfo::open(server.address, "two").await;
    one.issue("work", "t", "").await;
    one.ask("POST /locks/db").await;
    for accept in ["application/problem+json", "text/html, Application/Problem+JSON;q=0.9"] {
        let mut two = two.again().await.with(&format!("Accept: {accept}"));
        for (request, status, code) in [
            ("POST /locks/%00", 422, "bad-request"),
            ("GET /sessions/nope", 404, "session-not-found"),
            ("GET /claims/none?name=t", 404, "resource-not-found"),
            ("POST /locks/work", 409, "wrong-kind"),
            ("DELETE /tickets/work?name=none", 404, "ticket-not-found"),
            ("DELETE /locks/db", 404, "not-holder"),
        ] {
            let answer = two.ask(request).await;
            assert_eq!((answer.status, answer.media()), (status, "application/problem+json"));
            let document = answer.json();
            assert_eq!((&document["status"], &document["code"]), (&json!(status), &json!(code)));
            assert!(document["detail"].is_string() && document["title"].is_string());
        }
        let answer = two.ask_with("POST /tickets/work?name=u", vec![0; 1025]).await;
        assert_eq!((answer.status, &answer.json()["code"]), (413, &json!("too-large")));
        for (request, status) in [("GET /nope", 404), ("PATCH /status", 405)] {
            let answer = two.ask(request).await;
            assert_eq!((answer.status, answer.media()), (status, "application/problem+json"));
            assert_eq!(answer.json()["status"], status);
        }
    }
    one.ask("DELETE /locks/db").await;
    let mut two = two.with("Accept: application/problem+json");
    assert_eq!(two.ask("DELETE /locks/db").await.json()["code"], "not-locked");
    assert_eq!(two.ask("GET /status").await.media(), "application/json");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let mut holder = SessionInfo::open(server.address, "holder").await;
    holder.ask("POST /locks/taken").await;
    for request in [
        "POST /locks/db",
        "POST /locks/taken?wait=300",
        "DELETE /locks/db",
        "DELETE /locks/db",
        "GET /nope",
    ] {
        one.send(request).await;
    }
    for status in ["200 true", "200 false", "200 \"ok\"", "404 not locked", "404 not found"] {
        assert_eq!(one.answer().await.said(), status);
    }
}

#[tokio::test]
async fn garbage_is_turned_away() {
    let server = Served::start().await;
    let mut long_url = b"GET /api/v1/locks/".to_vec();
    long_url.resize(200_000, b'a');
    let many_headers = "GET / HTTP/1.1\r\n".to_owned() + &"a: b\r\n".repeat(1000) + "\r\n";
    for bytes in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"hello\r\n\r\n".to_vec(),
        b"GET /api/v1/status HTTP/9.9\r\n\r\n".to_vec(),
        b"GET /api/v1/status HTTP/1.1\r\nno colon\r\n\r\n".to_vec(),
        b"GET /api/v1/locks/\xff\xfe\x01 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"POST /api/v1/sessions HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_vec(),
        b"POST /api/v1/sessions HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
            .to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        long_url,
        many_headers.into_bytes(),
    ] {
        let mut client = Client::connect(server.address).await;
        client.write(&bytes).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        // Where it does not read all, the end of the connection may overtake its answer.
        if let Some(answer) = client.answer_or_end().await {
            assert!((400..500).contains(&answer.status), "{shown:?}: {}", answer.said());
            assert!(client.answer_or_end().await.is_none(), "{shown:?}: the connection ends");
        }
    }
    assert_eq!(Client::connect(server.address).await.ask("GET /status").await.status, 200);
}

#[tokio::test]
async fn a_long_url_within_reason_is_read() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let padding = "x".repeat(10_000);
    assert_eq!(one.says(&format!("POST /locks/db?padding={padding}")).await, "200 true");
    assert_eq!(one.ask(&format!("POST /locks/{padding}")).await.status, 422);
}

#[tokio::test]
async fn half_a_request_harms_nobody() {
    let server = Served::start().await;
    let mut slow = Client::connect(server.address).await;
    assert!(slow.write(b"POST /api/v1/locks/db?sess").await);
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(Client::connect(server.address).await);
    }
    let mut one = SessionInfo::open(server.address, "one").await;
    assert_eq!(one.says("POST /locks/db").await, "200 true");
    // The rest comes after all.
    let rest = format!("id={} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n", one.id);
    assert!(slow.write(rest.as_bytes()).await);
    assert_eq!(slow.answer().await.said(), "200 true");
}

#[tokio::test]
async fn a_dump_of_many_is_whole() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    assert_eq!(one.ask("GET /dump/resources").await.json(), json!({}));
    // Around the number that is dumped at a time, too.
    for (count, dumped) in [(127, 127), (1, 128), (1, 129), (171, 300)] {
        for number in dumped - count..dumped {
            assert_eq!(one.says(&format!("POST /locks/lock-{number}")).await, "200 true");
        }
        let dump = one.ask("GET /dump/resources").await.json();
        assert_eq!(dump.as_object().map(serde_json::Map::len), Some(dumped));
    }
    let sessions = one.ask("GET /dump/sessions").await.json();
    let issuances = sessions[&one.id]["Issuances"].as_array().map(Vec::len);
    assert_eq!(issuances, Some(300), "locks are listed as what it issued");
}
