//! How a socket begins, and how it ends.

use serde_json::{Value, json};
use ticketd::server::Config;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::client::{start, start_with};

#[tokio::test]
async fn hello_opens_a_session() {
    let server = start().await;
    let mut client = server.connect().await;
    let state = client.hello(json!({"name": "worker 1", "ttl": 10_000, "unknown": [{}]})).await;
    let session = state["session"].as_str().unwrap();
    assert_eq!((session.len(), state["epoch"].as_str().unwrap().len()), (27, 27));
    let expected = json!({
        "session": session, "ref": state["ref"], "name": "worker 1", "ttl": 10_000,
        "resumed": false,
        "epoch": state["epoch"], "ping": 3333, "holds": [], "waits": [], "watches": [],
        "issued": [],
    });
    assert_eq!(state, expected);
    assert_eq!(client.ask(json!({"op": "session"})).await, expected);
    let (_, other) = server.hello(json!({})).await;
    assert_eq!((&other["name"], &other["ttl"]), (&json!(""), &json!(5000)));
    assert_eq!(other["epoch"], state["epoch"]);
}

#[tokio::test]
async fn anything_before_hello_is_closed_with_4500() {
    let server = start().await;
    for first in [
        r#"{"id":1,"op":"beat"}"#,
        r#"{"id":1,"op":"lock","resource":"db"}"#,
        r#"{"id":1,"op":"what"}"#,
        r#"{"id":1}"#,
        "{}",
    ] {
        let mut client = server.connect().await;
        client.send_raw(Message::text(first)).await;
        assert_eq!(client.next().await.unwrap_err().0, 4500, "{first}");
    }
}

#[tokio::test]
async fn a_refused_hello_may_be_followed_by_another() {
    let server = start().await;
    for wrong in [
        json!({"ttl": 49}),
        json!({"ttl": 86_400_001}),
        json!({"ttl": -1}),
        json!({"ttl": 1.5}),
        json!({"ttl": "5000"}),
        json!({"name": "a\nb"}),
        json!({"name": 1}),
        json!({"liveness": "none"}),
        json!({"session": 5}),
        json!({"session": "x", "attempt": -1}),
    ] {
        let mut hello = json!({"op": "hello"});
        hello.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let mut client = server.connect().await;
        assert_eq!(client.refused(hello).await, "bad-request", "{wrong}");
        client.hello(json!({"ttl": 50_000})).await;
    }
    let mut client = server.connect().await;
    client.send_raw(Message::text(r#"{"op":"hello"}"#)).await;
    let refused = client.next().await.unwrap();
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&Value::Null, &json!("bad-request")));
    client.hello(json!({"ttl": 50_000})).await;
    // A second one is refused, and the session goes on.
    assert_eq!(client.refused(json!({"op": "hello"})).await, "bad-request");
    let other = json!({"op": "hello", "session": client.session});
    assert_eq!(client.refused(other).await, "bad-request");
    assert_eq!(client.lock("db").await["granted"], true);
}

#[tokio::test]
async fn the_subprotocol_is_chosen_when_it_is_offered() {
    let server = start().await;
    for (offered, chosen) in [
        (None, None),
        (Some("ticketd.v1"), Some("ticketd.v1")),
        (Some("x, ticketd.v1"), Some("ticketd.v1")),
    ] {
        let mut request = server.request();
        if let Some(offered) = offered {
            request.headers_mut().insert("sec-websocket-protocol", offered.parse().unwrap());
        }
        let (mut client, response) = server.upgrade(request).await.unwrap();
        let got = response.headers().get("sec-websocket-protocol");
        assert_eq!(got.map(|value| value.to_str().unwrap()), chosen);
        client.hello(json!({})).await;
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let allow_origins = vec!["https://app.example".parse().unwrap()];
    let server = start_with(Config { allow_origins, ..Config::default() }).await;
    let own = format!("http://{}", server.0);
    for (origin, welcome) in [
        (own.as_str(), true),
        ("https://app.example", true),
        ("https://evil.example", false),
        ("https://app.example.evil.example", false),
        ("http://app.example", false),
        ("null", false),
    ] {
        let mut request = server.request();
        request.headers_mut().insert("origin", origin.parse().unwrap());
        match server.upgrade(request).await {
            Ok((mut client, _)) => {
                assert!(welcome, "{origin}");
                client.hello(json!({})).await;
            }
            Err(Error::Http(response)) => {
                assert!(!welcome, "{origin}");
                assert_eq!(response.status(), 403);
            }
            Err(why) => panic!("{origin}: {why}"),
        }
    }
}

#[tokio::test]
async fn bye_ends_the_session_and_nothing_behind_it_counts() {
    let server = start().await;
    let mut other = server.open("other").await;
    for behind in [
        Message::text(r#"{"id":99,"op":"lock","resource":"db"}"#),
        Message::text(r#"{"id":99,"op":"hello"}"#),
        Message::text("nonsense"),
        Message::binary(vec![0]),
    ] {
        let mut client = server.open("leaving").await;
        client.lock("mine").await;
        let id = client.feed(json!({"op": "bye"})).await;
        futures::SinkExt::feed(&mut client.socket, behind.clone()).await.unwrap();
        client.flush().await;
        assert_eq!(client.next().await, Ok(json!({"id": id, "ok": {}})), "before {behind:?}");
        assert_eq!(client.next().await.unwrap_err().0, 1000, "before {behind:?}");
        assert_eq!(other.lock("mine").await["granted"], true, "it was given up");
        other.unlock("mine").await;
        assert_eq!(other.lock("db").await["granted"], true);
        other.unlock("db").await;
    }
}

#[tokio::test]
async fn the_end_of_a_session_closes_its_socket() {
    let server = start_with(Config { expire_ms: 50, ..Config::default() }).await;
    let mut closed = server.open("closed").await;
    closed.lock("db").await;
    server.rest("DELETE", &format!("sessions/{}", closed.session)).await;
    assert_eq!(closed.closed().await, (4502, "closed".to_owned()));
    // It hears pings but never says anything.
    let mut expired = server.open_with(json!({"ttl": 200, "liveness": "beat"})).await;
    assert_eq!(expired.closed().await, (4502, "expired".to_owned()));
}

#[tokio::test]
async fn a_client_that_closes_is_answered_and_its_session_lives_on() {
    let server = start().await;
    let mut client = server.open("s").await;
    client.lock("db").await;
    let session = client.session.clone();
    client.socket.close(None).await.unwrap();
    let (_, state) = server.resume(&session).await;
    assert_eq!(state["holds"][0]["resource"], "db");
}
