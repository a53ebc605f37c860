//! One socket: its handshake of one frame, its requests in, its answers and events out, its end.
//!
//! Reading and writing go on side by side in one task, so that a client that does not read is
//! still heard, up to the outbox's bounds. Generic over the socket: tests use channels.

mod writer;

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message as Frame};
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;

use crate::driver::{Asked, Connection, Driver, NotAttached, Unavailable};
use crate::machine::{Ask, Command, Length, Refusal, SessionId, Way};
use crate::wire::socket::{self as wire, Hello, Op, Request, Who, close};
use crate::wire::{Code, Problem};

use super::guard::Visit;
use super::upgrade::Counted;
use writer::write_all;

/// How long a socket may take to say `hello`.
const HELLO_MAX: Duration = Duration::from_secs(5);
/// How long a write may be stuck.
const STUCK_MAX: Duration = Duration::from_secs(5);
/// How long the last frame may take to be written.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// Most requests that are carried out under one lock.
const BATCH_MAX: usize = 64;

/// Why a socket ends, as its client is told; `None` when it cannot be told.
type End = Option<(u16, &'static str)>;

/// What a connection needs to know beside its socket.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) driver: Driver,
    /// The address that the socket comes from.
    pub(crate) source: Box<str>,
    /// Cancelled when the server is to stop.
    pub(crate) stopping: CancellationToken,
    /// Dropped when the socket has said `hello`.
    pub(crate) nameless: Option<Counted>,
    /// The connection, as far as it counts against its address.
    pub(crate) visit: Option<Arc<Visit>>,
}

impl Context {
    fn may_ask(&self) -> bool {
        self.visit.as_ref().is_none_or(|visit| visit.may_ask())
    }

    fn is_too_many(&self) -> bool {
        self.visit.as_ref().is_some_and(|visit| visit.is_too_many())
    }
}

/// Serves a socket until it ends. The socket goes on the heap before the future begins: a future
/// keeps room for whatever it was ever given.
pub(crate) fn serve<S, E>(socket: S, context: Context) -> impl Future<Output = ()>
where
    S: Stream<Item = Result<Frame, E>> + Sink<Frame, Error = E> + Unpin,
    E: Error + 'static,
{
    serve_boxed(Box::new(socket), context)
}

async fn serve_boxed<S, E>(mut socket: Box<S>, mut context: Context)
where
    S: Stream<Item = Result<Frame, E>> + Sink<Frame, Error = E> + Unpin,
    E: Error + 'static,
{
    let end = match Box::pin(say_hello(&mut socket, &context)).await {
        Ok((connection, beat)) => {
            context.nameless = None;
            let (mut sink, mut stream) = socket.split();
            let end = tokio::select! {
                () = read_all(&mut stream, &connection, &context, beat) => None,
                end = write_all(&mut sink, &connection, beat) => end,
            };
            drop(connection);
            let Ok(whole) = sink.reunite(stream) else { return };
            socket = whole;
            end
        }
        Err(end) => end,
    };
    tracing::debug!(peer = context.source, code = end.map(|(code, _)| code), "socket ended");
    if let Some((code, reason)) = end {
        let frame = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
        // What comes after is read and discarded by the connection below, for a while.
        let _ = timeout(FAREWELL_MAX, socket.send(frame)).await;
    }
    let _ = timeout(Duration::from_millis(100), socket.close()).await;
}

/// Waits for a `hello` that is accepted.
async fn say_hello<S, E>(socket: &mut S, context: &Context) -> Result<(Connection, bool), End>
where
    S: Stream<Item = Result<Frame, E>> + Sink<Frame, Error = E> + Unpin,
    E: Error + 'static,
{
    if context.is_too_many() {
        return Err(Some((close::TOO_MANY, "too many connections")));
    }
    let mut deadline = pin!(tokio::time::sleep(HELLO_MAX));
    loop {
        let frame = tokio::select! {
            () = &mut deadline => return Err(Some((close::NO_HELLO, "no hello"))),
            () = context.stopping.cancelled() => {
                return Err(Some((close::GOING_AWAY, "going away")));
            }
            frame = socket.next() => frame,
        };
        let Some(text) = text_of(frame)? else { continue };
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
}

async fn greet(
    context: &Context,
    id: Option<u64>,
    hello: Hello,
) -> Result<Result<(Connection, bool), Problem>, End> {
    let Hello { beat, who } = hello;
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

/// The text of a frame that has one; `None` for pings and pongs.
fn text_of<E: Error + 'static>(
    frame: Option<Result<Frame, E>>,
) -> Result<Option<axum::extract::ws::Utf8Bytes>, End> {
    match frame {
        Some(Ok(Frame::Text(text))) => Ok(Some(text)),
        Some(Ok(Frame::Ping(_) | Frame::Pong(_))) => Ok(None),
        Some(Ok(Frame::Binary(_))) => Err(Some((close::PROTOCOL, "binary frame"))),
        Some(Ok(Frame::Close(_))) | None => Err(None),
        Some(Err(why)) => Err(end_of_error(&why)),
    }
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

/// Reads requests until the line is cut. After a fault it waits to be ended by the writer.
async fn read_all<T, E>(stream: &mut T, connection: &Connection, context: &Context, beat: bool)
where
    T: Stream<Item = Result<Frame, E>> + Unpin,
    E: Error + 'static,
{
    let mut batch = Vec::new();
    loop {
        connection.outbox().room().await;
        let mut frame = stream.next().await;
        let mut end = None;
        let mut heard = false;
        loop {
            let pong = matches!(frame, Some(Ok(Frame::Pong(_))));
            match text_of(frame) {
                Ok(Some(_)) if !context.may_ask() => {
                    end = Some(Some((close::RATE, "too many requests")));
                }
                Ok(Some(text)) => match wire::read(&text) {
                    Ok(request) => batch.push(asked(connection.session(), request)),
                    Err(_) => end = Some(Some((close::PROTOCOL, "not a JSON object"))),
                },
                Ok(None) => heard |= !(beat && pong),
                Err(why) => end = Some(why),
            }
            // Whoever asks for the whole state or leaves is not read on from at once.
            let pause = matches!(batch.last(), Some((_, Asked::State | Asked::Bye)));
            if end.is_some() || pause || batch.len() >= BATCH_MAX {
                break;
            }
            match stream.next().now_or_never() {
                Some(next) => frame = next,
                None => break,
            }
        }
        if batch.is_empty() {
            if heard {
                connection.heard();
            }
        } else if !connection.ask(batch.drain(..)) {
            // The writer finds out why.
            return std::future::pending().await;
        }
        if batch.capacity() > BATCH_MAX / 8 {
            batch = Vec::new();
        }
        match end {
            None => {}
            Some(None) => return,
            Some(Some((code, reason))) => {
                connection.fault(code, reason);
                return std::future::pending().await;
            }
        }
    }
}

/// What a request asks of the session.
fn asked(session: SessionId, request: Request) -> (Option<u64>, Asked) {
    let by_socket = true;
    let ask = |wait: Option<Length>| wait.map(|length| Ask { way: Way::Socket, length });
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
        Ok(Op::Lock { resource, wait }) => Command::Lock { session, resource, ask: ask(wait) },
        Ok(Op::Unlock { resource, fence }) => {
            Command::Unlock { session, resource, fence, by_socket }
        }
        Ok(Op::Claim { resource, ticket, wait }) => {
            Command::Claim { session, resource, ticket, ask: ask(wait), again: false }
        }
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
