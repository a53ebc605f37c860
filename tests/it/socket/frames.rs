//! Frames: what is answered, and what a socket is closed for.

use futures::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::client::start;

fn frame(bytes: Vec<u8>, kind: Data, last: bool) -> Message {
    Message::Frame(Frame::message(bytes, OpCode::Data(kind), last))
}

#[tokio::test]
async fn a_bad_frame_closes_behind_the_answers_to_what_came_before() {
    let server = start().await;
    for (bad, code) in [
        (Message::binary(vec![1, 2]), 4503),
        (Message::text(""), 4503),
        (Message::text("[]"), 4503),
        (Message::text("7"), 4503),
        (Message::text("null"), 4503),
        (Message::text(r#"{"id":1,"op":"beat""#), 4503),
        (Message::text(r#"{"id":1,"op":"beat"}{}"#), 4503),
        (Message::text("[".repeat(60_000)), 4503),
        (frame(b"{\"id\":1,\"op\":\"\xff\"}".to_vec(), Data::Text, true), 4503),
        (frame(b"{}".to_vec(), Data::Continue, true), 4503),
        (frame(b"{}".to_vec(), Data::Reserved(3), true), 4503),
        (Message::text(" ".repeat(64 * 1024 + 1)), 1009),
        (Message::text("x".repeat(1 << 20)), 1009),
    ] {
        let what = format!("{:.60}", format!("{bad:?}"));
        let mut client = server.open("s").await;
        let session = client.session.clone();
        let mut ids = Vec::new();
        for number in 0..10 {
            ids.push(client.feed(json!({"op": "lock", "resource": format!("r{number}")})).await);
        }
        client.socket.feed(bad).await.unwrap();
        for _ in 0..50 {
            client.feed(json!({"op": "lock", "resource": "behind"})).await;
        }
        // The server may have closed before all of it was written.
        let _ = client.socket.flush().await;
        for id in ids {
            assert_eq!(client.next().await.expect(&what)["id"], id, "{what}");
        }
        assert_eq!(client.next().await.expect_err(&what).0, code, "{what}");
        let (mut back, state) = server.resume(&session).await;
        assert_eq!(state["holds"].as_array().unwrap().len(), 10, "the session lives on: {what}");
        back.ask(json!({"op": "bye"})).await;
    }
}

#[tokio::test]
async fn a_bad_first_frame_closes_too() {
    let server = start().await;
    for (bad, code) in [
        (Message::binary(b"{\"id\":1,\"op\":\"hello\"}".to_vec()), 4503),
        (Message::text("hello"), 4503),
        (Message::text(" ".repeat(64 * 1024 + 1)), 1009),
    ] {
        let mut client = server.connect().await;
        client.send_raw(bad).await;
        assert_eq!(client.next().await.unwrap_err().0, code);
    }
}

#[tokio::test]
async fn whatever_is_an_object_is_answered_and_bears_its_id() {
    let server = start().await;
    let mut client = server.open("s").await;
    const MAX: u64 = (1 << 53) - 1;
    for (text, id) in [
        (r#"{"id":0,"op":"what"}"#, json!(0)),
        (r#"{"id":9007199254740991,"op":"what"}"#, json!(MAX)),
        (r#"{"id":9007199254740992,"op":"beat"}"#, Value::Null),
        (r#"{"id":-1,"op":"beat"}"#, Value::Null),
        (r#"{"id":1.5,"op":"beat"}"#, Value::Null),
        (r#"{"id":"1","op":"beat"}"#, Value::Null),
        (r#"{"id":null,"op":"beat"}"#, Value::Null),
        (r#"{"op":"lock","resource":"db"}"#, Value::Null),
        (r#"{"id":1e999,"op":"beat"}"#, Value::Null),
        (r"{}", Value::Null),
        (r#"{"id":3}"#, json!(3)),
        (r#"{"id":4,"op":7}"#, json!(4)),
        (r#"{"id":5,"op":"lock"}"#, json!(5)),
        (r#"{"id":6,"op":"lock","resource":["db"]}"#, json!(6)),
        (r#"{"id":7,"op":"lock","resource":"db","wait":"long"}"#, json!(7)),
        (r#"{"id":7,"op":"lock","resource":"db","wait":-1}"#, json!(7)),
        (r#"{"id":7,"op":"unlock","resource":"db","fence":"1"}"#, json!(7)),
        (r#"{"id":7,"op":"cancel"}"#, json!(7)),
        (r#"{"id":7,"op":"watch","resource":"db","changes":1}"#, json!(7)),
        (r#"{"id":8,"op":"lock","resource":"\ud800"}"#, json!(8)),
        (r#"{"id":8,"op":"lock","resource":"a\u0000b"}"#, json!(8)),
    ] {
        client.send_raw(Message::text(text)).await;
        let answer = client.next().await.unwrap();
        assert_eq!(answer["id"], id, "{text}: {answer}");
        assert_eq!(answer["error"]["code"], "bad-request", "{text}: {answer}");
    }
    for (text, id) in [
        (r#"{"id":9007199254740991,"op":"beat"}"#, MAX),
        (r#" {"op":"beat","id":5,"more":{"deep":[[[]]]}} "#, 5),
        (r#"{"id":6,"op":"beat"}"#, 6),
        (r#"{"id":6,"op":"beat"}"#, 6),
    ] {
        client.send_raw(Message::text(text)).await;
        assert_eq!(client.next().await.unwrap()["id"], id, "{text}");
    }
    let state = client.ask(json!({"op": "session"})).await;
    assert_eq!(state["holds"], json!([]), "nothing was done without an id");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start().await;
    let mut client = server.open("s").await;
    let mut ids = Vec::new();
    for number in 0..500 {
        let request = match number % 4 {
            0 => json!({"op": "lock", "resource": "db"}),
            1 => json!({"op": "beat"}),
            2 => json!({"op": "what"}),
            _ => json!({"op": "session"}),
        };
        ids.push(client.feed(request).await);
    }
    client.flush().await;
    for id in ids {
        assert_eq!(client.next().await.unwrap()["id"], id);
    }
}

#[tokio::test]
async fn fragments_pings_and_the_largest_frame_are_fine() {
    let server = start().await;
    let mut client = server.open("s").await;
    let text = r#"{"id":900,"op":"beat"}"#.as_bytes();
    client.send_raw(frame(text[..5].to_vec(), Data::Text, false)).await;
    client.send_raw(Message::Ping(b"between".to_vec().into())).await;
    client.send_raw(frame(text[5..9].to_vec(), Data::Continue, false)).await;
    client.send_raw(frame(text[9..].to_vec(), Data::Continue, true)).await;
    assert_eq!(client.next().await.unwrap()["id"], 900);
    let mut largest = r#"{"id":901,"op":"beat","more":""#.to_owned();
    largest += &"x".repeat(64 * 1024 - largest.len() - 2);
    largest += "\"}";
    assert_eq!(largest.len(), 64 * 1024);
    client.send_raw(Message::text(largest)).await;
    assert_eq!(client.next().await.unwrap()["id"], 901);
    // Together too large, in fragments that are not.
    let mut client = server.open("s").await;
    for number in 0..3 {
        let kind = if number == 0 { Data::Text } else { Data::Continue };
        client.send_raw(frame(vec![b' '; 30_000], kind, number == 2)).await;
    }
    assert_eq!(client.next().await.unwrap_err().0, 1009);
}

#[tokio::test]
async fn a_close_code_arrives_though_the_client_goes_on_sending() {
    let server = start().await;
    let mut client = server.open("s").await;
    client.socket.feed(Message::text("nonsense")).await.unwrap();
    let more = r#"{"id":1,"op":"watch","resource":"r"}"#;
    for _ in 0..20_000 {
        if client.socket.feed(Message::text(more)).await.is_err() {
            break;
        }
    }
    assert_eq!(client.closed().await.0, 4503);
}
