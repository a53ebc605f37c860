//! One socket: its handshake of one frame, its requests in, its answers and events out, its end.
//!
//! Reading and writing go on side by side in one task, so that a client that does not read is
//! still heard, up to the outbox's bounds. Generic over the socket: tests use channels.

mod frames;
mod line;
mod writer;

pub(crate) use line::WebSocket;

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message as Frame, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use crate::driver::{Asked, Connection, Driver, NotAttached, Unavailable};
use crate::machine::{Command, Refusal, SessionId, WaitOrigin, WaitRequest, WaitTimeout};
use crate::wire::socket::{self as wire, Hello, Op, Request, Who, close};
use crate::wire::{Code, Problem};

use super::guard::Visit;
use super::strangers::Stranger;
use writer::write_all;

/// How long a socket may take to say `hello`.
const HELLO_MAX: Duration = Duration::from_secs(5);
/// How long a write may be stuck.
const STUCK_MAX: Duration = Duration::from_secs(5);
/// How long a client that closes may be answered what it asked before.
const CLOSING_MAX: Duration = Duration::from_secs(5);
/// How long the last frame may take to be written.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// How long the rest of a client's close, and the answer to it, may take.
const CLOSE_MAX: Duration = Duration::from_millis(100);
/// So many refused hellos are enough.
const HELLOS_MAX: usize = 10;
/// Most requests that are carried out under one lock.
const BATCH_MAX: usize = 64;

/// Why a socket ends, as its client is told; `None` when it cannot be told.
type End = Option<(u16, &'static str)>;

/// What comes by a socket.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A whole message, or a frame of the protocol's own.
    Frame(Frame),
    /// A piece of a message that is not whole yet.
    Fragment,
    /// The client says no more: what comes next is its close, or the end of the line, and after
    /// that it cannot be told anything.
    Closing,
}

/// A client's socket.
pub(crate) trait Socket:
    Stream<Item = Result<Incoming, <Self as Sink<Frame>>::Error>>
    + Sink<Frame, Error: Error + 'static>
    + Unpin
{
    /// The client is welcome: from now on its frames may be as large as any.
    fn admit(&mut self);
}

/// What a connection needs to know beside its socket.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) driver: Driver,
    /// The address that the socket comes from.
    pub(crate) source: Box<str>,
    /// Cancelled when the server is to stop.
    pub(crate) stopping: CancellationToken,
    /// Dropped when the socket has said `hello`.
    pub(crate) nameless: Option<Stranger>,
    /// The connection, as far as it counts against its address.
    pub(crate) visit: Option<Arc<Visit>>,
}

impl Context {
    fn may_ask(&self) -> bool {
        self.visit.as_ref().is_none_or(|visit| visit.may_ask())
    }

    fn may_speak(&self, session: Option<&SessionId>) -> bool {
        self.visit.as_ref().is_none_or(|visit| visit.may_speak(session))
    }
}

/// Serves a socket until it ends. It comes on the heap: a future keeps room for whatever it was
/// ever given.
pub(crate) async fn serve<S: Socket>(mut socket: Box<S>, mut context: Context) {
    let end = match Box::pin(say_hello(&mut *socket, &context)).await {
        Ok((connection, beat)) => {
            context.nameless = None;
            let seat = context.visit.as_ref().and_then(|visit| visit.sit(connection.session()));
            socket.admit();
            let (mut sink, mut stream) = socket.split();
            let end = tokio::select! {
                () = read_all(&mut stream, &connection, &context, beat) => None,
                end = write_all(&mut sink, &connection, beat) => end,
            };
            drop((connection, seat));
            let Ok(whole) = sink.reunite(stream) else { return };
            socket = whole;
            end
        }
        Err(end) => end,
    };
    Box::pin(close(&mut *socket, end, &context)).await;
}

/// Tells a socket why it ends, or answers its client's own close.
async fn close<S: Socket>(socket: &mut S, end: End, context: &Context) {
    let end = match end {
        None => match timeout(CLOSE_MAX, socket.next()).await {
            Ok(Some(Err(why))) => end_of_error(&why),
            _ => None,
        },
        told => told,
    };
    tracing::debug!(peer = context.source, code = end.map(|(code, _)| code), "socket ended");
    if let Some((code, reason)) = end {
        let frame = Frame::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }));
        // What comes after is read and discarded by the connection below, for a while.
        let _ = timeout(FAREWELL_MAX, socket.send(frame)).await;
    }
    let _ = timeout(CLOSE_MAX, socket.close()).await;
}

