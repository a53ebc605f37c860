//! Limits, each at its edge.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::client::{Client, start};

#[tokio::test]
async fn names_and_data_and_waits_are_bounded() {
    let server = start().await;
    let mut client = server.open(&"n".repeat(255)).await;
    let mut unnamed = server.connect().await;
    let hello = json!({"op": "hello", "name": "n".repeat(256)});
    assert_eq!(unnamed.refused(hello).await, "bad-request");
    let wide = "\u{f6}".repeat(127);
    for (name, fits) in [
        ("n".repeat(255), true),
        ("n".repeat(256), false),
        (wide.clone() + "x", true),
        (wide + "xx", false),
        (String::new(), false),
        ("\u{7f}".to_owned(), false),
    ] {
        for request in [
            json!({"op": "watch", "resource": name}),
            json!({"op": "issue", "resource": "r", "ticket": name}),
            json!({"op": "claim", "resource": "other", "ticket": name, "wait": true}),
        ] {
            if fits {
                client.ask(request).await;
            } else {
                assert_eq!(client.refused(request).await, "bad-request", "{name:?}");
            }
        }
    }
    for (length, fits) in [(1024, true), (1025, false), (3000, false)] {
        let bytes = json!({"data64": base64(length)});
        for mut issue in [json!({"data": "d".repeat(length)}), bytes] {
            issue["op"] = json!("issue");
            issue["resource"] = json!("r");
            issue["ticket"] = json!("t");
            if fits {
                client.ask(issue).await;
            } else {
                assert_eq!(client.refused(issue).await, "too-large", "{length}");
            }
        }
    }
    server.open("holder").await.lock("db").await;
    for (wait, fits) in [
        (json!(86_400_000), true),
        (json!(86_400_001), false),
        (json!(u64::MAX), false),
        (json!(1.5), false),
        (json!("true"), false),
        (json!(true), true),
    ] {
        let ask = json!({"op": "lock", "resource": "db", "wait": wait});
        if fits {
            assert_eq!(client.ask(ask).await["position"], 1);
        } else {
            assert_eq!(client.refused(ask).await, "bad-request", "{wait}");
        }
    }
    for wait in [json!(0), json!(false)] {
        let ask = json!({"op": "claim", "resource": "r2", "wait": wait});
        assert_eq!(client.ask(ask).await, json!({"granted": false}), "{wait}");
    }
}

/// Zeros in base64.
fn base64(length: usize) -> String {
    let padding = (3 - length % 3) % 3;
    let mut text = "A".repeat((length + padding) / 3 * 4 - padding);
    text += &"=".repeat(padding);
    text
}

/// Sends so many requests at full speed; how many were accepted, and the codes of the others.
async fn flood(client: &mut Client, count: usize, of: impl Fn(usize) -> Value) -> usize {
    let (mut sink, mut stream) = (&mut client.socket).split();
    let write = async {
        for number in 0..count {
            let mut request = of(number);
            request["id"] = json!(number);
            sink.feed(Message::text(request.to_string())).await.expect("fed");
        }
        sink.flush().await.expect("sent");
    };
    let read = async {
        let mut accepted = 0;
        let mut number = 0;
        while number < count {
            let frame = stream.next().await.expect("not cut").expect("not broken");
            let Message::Text(text) = frame else {
                assert!(!frame.is_close(), "{frame}");
                continue;
            };
            let answer: Value = serde_json::from_str(&text).expect("JSON");
            if answer.get("event").is_some() {
                continue;
            }
            assert_eq!(answer["id"], number);
            if answer.get("ok").is_some() {
                accepted += 1;
            } else {
                assert_eq!(answer["error"]["code"], "limit", "{answer}");
                assert_eq!(accepted, number, "none is accepted behind the first refused");
            }
            number += 1;
            if answer.get("error").is_some() {
                number = count;
            }
        }
        accepted
    };
    tokio::join!(write, read).1
}

#[tokio::test]
async fn a_session_has_at_most_10_000_waits() {
    let server = start().await;
    let mut client = server.open("s").await;
    let wait = |_| json!({"op": "claim", "resource": "pool", "wait": true});
    assert_eq!(flood(&mut client, 10_001, wait).await, 10_000);
    let mut other = server.open("other").await;
    let place = other.ask(wait(0)).await;
    assert_eq!(place["position"], 10_001, "others still may");
    for ticket in ["a", "b"] {
        other.issue("pool", ticket, "").await;
    }
    client.event("ticket-granted").await;
    client.event("ticket-granted").await;
    client.quiet().await;
}

#[tokio::test]
async fn a_session_has_at_most_10_000_watches() {
    let server = start().await;
    let mut client = server.open("s").await;
    let watch = |number| json!({"op": "watch", "resource": format!("r{number}")});
    assert_eq!(flood(&mut client, 10_001, watch).await, 10_000);
    client.ask(watch(17)).await;
    client.ask(json!({"op": "unwatch", "resource": "r17"})).await;
    client.ask(watch(20_000)).await;
}

#[tokio::test]
async fn a_session_holds_at_most_10_000() {
    let server = start().await;
    let mut client = server.open("s").await;
    let lock = |number| json!({"op": "lock", "resource": format!("r{number}")});
    assert_eq!(flood(&mut client, 10_001, lock).await, 10_000);
    assert_eq!(client.lock("r5").await["granted"], true, "confirmed");
    client.unlock("r5").await;
    assert_eq!(client.lock("another").await["granted"], true);
}
