//! A client says its last and closes, or shuts down its sending side. Everything before that was
//! carried out, and of 200 such requests none was answered: the library writes nothing more once
//! it has read a close frame, which it read in one go with what came before.

use serde_json::{Value, json};
use ticketd::server::{Config, PersistenceConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Client, Closed, Running, start, start_with};
use crate::support::{Dir, in_time};

/// So many clients.
const CLIENTS: usize = 20;
/// So many requests of each.
const REQUESTS: usize = 10;

/// A short frame, masked with zeros as a client's must be masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("short");
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

fn text(request: &Value) -> Vec<u8> {
    frame(0x81, request.to_string().as_bytes())
}

fn close(code: u16) -> Vec<u8> {
    frame(0x88, &code.to_be_bytes())
}

/// How a client ends what it says.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Close,
    /// A FIN without a close frame.
    Fin,
    Both,
}

/// Sends requests and the end in one go; the ids that are answered, and how it was closed.
async fn say_last(client: &mut Client, ending: Ending) -> (Vec<u64>, Closed) {
    let mut bytes = Vec::new();
    for id in 0..REQUESTS {
        let resource = format!("{} {id}", client.session);
        bytes.extend(text(&json!({"id": id, "op": "issue", "resource": resource, "ticket": "t"})));
    }
    if matches!(ending, Ending::Close | Ending::Both) {
        bytes.extend(close(1000));
    }
    let stream = client.socket.get_mut();
    in_time(stream.write_all(&bytes)).await.expect("taken in");
    if matches!(ending, Ending::Fin | Ending::Both) {
        in_time(stream.shutdown()).await.expect("shut down");
    }
    let mut answered = Vec::new();
    loop {
        match client.next().await {
            Ok(answer) => answered.push(answer["id"].as_u64().expect("an answer")),
            Err(closed) => return (answered, closed),
        }
    }
}

async fn all_are_answered(server: &Running) {
    for ending in [Ending::Close, Ending::Fin, Ending::Both] {
        for _ in 0..CLIENTS {
            let mut client = server.open("s").await;
            let (answered, (code, why)) = say_last(&mut client, ending).await;
            assert_eq!(answered, (0..REQUESTS as u64).collect::<Vec<_>>(), "{ending:?}");
            match ending {
                Ending::Close | Ending::Both => assert_eq!((code, &*why), (1000, ""), "echoed"),
                Ending::Fin => assert_eq!(code, 0, "{why}"),
            }
            let (mut back, state) = server.resume(&client.session).await;
            assert_eq!(state["issued"].as_array().map(Vec::len), Some(REQUESTS), "carried out");
            back.ask(json!({"op": "bye"})).await;
        }
    }
}

#[tokio::test]
async fn what_is_asked_right_before_the_end_is_answered() {
    all_are_answered(&start().await).await;
}

#[tokio::test]
async fn what_is_asked_right_before_the_end_is_answered_when_it_is_kept() {
    let dir = Dir::new();
    let persistence =
        Some(PersistenceConfig { dir: dir.path().to_owned(), ..PersistenceConfig::default() });
    all_are_answered(&start_with(Config { persistence, ..Config::default() }).await).await;
}

/// A whole life in one packet.
#[tokio::test]
async fn a_hello_right_before_the_end_is_answered_too() {
    let server = start().await;
    for hello in [json!({"id": 1, "op": "hello"}), json!({"id": 1, "op": "hello", "ttl": 1})] {
        let mut client = server.connect().await;
        let bytes = [text(&hello), close(1001)].concat();
        in_time(client.socket.get_mut().write_all(&bytes)).await.expect("taken in");
        assert_eq!(client.next().await.expect("an answer")["id"], 1, "{hello}");
        assert_eq!(client.next().await.expect_err("closed").0, 1001, "{hello}");
    }
}

#[tokio::test]
async fn a_close_that_is_none_is_told_behind_the_answers() {
    let server = start().await;
    for bad in [frame(0x88, b"\x03"), frame(0x88, b"\x03\xe8\xff"), frame(0x08, b"")] {
        let mut client = server.open("s").await;
        let bytes = [text(&json!({"id": 7, "op": "beat"})), bad.clone()].concat();
        in_time(client.socket.get_mut().write_all(&bytes)).await.expect("taken in");
        assert_eq!(client.next().await.expect("an answer")["id"], 7, "{bad:?}");
        assert_eq!(client.next().await.expect_err("closed").0, 4503, "{bad:?}");
    }
}

/// The client closes and never reads: it is let go of all the same.
#[tokio::test]
async fn a_client_that_closes_without_a_word_is_forgotten() {
    let server = start().await;
    let client = server.open("s").await;
    drop(client);
    let mut stream = TcpStream::connect(server.0).await.expect("a connection");
    stream.write_all(b"GET /api/v1/ws HTTP/1.1\r\n").await.expect("sent");
    drop(stream);
    let none = async {
        while !server.rest("GET", "status").await.body.contains(r#""Sockets":0"#) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    in_time(none).await;
    // The close frame's head comes, and the rest never does.
    let mut client = server.open("s").await;
    let stream = client.socket.get_mut();
    stream.write_all(&close(1000)[..3]).await.expect("sent");
    let mut rest = Vec::new();
    in_time(stream.read_to_end(&mut rest)).await.expect("its end");
}