/// Waits for a `hello` that is accepted.
async fn say_hello<S: Socket>(
    socket: &mut S,
    context: &Context,
) -> Result<(Connection, bool), End> {
    let mut deadline = pin!(sleep(HELLO_MAX));
    for _ in 0..HELLOS_MAX {
        let text = tokio::select! {
            () = &mut deadline => return Err(Some((close::NO_HELLO, "no hello"))),
            () = context.stopping.cancelled() => {
                return Err(Some((close::GOING_AWAY, "going away")));
            }
            text = next_text(socket) => text?,
        };
        if !context.may_ask() {
            return Err(Some((close::RATE, "too many requests")));
        }
        let Ok(Request { id, is_hello, op }) = wire::read(&text) else {
            return Err(Some((close::PROTOCOL, "not a JSON object")));
        };
        let problem = match op {
            Ok(Op::Hello(hello)) => match greet(context, id, hello).await? {
                Ok(connected) => return Ok(connected),
                Err(problem) => problem,
            },
            Err(problem) if is_hello => problem,
            Ok(_) | Err(_) => return Err(Some((close::NO_HELLO, "hello first"))),
        };
        let answer = wire::answer_error(id, &problem);
        match timeout(STUCK_MAX, socket.send(Frame::text(answer))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(None),
            Err(_) => return Err(Some((close::TOO_SLOW, "too slow"))),
        }
    }
    Err(Some((close::NO_HELLO, "too many refused hellos")))
}

async fn next_text<S: Socket>(socket: &mut S) -> Result<Utf8Bytes, End> {
    loop {
        if let Heard::Text(text) = heard(socket.next().await)? {
            return Ok(text);
        }
    }
}

async fn greet(
    context: &Context,
    id: Option<u64>,
    hello: Hello,
) -> Result<Result<(Connection, bool), Problem>, End> {
    let Hello { beat, who } = hello;
    let known = match &who {
        Who::New { .. } => None,
        Who::Known { session, .. } => session.as_ref(),
    };
    if !context.may_speak(known) {
        return Err(Some((close::TOO_MANY, "too many connections")));
    }
    let (session, attempt) = match who {
        Who::New { name, ttl } => {
            let connected = context.driver.connect(id, name, ttl, context.source.clone());
            return Ok(connected.map(|connection| (connection, beat)).map_err(unavailable));
        }
        Who::Known { session, attempt } => (session, attempt),
    };
    let Some(session) = session else { return Ok(Err(Refusal::SessionNotFound.into())) };
    match context.driver.reconnect(id, session, attempt) {
        Ok(connection) => Ok(Ok((connection, beat))),
        Err(NotAttached::Overtaken) => Err(Some((close::REPLACED, "replaced"))),
        Err(NotAttached::NotFound(stamp)) => match context.driver.may_say(stamp).await {
            Ok(()) => Ok(Err(Refusal::SessionNotFound.into())),
            Err(why) => Ok(Err(unavailable(why))),
        },
        Err(NotAttached::Unavailable(why)) => Ok(Err(unavailable(why))),
    }
}

fn unavailable(why: Unavailable) -> Problem {
    Problem::new(Code::Unavailable, why.to_string())
}

/// What was heard of a client.
enum Heard {
    Text(Utf8Bytes),
    /// It lives.
    Life,
    /// It, or what answers for it, lives.
    Pong,
    Closing,
}

fn heard<E: Error + 'static>(came: Option<Result<Incoming, E>>) -> Result<Heard, End> {
    Ok(match came {
        Some(Ok(Incoming::Frame(Frame::Text(text)))) => Heard::Text(text),
        Some(Ok(Incoming::Frame(Frame::Pong(_)))) => Heard::Pong,
        Some(Ok(Incoming::Frame(Frame::Binary(_)))) => {
            return Err(Some((close::PROTOCOL, "binary frame")));
        }
        Some(Ok(Incoming::Frame(Frame::Ping(_) | Frame::Frame(_)) | Incoming::Fragment)) => {
            Heard::Life
        }
        Some(Ok(Incoming::Closing)) => Heard::Closing,
        Some(Ok(Incoming::Frame(Frame::Close(_)))) | None => return Err(None),
        Some(Err(why)) => return Err(end_of_error(&why)),
    })
}

/// What a client is told of an error of its own making; `None` when the line is cut.
fn end_of_error(why: &(dyn Error + 'static)) -> End {
    let mut cause = Some(why);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<tungstenite::Error>() {
            return match error {
                tungstenite::Error::Capacity(_) => Some((close::TOO_LARGE, "frame too large")),
                tungstenite::Error::Utf8(_) => Some((close::PROTOCOL, "not UTF-8")),
                tungstenite::Error::Protocol(
                    tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                ) => None,
                tungstenite::Error::Protocol(_) => Some((close::PROTOCOL, "protocol error")),
                _ => None,
            };
        }
        cause = error.source();
    }
    None
}

