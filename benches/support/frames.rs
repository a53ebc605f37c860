//! WebSockets at little cost to the load's processor: frames are bytes made beforehand, masked with
//! zeros, which change nothing; answers are hardly looked at.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use futures::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream as TcpStreamAsync;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{Outcome, now};

const PATIENCE: Duration = Duration::from_secs(20);
const TEXT: u8 = 1;
const PING: u8 = 9;
const PONG: u8 = 10;
/// What every answer begins with, and no event.
const ANSWER: &[u8] = b"{\"id\":";

/// A request as a client sends it.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    client_frame(TEXT, text.as_bytes())
}

fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..126), _) => frame.push(0x80 | short),
        (_, Ok(long)) => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&long.to_be_bytes());
        }
        _ => panic!("no benchmark sends as much as that"),
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// A whole frame at the start of `bytes`: its opcode, where its payload begins and where it ends.
fn extent(bytes: &[u8]) -> Outcome<Option<(u8, usize, usize)>> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    let (begin, length) = match (second, rest) {
        (short @ 0..126, _) => (2, usize::from(short)),
        (126, &[high, low, ..]) => (4, usize::from(u16::from_be_bytes([high, low]))),
        (126, _) => return Ok(None),
        _ => return Err("a frame is longer than any that was asked for".into()),
    };
    let end = begin + length;
    Ok((bytes.len() >= end).then_some((first & 0x0f, begin, end)))
}

/// A socket of a session.
#[derive(Debug)]
pub(crate) struct Socket<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

impl Socket {
    /// Connects and says hello. Whoever only echoes is not told from the real thing.
    pub(crate) fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Self::over(stream, address)
    }

    /// Answers the heartbeats that have come, without waiting for any.
    pub(crate) fn answer_heartbeats(&mut self) -> Outcome {
        self.stream.set_nonblocking(true)?;
        let read = self.read_more();
        self.stream.set_nonblocking(false)?;
        match read {
            Ok(()) => {}
            Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(why) => return Err(why.into()),
        }
        while let Some((opcode, begin, end)) = extent(&self.buffer)? {
            self.take_frame(opcode, begin, end)?;
        }
        Ok(())
    }
}

impl<S: Read + Write> Socket<S> {
    /// Says hello by a stream.
    pub(crate) fn over(stream: S, address: SocketAddr) -> Outcome<Self> {
        let mut socket = Self { stream, buffer: Vec::new() };
        socket.stream.write_all(
            format!(
                "GET /api/v1/ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\n\
                 upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                 sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 sec-websocket-protocol: ticketd.v1\r\n\r\n"
            )
            .as_bytes(),
        )?;
        let end = loop {
            if let Some(end) = socket.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            socket.read_more()?;
        };
        let head = String::from_utf8_lossy(&socket.buffer[..end]).into_owned();
        if !head.starts_with("HTTP/1.1 101 ") {
            return Err(format!("no socket but {head:?}").into());
        }
        socket.buffer.drain(..end);
        // The longest TTL has the fewest heartbeats.
        socket.send(&frame(r#"{"id":0,"op":"hello","name":"worker","ttl":86400000}"#))?;
        socket.until("{\"id\":0,")?;
        Ok(socket)
    }

    /// Sends frames as they are.
    pub(crate) fn send(&mut self, frames: &[u8]) -> Outcome {
        Ok(self.stream.write_all(frames)?)
    }

    /// Reads until a text begins with `start`. What else comes is passed over.
    pub(crate) fn until(&mut self, start: &str) -> Outcome {
        loop {
            while let Some((opcode, begin, end)) = extent(&self.buffer)? {
                let found = opcode == TEXT && self.buffer[begin..end].starts_with(start.as_bytes());
                self.take_frame(opcode, begin, end)?;
                if found {
                    self.buffer.shrink_to(0);
                    return Ok(());
                }
            }
            self.read_more()?;
        }
    }

    fn take_frame(&mut self, opcode: u8, begin: usize, end: usize) -> Outcome {
        let payload: Vec<u8> = self.buffer.drain(..end).skip(begin).collect();
        check(opcode, &payload)?;
        if opcode == PING {
            self.send(&client_frame(PONG, &payload))?;
        }
        Ok(())
    }

    fn read_more(&mut self) -> std::io::Result<()> {
        let mut piece = [0; 16 * 1024];
        let read = self.stream.read(&mut piece)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.buffer.extend_from_slice(&piece[..read]);
        Ok(())
    }
}

/// Takes note of a close or a refusal.
fn check(opcode: u8, payload: &[u8]) -> Outcome {
    let refusal = b"\"error\":";
    let refused = payload.windows(refusal.len()).any(|piece| piece == refusal);
    if matches!(opcode, TEXT | PING | PONG) && !refused {
        return Ok(());
    }
    Err(format!("a socket got {opcode}, {:?}", String::from_utf8_lossy(payload)).into())
}

/// Who makes the load.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    /// One that costs less than any server: the server is what is measured.
    Light,
    /// One as programs have it, tokio-tungstenite.
    Usual,
}

/// How a load goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) client: Client,
    /// Requests that each socket keeps under way.
    pub(crate) in_flight: usize,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
}

