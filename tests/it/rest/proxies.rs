//! Clients behind a proxy that is believed: they are themselves, and nobody else.

use std::net::{Ipv4Addr, SocketAddr};

use futures::{SinkExt, StreamExt};
use serde_json::Value;
use ticketd::server::{Bounds, Config, NAMELESS_OF_ONE_MAX};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{Client, Served, in_time};

/// A server that believes what comes from 127.0.0.1, and nobody else.
async fn served(bounds: Bounds) -> Served {
    let trust_proxies = vec!["127.0.0.1".parse().expect("a network")];
    Served::with(Config { trust_proxies, bounds, ..Config::default() }).await
}

/// A client of a proxy, whose connection is new.
async fn behind(served: &Served, client: &str) -> Client {
    Client::connect(served.address).await.with(&format!("X-Forwarded-For: {client}"))
}

/// Whom the server takes the session's client for.
async fn source(served: &Served, id: &str) -> String {
    let look = format!("GET /sessions/{id}");
    let answer = Client::connect(served.address).await.ask(&look).await;
    answer.json()["Src"].as_str().expect("a text").to_owned()
}

/// A session that a client of this address opens with these lines of `X-Forwarded-For`.
async fn opened(served: &Served, from: [u8; 4], lines: &[&str]) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::from(from), 0).into()).expect("an address");
    let stream = in_time(socket.connect(served.address)).await.expect("a connection");
    let mut client = Client::over(stream);
    for line in lines {
        client = client.with(&format!("x-FORWARDED-for: {line}"));
    }
    client.ask("POST /sessions").await.json().as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn the_source_is_the_client_that_the_proxy_names_and_not_what_the_client_says() {
    let served = served(Bounds::default()).await;
    for (from, lines, who) in [
        ([127, 0, 0, 1], &["192.0.2.1"][..], "192.0.2.1"),
        ([127, 0, 0, 1], &["198.51.100.1, 192.0.2.1"], "192.0.2.1"),
        ([127, 0, 0, 1], &["198.51.100.1", "192.0.2.1", "127.0.0.1"], "192.0.2.1"),
        ([127, 0, 0, 1], &["[2001:db8::1]:4711"], "2001:db8::1"),
    ] {
        let id = opened(&served, from, lines).await;
        assert_eq!(source(&served, &id).await, who, "{lines:?}");
    }
    for (from, lines) in [
        ([127, 0, 0, 1], &[][..]),
        ([127, 0, 0, 1], &["192.0.2.1, unknown"]),
        ([127, 0, 0, 2], &["192.0.2.1"]),
    ] {
        let id = opened(&served, from, lines).await;
        let source: SocketAddr = source(&served, &id).await.parse().expect("with its port");
        assert_eq!(source.ip(), Ipv4Addr::from(from), "{lines:?}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_proxys_connections_do_not_count_and_each_clients_requests_do() {
    let served = served(Bounds { connections: 1, rate: 3 }).await;
    let mut one = Vec::new();
    for _ in 0..5 {
        one.push(behind(&served, "192.0.2.1").await);
    }
    let mut statuses = Vec::new();
    for client in &mut one {
        statuses.push(client.ask("GET /status").await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    // The same connection may bring another client next.
    let mut other = one.pop().expect("five").with("X-Forwarded-For: 192.0.2.2");
    assert_eq!(other.ask("GET /status").await.status, 200);
    assert_eq!(behind(&served, "2001:db8::1").await.ask("GET /status").await.status, 200);
    served.stop().await;
}

/// An upgrade that a proxy passes on from a client; the status that it is refused with.
async fn upgrade(served: &Served, client: &str) -> Result<WebSocketStream<TcpStream>, u16> {
    let mut request =
        format!("ws://{}/api/v1/ws", served.address).into_client_request().expect("a request");
    request.headers_mut().insert("x-forwarded-for", client.parse().expect("a value"));
    let stream = in_time(TcpStream::connect(served.address)).await.expect("a connection");
    match in_time(client_async(request, stream)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(why) => panic!("{why}"),
    }
}

#[tokio::test]
async fn a_client_that_says_no_hello_shuts_out_nobody_else_behind_its_proxy() {
    let served = served(Bounds::default()).await;
    let mut silent = Vec::new();
    for _ in 0..NAMELESS_OF_ONE_MAX {
        silent.push(upgrade(&served, "192.0.2.1").await.expect("not too many"));
    }
    assert_eq!(upgrade(&served, "192.0.2.1").await.err(), Some(429));
    assert!(upgrade(&served, "192.0.2.2").await.is_ok());
    drop(silent);
    served.stop().await;
}

#[tokio::test]
async fn a_sockets_session_is_its_clients() {
    let served = served(Bounds { connections: 1, rate: 0 }).await;
    for client in ["192.0.2.1", "192.0.2.2"] {
        let mut socket = upgrade(&served, client).await.expect("not too many");
        socket.send(Message::text(r#"{"id": 1, "op": "hello"}"#)).await.expect("it is there");
        let answer = in_time(socket.next()).await.expect("an answer").expect("a message");
        let answer: Value = serde_json::from_slice(&answer.into_data()).expect("JSON");
        let id = answer["ok"]["session"].as_str().expect("an id");
        assert_eq!(source(&served, id).await, client);
    }
    served.stop().await;
}
