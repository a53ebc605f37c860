//! A WebSocket over a connection that was upgraded. Its bytes are looked at as they pass, for two
//! things that the library does not tell: that a fragment has come, and that the client is about
//! to close. Once the library has read a close frame or the end of the line it writes nothing
//! more; so these are held back until what came before has been answered.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Sink, SinkExt, Stream, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

use crate::wire::socket::{FRAME_MAX_BYTES, HELLO_MAX_BYTES};

use super::frames::{Frames, Stop};
use super::gathered::Gathered;
use super::incoming::{Incoming, Outgoing, Socket};

/// What is read from a socket at a time, in bytes. A socket that is silent costs this much.
const READ_BYTES: usize = 1024;
/// What may wait in the library's write buffer, in bytes: it has control frames only.
const WRITE_MAX_BYTES: usize = 16 * 1024;

/// A socket of a client's.
#[derive(Debug)]
pub(crate) struct WebSocket<S>(WebSocketStream<FrameGate<S>>);

impl WebSocket<TokioIo<Upgraded>> {
    /// What a connection becomes, unless it is lost before.
    pub(crate) async fn upgraded(upgrade: OnUpgrade) -> Option<Box<Self>> {
        match upgrade.await {
            Ok(upgraded) => Some(Box::new(Self::over(TokioIo::new(upgraded)).await)),
            Err(why) => {
                tracing::debug!(%why, "not upgraded");
                None
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    pub(super) async fn over(stream: S) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_MAX_BYTES)
            .max_message_size(Some(FRAME_MAX_BYTES))
            .max_frame_size(Some(FRAME_MAX_BYTES));
        let line = FrameGate::new(stream, HELLO_MAX_BYTES as u64);
        Self(WebSocketStream::from_raw_socket(line, Role::Server, Some(config)).await)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Writes what was gathered, behind what the library had to say.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.get_mut().poll_written(cx).map_err(Error::Io)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Outgoing for WebSocket<S> {
    fn start_text(&mut self, json: &[u8]) -> Result<(), Error> {
        self.0.get_mut().gathered.text(json);
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket for WebSocket<S> {
    fn admit(&mut self) {
        self.0.get_mut().frames.unbound();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Incoming, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(came) = self.0.poll_next_unpin(cx) {
            return Poll::Ready(came.map(|came| came.map(Incoming::Frame)));
        }
        match self.0.get_mut().seen() {
            Some(seen) => Poll::Ready(Some(seen)),
            None => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Frame> for WebSocket<S> {
    type Error = Error;

    /// The library makes room, for a line wakes who wrote last: the reading hand writes, too, when
    /// it has pongs, and the library wakes both hands.
    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.0.get_ref().gathered.is_full() {
            ready!(self.0.poll_flush_unpin(cx))?;
        }
        self.0.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Frame) -> Result<(), Error> {
        self.0.start_send_unpin(frame)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.0.poll_flush_unpin(cx))?;
        self.poll_written(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.0.poll_close_unpin(cx))?;
        self.poll_written(cx)
    }
}

/// What passes.
#[derive(Debug)]
enum Passing {
    /// Whatever comes.
    All,
    /// Nothing: the client closes, and that has not been told yet.
    Closing,
    /// Nothing: something is too large, so many bytes.
    TooLarge(u64),
    /// Whatever comes, for it has been told that the client closes.
    Rest,
}

/// A connection whose bytes are looked at on their way in, and gathered on their way out: texts go
/// past the library, which makes two copies of each.
#[derive(Debug)]
struct FrameGate<S> {
    stream: S,
    gathered: Gathered,
    frames: Frames,
    passing: Passing,
    /// What was read and does not pass yet.
    held: Vec<u8>,
}

impl<S> FrameGate<S> {
    fn new(stream: S, max_bytes: u64) -> Self {
        let (frames, gathered) = (Frames::new(max_bytes), Gathered::default());
        Self { stream, gathered, frames, passing: Passing::All, held: Vec::new() }
    }

    /// What was seen of what does not come as a frame. After a close has been told it passes.
    fn seen(&mut self) -> Option<Result<Incoming, Error>> {
        if self.frames.take_fragment() {
            return Some(Ok(Incoming::Fragment));
        }
        match self.passing {
            Passing::All | Passing::Rest => None,
            Passing::Closing => {
                self.passing = Passing::Rest;
                Some(Ok(Incoming::Closing))
            }
            Passing::TooLarge(size) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                let max_size = HELLO_MAX_BYTES;
                Some(Err(Error::Capacity(CapacityError::MessageTooLong { size, max_size })))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameGate<S> {
    /// When nothing passes it is pending, and nobody is woken: [`FrameGate::seen`] is to be asked.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match this.passing {
            Passing::Closing | Passing::TooLarge(_) => return Poll::Pending,
            Passing::All => {}
            Passing::Rest if this.held.is_empty() => {
                return Pin::new(&mut this.stream).poll_read(cx, buf);
            }
            Passing::Rest => {
                let count = buf.remaining().min(this.held.len());
                buf.put_slice(&this.held[..count]);
                this.held.drain(..count);
                return Poll::Ready(Ok(()));
            }
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let came = &buf.filled()[before..];
        let at = if came.is_empty() {
            this.passing = Passing::Closing;
            0
        } else if let Some((at, stop)) = this.frames.follow(came) {
            this.passing = match stop {
                Stop::Close => Passing::Closing,
                Stop::TooLarge(size) => Passing::TooLarge(size),
            };
            this.held = came[at..].to_vec();
            at
        } else {
            return Poll::Ready(Ok(()));
        };
        // To read nothing means that the line has ended.
        if at == 0 {
            buf.set_filled(before);
            return Poll::Pending;
        }
        buf.set_filled(before + at);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> FrameGate<S> {
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.gathered.poll_write_to(&mut self.stream, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameGate<S> {
    /// Takes the library's frames whole or not at all, so that texts do not come in between. The
    /// library keeps frames only while this is full: else it has room for one more.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        frames: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.gathered.is_full() && self.poll_written(cx)?.is_pending() && self.gathered.is_full()
        {
            return Poll::Pending;
        }
        self.gathered.frames(frames);
        if let Poll::Ready(written) = self.poll_written(cx) {
            written?;
        }
        Poll::Ready(Ok(frames.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_written(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// Frames as a client sends them, masked with zeros.
    fn frame(first: u8, payload: &str) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[first, 0x80 | length, 0, 0, 0, 0], payload.as_bytes()].concat()
    }

    async fn open() -> (DuplexStream, WebSocket<DuplexStream>) {
        let (client, server) = duplex(1 << 20);
        (client, WebSocket::over(server).await)
    }

    async fn next(socket: &mut WebSocket<DuplexStream>) -> String {
        match socket.next().now_or_never() {
            None => "nothing".to_owned(),
            Some(None) => "end".to_owned(),
            Some(Some(Err(why))) => format!("error: {why}"),
            Some(Some(Ok(Incoming::Frame(Frame::Close(_))))) => "close".to_owned(),
            Some(Some(Ok(Incoming::Frame(frame)))) => frame.into_text().unwrap().to_string(),
            Some(Some(Ok(seen))) => format!("{seen:?}"),
        }
    }

    /// What came right before a close frame was read with it, and then could not be answered.
    #[tokio::test]
    async fn a_close_is_told_first_and_then_comes_and_can_be_answered_in_between() {
        let close = [&frame(0x88, "")[..], b"and more"].concat();
        let bytes = [frame(0x81, "a"), frame(0x81, "b"), close].concat();
        for at_a_time in [1, 3, bytes.len()] {
            let (mut client, mut socket) = open().await;
            let mut heard = Vec::new();
            for chunk in bytes.chunks(at_a_time) {
                client.write_all(chunk).await.unwrap();
                loop {
                    let came = next(&mut socket).await;
                    if came == "nothing" {
                        break;
                    }
                    heard.push(came.clone());
                    if came == "Closing" {
                        socket.send(Frame::text("answer")).await.unwrap();
                    }
                    if came == "end" {
                        break;
                    }
                }
            }
            assert_eq!(heard[..4], ["a", "b", "Closing", "close"], "{at_a_time} at a time");
            drop(socket);
            let mut said = Vec::new();
            client.read_to_end(&mut said).await.unwrap();
            assert_eq!(said, b"\x81\x06answer\x88\x00");
        }
    }

    #[tokio::test]
    async fn the_end_of_the_line_is_told_first_too() {
        let (mut client, mut socket) = open().await;
        client.write_all(&frame(0x81, "a")).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(next(&mut socket).await, "a");
        assert_eq!(next(&mut socket).await, "Closing");
        socket.send(Frame::text("answer")).await.unwrap();
        assert!(next(&mut socket).await.starts_with("error"));
        assert_eq!(next(&mut socket).await, "end");
        let mut said = [0; 8];
        client.read_exact(&mut said).await.unwrap();
        assert_eq!(said, *b"\x81\x06answer");
    }

    #[tokio::test]
    async fn fragments_are_told_as_they_come() {
        let (mut client, mut socket) = open().await;
        for (first, heard) in [(1, "Fragment"), (0, "Fragment"), (0x80, "aaa")] {
            client.write_all(&frame(first, "a")).await.unwrap();
            assert_eq!(next(&mut socket).await, heard);
            assert_eq!(next(&mut socket).await, "nothing");
        }
    }

    #[tokio::test]
    async fn what_is_too_large_for_a_hello_is_refused_until_admitted() {
        let head = [0x81, 0x80 | 126, 0x40, 0x01, 0, 0, 0, 0];
        let (mut client, mut socket) = open().await;
        client.write_all(&head).await.unwrap();
        assert!(next(&mut socket).await.starts_with("error: Space limit exceeded"));
        let (mut client, mut socket) = open().await;
        socket.admit();
        client.write_all(&head).await.unwrap();
        assert_eq!(next(&mut socket).await, "nothing");
        client.write_all(&[b'x'; 16 * 1024 + 1]).await.unwrap();
        assert_eq!(next(&mut socket).await.len(), 16 * 1024 + 1);
    }

    /// Texts and the library's own frames go by two ways into one line.
    #[tokio::test]
    async fn a_pong_does_not_come_amid_a_text_that_is_half_written() {
        for length in [300_u16, 5000] {
            let (mut client, server) = duplex(64);
            let mut socket = WebSocket::over(server).await;
            let text = "x".repeat(length.into());
            socket.start_text(text.as_bytes()).unwrap();
            assert!(socket.flush().now_or_never().is_none(), "the line is full");
            client.write_all(&frame(0x89, "hi")).await.unwrap();
            assert_eq!(next(&mut socket).await, "hi");
            assert_eq!(next(&mut socket).await, "nothing");
            let mut said = vec![0; 4 + text.len() + 4];
            let (flushed, read) = tokio::join!(socket.flush(), client.read_exact(&mut said));
            flushed.unwrap();
            read.unwrap();
            let head = [&[0x81, 126][..], &length.to_be_bytes()].concat();
            assert_eq!(said, [&head, text.as_bytes(), b"\x8a\x02hi"].concat());
        }
    }
}
