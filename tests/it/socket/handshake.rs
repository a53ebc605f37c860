//! The handshake, in the forms that the standards allow and proxies make of it.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Place, start};
use crate::support::{Client, in_time};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const VERSION: &str = "Sec-WebSocket-Version: 13";
const PATH: &str = "/api/v1/ws";

/// The head that answers a GET with these headers.
async fn head(place: &Place, headers: &[&str]) -> String {
    let mut stream = TcpStream::connect(place.0).await.expect("a connection");
    let lines = headers.join("\r\n");
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: {}\r\n{lines}\r\n\r\n", place.0);
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(in_time(stream.read_u8()).await.expect("a head"));
    }
    String::from_utf8(head).expect("text").to_lowercase()
}

#[tokio::test]
async fn lists_may_stand_on_several_lines_and_name_more() {
    let server = start().await;
    for headers in [
        ["Connection: Upgrade", "Upgrade: websocket"].as_slice(),
        &["connection: keep-alive, upgrade", "upgrade: WebSocket"],
        &["Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket"],
        &["Connection: Upgrade", "Connection: keep-alive", "Upgrade: websocket"],
        &["Connection: Upgrade", "Upgrade: h2c, websocket"],
        &["Connection: ,Upgrade ,HTTP2-Settings", "Upgrade: h2c", "Upgrade: websocket"],
    ] {
        let head = head(&server, &[headers, &[KEY, VERSION]].concat()).await;
        assert!(head.starts_with("http/1.1 101 "), "{headers:?}: {head}");
        // The sample of RFC 6455, section 1.3.
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{head}");
        assert!(head.contains("connection: upgrade\r\n"), "{head}");
        assert!(head.contains("upgrade: websocket\r\n"), "{head}");
    }
}

#[tokio::test]
async fn who_asks_for_something_else_is_told_what_there_is() {
    let server = start().await;
    let upgrade = ["Connection: Upgrade", "Upgrade: websocket"];
    for headers in [
        &[][..],
        &["Connection: Upgrade", KEY, VERSION],
        &["Connection: Upgrade", "Upgrade: h2c", KEY, VERSION],
        &["Upgrade: websocket", KEY, VERSION],
        &[upgrade[0], upgrade[1], KEY],
        &[upgrade[0], upgrade[1], KEY, "Sec-WebSocket-Version: 8"],
        &[upgrade[0], upgrade[1], KEY, "Sec-WebSocket-Version: 14"],
    ] {
        let head = head(&server, headers).await;
        assert!(head.starts_with("http/1.1 426 "), "{headers:?}: {head}");
        assert!(head.contains("upgrade: websocket\r\n"), "{headers:?}: {head}");
        assert!(head.contains("connection: upgrade"), "{headers:?}: {head}");
        assert!(head.contains("sec-websocket-version: 13\r\n"), "{headers:?}: {head}");
    }
    // A key is 16 bytes in base64; whatever stood there was one. (RFC 6455, section 4.2.1)
    for key in ["", "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==", "Sec-WebSocket-Key: none"] {
        let headers = [upgrade[0], upgrade[1], VERSION, key];
        let headers = if key.is_empty() { &headers[..3] } else { &headers };
        let head = head(&server, headers).await;
        assert!(head.starts_with("http/1.1 400 "), "{key:?}: {head}");
    }
}

#[tokio::test]
async fn other_methods_are_told_that_it_is_get() {
    let server = start().await;
    let mut client = Client::connect(server.0).await;
    for method in ["HEAD", "POST", "PUT", "DELETE"] {
        for path in [PATH, "/api/v1/ws/"] {
            let answer = client.ask_at(&format!("{method} {path}")).await;
            assert_eq!((answer.status, answer.header("allow")), (405, "GET"), "{method} {path}");
        }
    }
    let answer = client.ask_at(&format!("GET {PATH}")).await;
    assert_eq!(answer.said(), "426 upgrade required");
    let mut client = client.with("Accept: application/problem+json");
    let answer = client.ask_at(&format!("GET {PATH}")).await;
    assert_eq!(
        (answer.media(), answer.json()["status"].as_u64()),
        ("application/problem+json", Some(426))
    );
}
