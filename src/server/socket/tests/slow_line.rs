//! The handler over a line of bytes that takes few at a time.

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::io::{DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::server::socket::stream::WebSocket;

/// So many bytes the line takes.
const LINE_BYTES: usize = 64;

type Client = WebSocketStream<DuplexStream>;

/// A client that has said hello, in its two hands.
async fn client() -> (SplitSink<Client, Frame>, SplitStream<Client>) {
    let driver = driver();
    let (client, server) = duplex(LINE_BYTES);
    let socket = Box::new(WebSocket::over(server).await);
    tokio::spawn(async move { serve(socket, context(&driver)).await });
    let client = Client::from_raw_socket(client, Role::Client, None).await;
    let (mut to, mut from) = client.split();
    let hello = json!({"id": 0, "op": "hello", "ttl": 60_000});
    to.send(Frame::text(hello.to_string())).await.unwrap();
    from.next().await.expect("an answer").unwrap();
    (to, from)
}

/// The next text, or the code that the socket is closed with.
async fn hear(from: &mut SplitStream<Client>) -> Result<Value, u16> {
    loop {
        match from.next().await {
            Some(Ok(Frame::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Frame::Close(Some(close)))) => return Err(close.code.into()),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(1006),
        }
    }
}

/// A pong that is still to be written has the reading hand write, too: it must not take the line
/// from the writing hand, which would not hear then that the line takes more.
#[tokio::test(start_paused = true)]
async fn who_pings_and_reads_slowly_is_told_all_as_soon_as_it_reads() {
    const REQUESTS: u64 = 1500;
    for burst in 0..20 {
        let (mut to, mut from) = client().await;
        let asking = tokio::spawn(async move {
            for id in 1..=REQUESTS {
                if id % 100 == 1 {
                    to.send(Frame::Ping(vec![].into())).await.unwrap();
                }
                let beat = json!({"id": id, "op": "beat"});
                to.send(Frame::text(beat.to_string())).await.unwrap();
            }
        });
        sleep(Duration::from_millis(burst)).await;
        let start = now();
        for id in 1..=REQUESTS {
            if burst > 0 && id % burst == 0 {
                settle().await;
            }
            assert_eq!(hear(&mut from).await.map(|answer| answer["id"].clone()), Ok(json!(id)));
        }
        let took = ms_since(start);
        assert!(took < 2000, "{burst} at a time: {took} ms");
        asking.await.unwrap();
    }
}

/// Whoever pings and reads nothing is told why it is cut, when it reads at last. The pings are more
/// than the server keeps room for, and fill it to the last byte.
#[tokio::test(start_paused = true)]
async fn who_floods_and_does_not_read_is_cut_with_4001() {
    let (mut to, mut from) = client().await;
    for (pings, bytes) in [(400, 100), (100, 0)] {
        for _ in 0..pings {
            to.send(Frame::Ping(vec![b'?'; bytes].into())).await.unwrap();
        }
    }
    to.send(Frame::text(r#"{"id":1,"op":"beat"}"#)).await.unwrap();
    sleep(Duration::from_millis(5500)).await;
    assert_eq!(hear(&mut from).await, Err(4001));
}
