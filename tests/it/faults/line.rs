//! One socket as a client has it: frames out, frames in, and how it ended.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::in_time;

/// A socket that lives as long as the line does.
pub(crate) struct Line {
    pub(crate) socket: WebSocketStream<TcpStream>,
    /// Events that came while an answer was awaited.
    pub(crate) events: VecDeque<Value>,
    last_id: u64,
}

/// What came in.
#[derive(Debug)]
pub(crate) enum Heard {
    Json(Value),
    /// A close frame with its code.
    Closed(u16),
    /// The line is cut, or was closed without a word.
    Cut,
}

impl Line {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address).await?).await
    }

    /// The handshake over a connection.
    pub(crate) async fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let url = format!("ws://{}/api/v1/ws", stream.peer_addr()?);
        let (socket, _) = client_async(url, stream).await.map_err(io::Error::other)?;
        Ok(Self { socket, events: VecDeque::new(), last_id: 0 })
    }

    /// A new session on a new socket; its id.
    pub(crate) async fn open(address: SocketAddr, name: &str) -> (Self, String) {
        let mut line = in_time(Self::connect(address)).await.expect("a socket");
        let session = line.greet(name).await;
        (line, session)
    }

    /// Says hello for a new session; its id.
    pub(crate) async fn greet(&mut self, name: &str) -> String {
        let hello = json!({"op": "hello", "name": name, "ttl": 600_000});
        let state = self.ask(hello).await.expect("a session");
        state["session"].as_str().expect("an id").to_owned()
    }

    /// Sends a frame. Nobody knows whether it arrives.
    pub(crate) async fn send(&mut self, text: String) -> io::Result<()> {
        self.socket.send(Message::text(text)).await.map_err(io::Error::other)
    }

    /// Puts frames on their way without flushing each.
    pub(crate) async fn feed(&mut self, text: String) -> io::Result<()> {
        self.socket.feed(Message::text(text)).await.map_err(io::Error::other)
    }

    /// The next frame that is not of the protocol's own.
    pub(crate) async fn hear(&mut self) -> Heard {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let value = serde_json::from_str(&text);
                    return Heard::Json(value.unwrap_or_else(|why| panic!("{why}: {text}")));
                }
                Some(Ok(Message::Close(Some(frame)))) => return Heard::Closed(frame.code.into()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(frame)) => panic!("unexpected {frame:?}"),
                Some(Err(_)) | None => return Heard::Cut,
            }
        }
    }

    /// Asks and waits for the answer: its `ok`, or its error's code. Events are kept.
    pub(crate) async fn ask(&mut self, mut request: Value) -> Result<Value, String> {
        self.last_id += 1;
        request["id"] = self.last_id.into();
        self.send(request.to_string()).await.expect("sent");
        loop {
            match in_time(self.hear()).await {
                Heard::Json(value) if value.get("event").is_some() => self.events.push_back(value),
                Heard::Json(mut value) => {
                    assert_eq!(value["id"], self.last_id, "{value}");
                    return match value["error"]["code"].as_str() {
                        Some(code) => Err(code.to_owned()),
                        None => Ok(value["ok"].take()),
                    };
                }
                end => panic!("{end:?} instead of an answer to {request}"),
            }
        }
    }

    /// Reads on until the end; the code that it was closed with, if it was.
    pub(crate) async fn end(&mut self) -> Option<u16> {
        loop {
            match in_time(self.hear()).await {
                Heard::Json(_) => {}
                Heard::Closed(code) => return Some(code),
                Heard::Cut => return None,
            }
        }
    }
}
