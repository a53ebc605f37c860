//! Names, paths and queries: how they are read, and what is refused.

use crate::support::{Client, Served, SessionInfo};

#[tokio::test]
async fn names_come_percent_encoded() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    for (lock, name) in [
        ("a%2Fb", "a/b"),
        ("a%2F", "a/"),
        ("%2e%2E", ".."),
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("%C3%A9t%c3%a9", "été"),
        ("100%25", "100%"),
        ("%F0%9F%94%92", "🔒"),
        ("a%3Fb%23c%26d", "a?b#c&d"),
        ("dump", "dump"),
        ("null", "null"),
    ] {
        assert_eq!(one.says(&format!("POST /locks/{lock}")).await, "200 true", "{lock}");
        let dump = one.ask(&format!("GET /dump/resources/{lock}")).await.json();
        assert_eq!(dump[name]["Name"], name);
        assert_eq!(dump[name]["Tickets"][name]["Name"], name);
    }
}

#[tokio::test]
async fn in_a_query_a_plus_is_a_space() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "my+name%2B").await;
    let look = format!("GET /sessions/{}", one.id);
    assert_eq!(one.ask(&look).await.json()["Name"], "my name+");
    one.issue("work", "a+b%2Bc%2Fd%26e", "").await;
    assert_eq!(one.claim("work").await, "a b+c/d&e");
    assert_eq!(one.says("GET /claims/work?name=a%20b%2bc/d%26e").await, "200 true");
    assert_eq!(one.says("GET /claims/work?%6Eame=a%20b%2bc/d%26e").await, "200 true");
}

#[tokio::test]
async fn what_is_no_name_is_refused() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    for name in ["%00", "a%00b", "%0A", "a%0d%0ab", "%7F", "%C2%80", "%ff", "%C3", "%ED%A0%80"] {
        for request in [
            format!("POST /locks/{name}"),
            format!("DELETE /locks/{name}"),
            format!("POST /claims/{name}"),
            format!("GET /claims/{name}?name=t"),
            format!("POST /tickets/{name}?name=t"),
            format!("POST /tickets/work?name={name}"),
            format!("POST /claims/work?name={name}"),
            format!("DELETE /claims/work?name={name}"),
            format!("GET /dump/resources/{name}"),
            format!("POST /sessions?name={name}"),
        ] {
            let answer = one.ask(&request).await;
            assert_eq!(answer.status, 422, "{request}");
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
            let lines = answer.body.iter().filter(|&&byte| byte == b'\n').count();
            assert_eq!((lines, answer.body.last()), (1, Some(&b'\n')), "{request}");
        }
    }
    assert_eq!(one.ask("GET /dump/resources").await.json(), serde_json::json!({}));
}

#[tokio::test]
async fn a_name_has_at_most_255_bytes() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let longest = ["a".repeat(255), "%C3%A9".repeat(127) + "e"];
    let too_long = ["a".repeat(256), "%C3%A9".repeat(128)];
    for (names, status) in [(&longest, 200), (&too_long, 422)] {
        for name in names {
            for request in [
                format!("POST /locks/{name}"),
                format!("POST /tickets/work?name={name}"),
                format!("POST /sessions?name={name}"),
            ] {
                assert_eq!(one.ask(&request).await.status, status, "{request}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let server = Served::start().await;
    let one = SessionInfo::open(server.address, "one").await;
    let mut client = Client::connect(server.address).await;
    for request in [
        "POST /locks/db",
        "POST /locks/db?sessid=",
        "POST /locks/db?session=x",
        "DELETE /locks/db",
        "POST /claims/work?wait=60000",
        "GET /claims/work?name=t",
        "DELETE /claims/work?name=t",
        "POST /tickets/work?name=t",
        "DELETE /tickets/work?name=t",
    ] {
        assert_eq!(client.ask(request).await.said(), "422 sessid is missing", "{request}");
    }
    let id = &one.id;
    for request in [
        format!("GET /claims/work?sessid={id}"),
        format!("DELETE /claims/work?sessid={id}&name="),
        format!("POST /tickets/work?sessid={id}"),
        format!("DELETE /tickets/work?sessid={id}&nam=t"),
    ] {
        assert_eq!(client.ask(&request).await.said(), "422 name is missing", "{request}");
    }
}

#[tokio::test]
async fn text_that_is_no_id_is_nobodys() {
    let server = Served::start().await;
    let one = SessionInfo::open(server.address, "one").await;
    let swapped: String = one.id.chars().rev().collect();
    let long = "x".repeat(5000);
    for id in ["nope", "%00", "%ff", "%2F", "zzzzzzzzzzzzzzzzzzzzzzzzzzz", &swapped, &long] {
        for method in ["GET", "PUT", "DELETE"] {
            let mut client = Client::connect(server.address).await;
            let answer = client.ask(&format!("{method} /sessions/{id}")).await;
            assert_eq!(answer.said(), "404 session not found", "{method} {id}");
        }
    }
    for id in ["nope", "\u{e9}", &swapped] {
        let client = Client::connect(server.address).await;
        let mut client = client.with(&format!("Ticketd-Session: {id}"));
        assert_eq!(client.ask("POST /locks/db").await.status, 404, "{id}");
    }
}

#[tokio::test]
async fn a_header_may_name_the_session_instead() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let mut client = Client::connect(server.address).await;
    let by_query = format!("POST /locks/db?sessid={}", one.id);
    assert_eq!(client.ask(&by_query).await.said(), "200 true");
    // A info says who it is by header.
    assert_eq!(one.says("DELETE /locks/db").await, "200 \"ok\"");
    assert_eq!(one.says("POST /locks/db").await, "200 true");
    let mut client = client.with(&format!("ticketd-session: {}", one.id));
    assert_eq!(client.ask("POST /locks/db").await.said(), "200 true");
}
