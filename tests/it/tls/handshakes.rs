//! Shaking hands, and not.

use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::world::{Authority, Dialer, World};
use crate::support::{Client, in_time, not_yet};

#[tokio::test]
async fn both_versions_are_spoken_and_the_newer_one_is_chosen() {
    let world = World::new().await;
    for (dialer, version) in [
        (world.dialer(), ProtocolVersion::TLSv1_3),
        (world.dialer().version(&TLS13), ProtocolVersion::TLSv1_3),
        (world.dialer().version(&TLS12), ProtocolVersion::TLSv1_2),
    ] {
        let line = dialer.dial(world.address()).await;
        assert_eq!(line.get_ref().1.protocol_version(), Some(version));
        assert_eq!(Client::over(line).ask("POST /sessions").await.status, 200);
    }
}

#[tokio::test]
async fn http_1_1_is_what_is_spoken_behind_it() {
    let world = World::new().await;
    for (offered, chosen) in [
        (&[][..], None),
        (&["h2", "http/1.1"], Some(&b"http/1.1"[..])),
        (&["http/1.1"], Some(b"http/1.1")),
    ] {
        let line = world.dialer().protocols(offered).dial(world.address()).await;
        assert_eq!(line.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
    }
    let refused = world.dialer().protocols(&["h2"]).try_dial(world.address()).await;
    let why = refused.expect_err("nobody speaks that").to_string();
    assert!(why.contains("NoApplicationProtocol"), "{why}");
}

#[tokio::test]
async fn who_believes_another_authority_does_not_believe_the_server() {
    let world = World::new().await;
    let other = Dialer::new(&Authority::new("other"));
    let why = other.try_dial(world.address()).await.expect_err("a stranger").to_string();
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[tokio::test]
async fn plain_http_is_answered_in_one_line() {
    let world = World::new().await;
    for path in ["/", "/api/v1/ws", "/nope"] {
        let mut client = Client::connect(world.address()).await;
        assert!(client.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await);
        let answer = client.answer().await;
        assert_eq!(answer.said(), "400 this port speaks TLS: use https:// or wss://");
        assert_eq!((answer.media(), answer.header("connection")), ("text/plain", "close"));
        assert!(client.answer_or_end().await.is_none(), "the connection ends");
    }
    // A body that nobody reads does not take the answer away.
    let mut client = Client::connect(world.address()).await;
    client.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n").await;
    client.write(&[b'x'; 300_000]).await;
    assert_eq!(client.answer().await.status, 400);
}

/// Somebody who says nothing, or begins and does not go on, keeps nobody else waiting.
#[tokio::test]
async fn others_shake_hands_while_some_do_not() {
    let world = World::new().await;
    let mut idle = Vec::new();
    for begun in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        for _ in 0..30 {
            let mut stream = TcpStream::connect(world.address()).await.expect("a connection");
            stream.write_all(begun).await.expect("is sent");
            idle.push(stream);
        }
    }
    assert_eq!(world.client().await.ask("POST /sessions").await.status, 200);
    assert!(not_yet(idle[0].read_u8()).await && not_yet(idle[89].read_u8()).await);
    // Nor do they keep the server from ending.
    world.served.stop().await;
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_at_once() {
    let world = World::new().await;
    for garbage in [
        &b"\x00\x01\x02\x03\x04\x05\x06\x07"[..],
        b"\x16\x03\x01\x00\x04\xff\x00\x00\x00",
        b"\x80\x2e\x01\x00\x02",
    ] {
        let mut stream = TcpStream::connect(world.address()).await.expect("a connection");
        stream.write_all(garbage).await.expect("is sent");
        let mut said = Vec::new();
        in_time(stream.read_to_end(&mut said)).await.expect("the end");
        // An alert, which is fatal.
        assert_eq!((said.first(), said.get(5)), (Some(&0x15), Some(&2)), "{garbage:?}: {said:?}");
    }
    assert_eq!(world.client().await.ask("POST /sessions").await.status, 200);
}