impl Load {
    /// Puts it on a server; each socket sends the texts of its round. Answers per second.
    pub(crate) fn run(self, address: SocketAddr, rounds: &[Vec<String>]) -> Outcome<f64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut sockets = Vec::new();
        for texts in rounds {
            let Socket { stream, buffer } = Socket::open(address)?;
            if !buffer.is_empty() {
                return Err("a socket was told more than it asked for".into());
            }
            stream.set_nonblocking(true)?;
            sockets.push((stream, texts.clone()));
        }
        runtime.block_on(async {
            let begin = now() + self.warm_up;
            let span = Span { begin, end: begin + self.length };
            let mut tasks = tokio::task::JoinSet::new();
            for (stream, texts) in sockets {
                let stream = tokio::net::TcpStream::from_std(stream)?;
                match self.client {
                    Client::Light => tasks.spawn(ask_lightly(stream, texts, self.in_flight, span)),
                    Client::Usual => tasks.spawn(ask(stream, texts, self.in_flight, span)),
                };
            }
            let mut answers = 0;
            while let Some(counted) = tasks.join_next().await {
                answers += counted??;
            }
            Ok(f64::from(answers) / self.length.as_secs_f64())
        })
    }
}

/// The time in which answers count.
#[derive(Clone, Copy, Debug)]
struct Span {
    begin: Instant,
    end: Instant,
}

/// How many of the answers on one socket came in the span.
async fn ask_lightly(
    mut stream: TcpStreamAsync,
    texts: Vec<String>,
    in_flight: usize,
    span: Span,
) -> Outcome<u32> {
    let requests: Vec<_> = texts.iter().map(|text| frame(text)).collect();
    let mut requests = requests.iter().cycle();
    let mut outgoing: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let (mut filled, mut counted, mut asked) = (0, 0, in_flight);
    loop {
        for request in requests.by_ref().take(asked) {
            outgoing.extend_from_slice(request);
        }
        stream.write_all(&outgoing).await?;
        outgoing.clear();
        asked = 0;
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err("a server hung up".into());
        }
        filled += read;
        let mut at = 0;
        while let Some((opcode, begin, end)) = extent(&buffer[at..filled])? {
            let payload = &buffer[at + begin..at + end];
            check(opcode, payload)?;
            if opcode == PING {
                outgoing.extend(client_frame(PONG, payload));
            }
            asked += usize::from(opcode == TEXT && payload.starts_with(ANSWER));
            at += end;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        let now = now();
        if now >= span.end {
            return Ok(counted);
        }
        if now >= span.begin {
            counted += u32::try_from(asked)?;
        }
    }
}

/// The same by tokio-tungstenite.
async fn ask(
    stream: TcpStreamAsync,
    texts: Vec<String>,
    in_flight: usize,
    span: Span,
) -> Outcome<u32> {
    let texts: Vec<_> = texts.iter().map(Message::text).collect();
    let mut requests = texts.iter().cycle();
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    let (mut counted, mut asked) = (0, in_flight);
    loop {
        for request in requests.by_ref().take(asked) {
            socket.feed(request.clone()).await?;
        }
        socket.flush().await?;
        asked = 0;
        let mut next = socket.next().await;
        while let Some(message) = next {
            if let Message::Text(text) = message? {
                check(TEXT, text.as_bytes())?;
                asked += usize::from(text.as_bytes().starts_with(ANSWER));
            }
            next = socket.next().now_or_never().flatten();
        }
        let now = now();
        if now >= span.end {
            return Ok(counted);
        }
        if now >= span.begin {
            counted += u32::try_from(asked)?;
        }
    }
}