/// Why nothing more is read.
enum Last {
    /// The line is cut.
    Cut,
    /// The client closes.
    Closing,
    /// It said what it may not; the close code and what to say of it.
    Fault(u16, &'static str),
}

/// Reads requests until the line is cut. After a fault it waits to be ended by the writer, and so
/// it does, for a while, when the client closes.
async fn read_all<T, E>(stream: &mut T, connection: &Connection, context: &Context, beat: bool)
where
    T: Stream<Item = Result<Incoming, E>> + Unpin,
    E: Error + 'static,
{
    let mut batch = Vec::new();
    loop {
        connection.outbox().room().await;
        let mut came = stream.next().await;
        let (mut last, mut lives) = (None, false);
        loop {
            match heard(came) {
                Ok(Heard::Text(_)) if !context.may_ask() => {
                    last = Some(Last::Fault(close::RATE, "too many requests"));
                }
                Ok(Heard::Text(text)) => match wire::read(&text) {
                    Ok(request) => batch.push(asked(connection.session(), request)),
                    Err(_) => last = Some(Last::Fault(close::PROTOCOL, "not a JSON object")),
                },
                Ok(Heard::Life) => lives = true,
                Ok(Heard::Pong) => lives |= !beat,
                Ok(Heard::Closing) => last = Some(Last::Closing),
                Err(None) => last = Some(Last::Cut),
                Err(Some((code, reason))) => last = Some(Last::Fault(code, reason)),
            }
            // Whoever asks for the whole state or leaves is not read on from at once.
            let pause = matches!(batch.last(), Some((_, Asked::State | Asked::Bye)));
            if last.is_some() || pause || batch.len() >= BATCH_MAX {
                break;
            }
            match stream.next().now_or_never() {
                Some(next) => came = next,
                None => break,
            }
        }
        if batch.is_empty() {
            if lives {
                connection.heard();
            }
        } else if !connection.ask(batch.drain(..)) {
            // The writer finds out why.
            return std::future::pending().await;
        }
        if batch.capacity() > BATCH_MAX / 8 {
            batch = Vec::new();
        }
        match last {
            None => {}
            Some(Last::Cut) => return,
            Some(Last::Closing) => {
                connection.closing();
                return sleep(CLOSING_MAX).await;
            }
            Some(Last::Fault(code, reason)) => {
                connection.fault(code, reason);
                return std::future::pending().await;
            }
        }
    }
}

/// What a request asks of the session.
fn asked(session: SessionId, request: Request) -> (Option<u64>, Asked) {
    let by_socket = true;
    let wait_request = |wait: Option<WaitTimeout>| {
        wait.map(|timeout| WaitRequest { origin: WaitOrigin::Socket, timeout })
    };
    let command = match request.op {
        Err(problem) if problem.code == Code::TooLarge => {
            return (request.id, Asked::TooLarge(problem.detail));
        }
        Err(problem) => return (request.id, Asked::Bad(problem.detail)),
        Ok(Op::Hello(_)) => {
            return (request.id, Asked::Bad("this socket has said hello already".to_owned()));
        }
        Ok(Op::Beat) => return (request.id, Asked::Beat),
        Ok(Op::Session) => return (request.id, Asked::State),
        Ok(Op::Bye) => return (request.id, Asked::Bye),
        Ok(Op::Lock { resource, wait }) => {
            Command::Lock { session, resource, wait_request: wait_request(wait) }
        }
        Ok(Op::Unlock { resource, fence }) => {
            Command::Unlock { session, resource, fence, by_socket }
        }
        Ok(Op::Claim { resource, ticket, wait }) => Command::Claim {
            session,
            resource,
            ticket,
            wait_request: wait_request(wait),
            again: false,
        },
        Ok(Op::Release { resource, ticket, fence }) => {
            Command::Release { session, resource, ticket, fence, by_socket }
        }
        Ok(Op::Issue { resource, ticket, data, notify }) => {
            Command::Issue { session, resource, ticket, data, notify }
        }
        Ok(Op::Revoke { resource, ticket }) => Command::Revoke { session, resource, ticket },
        Ok(Op::Cancel { wait }) => Command::Cancel { session, wait },
        Ok(Op::Watch { resource, changes }) => Command::Watch { session, resource, changes },
        Ok(Op::Unwatch { resource }) => Command::Unwatch { session, resource },
    };
    (request.id, Asked::Command(command))
}
