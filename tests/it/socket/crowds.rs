//! Many sockets of one address: what they may take before they say who they are, and after.

use std::net::Ipv4Addr;

use serde_json::json;
use ticketd::server::{Bounds, Config, NAMELESS_OF_ONE_MAX};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::client::{Place, start, start_with};
use crate::support::in_time;

/// A connection from an address of this machine's.
async fn from(place: &Place, address: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::from(address), 0).into()).expect("an address");
    in_time(socket.connect(place.0)).await.expect("a connection")
}

/// The status that an upgrade over that connection is refused with.
async fn refused(place: &Place, stream: TcpStream) -> Option<u16> {
    match in_time(client_async(place.request(), stream)).await {
        Ok(_) => None,
        Err(Error::Http(response)) => Some(response.status().as_u16()),
        Err(why) => panic!("{why}"),
    }
}

/// A thousand upgrades of one address, with not a word behind them, shut everybody out.
#[tokio::test]
async fn who_says_no_hello_shuts_out_only_himself() {
    let server = start().await;
    let mut silent = Vec::new();
    for _ in 0..NAMELESS_OF_ONE_MAX {
        silent.push(server.connect().await);
    }
    assert_eq!(refused(&server, from(&server, [127, 0, 0, 1]).await).await, Some(429));
    assert_eq!(refused(&server, from(&server, [127, 0, 0, 2]).await).await, None);
    // Who has said hello no longer counts.
    silent[0].hello(json!({})).await;
    assert_eq!(refused(&server, from(&server, [127, 0, 0, 1]).await).await, None);
}

#[tokio::test]
async fn a_first_frame_is_small() {
    let server = start().await;
    let hello = |length: usize| {
        let head = r#"{"id":1,"op":"hello","x":""#;
        format!("{head}{}\"}}", "x".repeat(length - head.len() - 2))
    };
    let mut client = server.connect().await;
    client.send_raw(Message::text(hello(16 * 1024 + 1))).await;
    assert_eq!(client.next().await.expect_err("closed").0, 1009);
    let mut client = server.connect().await;
    client.send_raw(Message::text(hello(16 * 1024))).await;
    assert_eq!(client.next().await.expect("an answer")["ok"]["resumed"], false);
    client.send_raw(Message::text(hello(64 * 1024))).await;
    assert_eq!(client.next().await.expect("an answer")["error"]["code"], "bad-request");
}

fn bounded(connections: u32) -> Config {
    Config { bounds: Bounds { connections, rate: 0 }, ..Config::default() }
}

/// A client whose line died has it counted until the server finds out, and was sent off with
/// 4505, "do not come back": its own dead line kept it from its session, which then expired.
#[tokio::test]
async fn a_dead_line_does_not_keep_its_client_out() {
    let server = start_with(bounded(2)).await;
    let mut dead = server.open("dead").await;
    let mut other = server.open("other").await;
    for _ in 0..3 {
        let (mut back, state) = server.resume(&dead.session).await;
        assert_eq!(state["resumed"], true);
        assert_eq!(dead.closed().await.0, 4501);
        back.session = dead.session.clone();
        dead = back;
    }
    // One more is still one too many, and so is one who comes for a session that is nobody's.
    for hello in [json!({}), json!({"session": "3MUQ0000000000000000000000a"})] {
        let mut third = server.connect().await;
        let mut hello = hello;
        hello["op"] = json!("hello");
        third.send(hello).await;
        assert_eq!(third.closed().await.0, 4505);
    }
    other.ask(json!({"op": "bye"})).await;
    drop(other);
    let comes = async {
        loop {
            let mut third = server.connect().await;
            third.send(json!({"op": "hello"})).await;
            if third.next().await.is_ok() {
                break;
            }
        }
    };
    in_time(comes).await;
}

#[tokio::test]
async fn a_refused_takeover_takes_no_place() {
    let server = start_with(bounded(1)).await;
    let mut first = server.connect().await;
    let state = first.hello(json!({})).await;
    let hello =
        |attempt: u64| json!({"op": "hello", "session": state["session"], "attempt": attempt});
    let mut second = server.connect().await;
    second.send(hello(5)).await;
    assert_eq!(second.next().await.expect("an answer")["ok"]["resumed"], true);
    assert_eq!(first.closed().await.0, 4501);
    let mut late = server.connect().await;
    late.send(hello(4)).await;
    assert_eq!(late.closed().await.0, 4501, "it has been overtaken");
    second.ask(json!({"op": "beat"})).await;
    let mut third = server.connect().await;
    third.send(hello(6)).await;
    assert_eq!(third.next().await.expect("an answer")["ok"]["resumed"], true);
}
