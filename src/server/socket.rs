//! One socket: its handshake of one frame, its requests in, its answers and events out, its end.
//!
//! Reading and writing go on side by side in one task, so that a client that does not read is
//! still heard, up to the outbox's bounds. Generic over the socket: tests use channels.

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message as Frame};
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;

use crate::driver::{
    Answered, Asked, Connection, Driver, Ending, LevelEvent, Message, Next, NotAttached, Outbox,
    State, ping_ms, reason,
};
use crate::machine::{Ask, Command, Length, Refusal, SessionId, Way};
use crate::wire::socket::{self as wire, Hello, Op, Request, StateFrames, Who, close};
use crate::wire::{Code, Problem};

use super::upgrade::Counted;

/// How long a socket may take to say `hello`.
const HELLO_MAX: Duration = Duration::from_secs(5);
/// How long a write may be stuck.
const STUCK_MAX: Duration = Duration::from_secs(5);
/// Most requests that are carried out under one lock.
const BATCH_MAX: usize = 64;
/// Most messages that are written before they are flushed.
const FLUSH_EVERY: usize = 256;

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
}

/// Serves a socket until it ends.
pub(crate) async fn serve<S, E>(mut socket: S, mut context: Context)
where
    S: Stream<Item = Result<Frame, E>> + Sink<Frame, Error = E> + Unpin,
    E: Error + 'static,
{
    let end = match say_hello(&mut socket, &context).await {
        Ok((connection, beat)) => {
            context.nameless = None;
            let (mut sink, mut stream) = socket.split();
            let end = tokio::select! {
                end = read_all(&mut stream, &connection, beat) => {
                    // The answers to what came before.
                    if let (true, Some(next)) = (end.is_some(), connection.outbox().try_next()) {
                        let _ = write_ready(&mut sink, connection.outbox(), next).await;
                    }
                    end
                }
                end = write_all(&mut sink, &connection, beat) => end,
            };
            drop(connection);
            let Ok(whole) = sink.reunite(stream) else { return };
            socket = whole;
            end
        }
        Err(end) => end,
    };
    if let Some((code, reason)) = end {
        let frame = Frame::Close(Some(CloseFrame { code, reason: reason.into() }));
        // What comes after is read and discarded by the connection below, for a while.
        let _ = timeout(STUCK_MAX, socket.send(frame)).await;
    }
    let _ = timeout(Duration::from_millis(100), socket.close()).await;
}

/// Waits for a `hello` that is accepted.
async fn say_hello<S, E>(socket: &mut S, context: &Context) -> Result<(Connection, bool), End>
where
    S: Stream<Item = Result<Frame, E>> + Sink<Frame, Error = E> + Unpin,
    E: Error + 'static,
{
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
        let Ok(Request { id, op }) = wire::read(&text) else {
            return Err(Some((close::PROTOCOL, "not a JSON object")));
        };
        let problem = match op {
            Ok(Op::Hello(hello)) => match greet(context, id, hello).await? {
                Ok(connected) => return Ok(connected),
                Err(problem) => problem,
            },
            Err(problem) if is_hello(&text) => problem,
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

/// Whether a request that makes no sense was at least meant as a `hello`.
fn is_hello(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Meant<'a> {
        #[serde(borrow)]
        op: std::borrow::Cow<'a, str>,
    }
    serde_json::from_str::<Meant<'_>>(text).is_ok_and(|meant| meant.op == "hello")
}

async fn greet(
    context: &Context,
    id: Option<u64>,
    hello: Hello,
) -> Result<Result<(Connection, bool), Problem>, End> {
    let Hello { beat, who } = hello;
    let (session, attempt) = match who {
        Who::New { name, ttl } => {
            let connection = context.driver.connect(id, name, ttl, context.source.clone());
            return Ok(Ok((connection, beat)));
        }
        Who::Known { session, attempt } => (session, attempt),
    };
    let Some(session) = session else { return Ok(Err(Refusal::SessionNotFound.into())) };
    match context.driver.reconnect(id, session, attempt) {
        Ok(connection) => Ok(Ok((connection, beat))),
        Err(NotAttached::Overtaken) => Err(Some((close::REPLACED, "replaced"))),
        Err(NotAttached::NotFound(stamp)) => match context.driver.may_say(stamp).await {
            Ok(()) => Ok(Err(Refusal::SessionNotFound.into())),
            Err(why) => Ok(Err(Problem::new(Code::Unavailable, why.to_string()))),
        },
    }
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

/// Reads requests until the socket ends or says nonsense.
async fn read_all<T, E>(stream: &mut T, connection: &Connection, beat: bool) -> End
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
        if let Some(end) = end {
            return end;
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

/// Writes what the outbox holds, and heartbeats, until the socket is to end.
async fn write_all<K, E>(sink: &mut K, connection: &Connection, beat: bool) -> End
where
    K: Sink<Frame, Error = E> + Unpin,
{
    let outbox = connection.outbox();
    let every = Duration::from_millis(u64::from(ping_ms(connection.ttl())));
    let mut beats = pin!(sleep_until(first_beat(every, connection.phase())));
    loop {
        let next = tokio::select! {
            next = outbox.next() => Some(next),
            () = beats.as_mut() => None,
        };
        let written = match next {
            Some(next) => write_ready(sink, outbox, next).await,
            None => {
                let due = beats.deadline() + every;
                beats.as_mut().reset(due);
                let ping = || Frame::Ping(axum::body::Bytes::new());
                unstuck(sink.send(if beat { Frame::text(wire::beat_event()) } else { ping() }))
                    .await
            }
        };
        connection.opened();
        if let Err(end) = written {
            return end;
        }
    }
}

/// Writes a message and all that are ready behind it, then flushes once. Fails with why the
/// socket is to end, by the outbox's wish or because it does not take what is written.
async fn write_ready<K, E>(sink: &mut K, outbox: &Outbox, first: Next) -> Result<(), End>
where
    K: Sink<Frame, Error = E> + Unpin,
{
    let mut next = Some(first);
    let mut fed = 0;
    let mut end = Ok(());
    while let Some(item) = next {
        match item {
            Next::End(ending) => {
                end = Err(told(ending));
                break;
            }
            Next::Message(message) => feed(sink, message).await?,
        }
        fed += 1;
        next = if fed < FLUSH_EVERY { outbox.try_next() } else { None };
    }
    unstuck(sink.flush()).await?;
    end
}

async fn feed<K, E>(sink: &mut K, message: Message) -> Result<(), End>
where
    K: Sink<Frame, Error = E> + Unpin,
{
    let text = match message {
        Message::Answer(id, Answered::State(state)) => {
            let State { session, resumed, epoch, ping_ms } = *state;
            for frame in StateFrames::new(id, session, resumed, &epoch, ping_ms) {
                unstuck(sink.feed(Frame::text(frame))).await?;
            }
            return Ok(());
        }
        Message::Answer(id, Answered::Reply(reply)) => wire::answer_reply(id, &reply),
        Message::Answer(id, Answered::Bad(why)) => wire::answer_error(id, &Problem::bad(why)),
        Message::Answer(id, Answered::TooLarge(why)) => {
            wire::answer_error(id, &Problem::new(Code::TooLarge, why))
        }
        Message::Answer(id, Answered::Beat(ttl_ms)) => wire::beat_answer(id, ttl_ms),
        Message::Answer(id, Answered::Done) => wire::done(id),
        Message::Level(what, resource, figures) => wire::level(level(what), &resource, figures),
        Message::GoingAway(after_ms) => wire::going_away(after_ms),
        Message::Event(event) => match wire::event(&event) {
            Some(text) => text,
            None => return Ok(()),
        },
    };
    unstuck(sink.feed(Frame::text(text))).await
}

/// Bounds a write.
async fn unstuck<E>(write: impl Future<Output = Result<(), E>>) -> Result<(), End> {
    match timeout(STUCK_MAX, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => Err(Some((close::TOO_SLOW, "too slow"))),
    }
}

fn level(what: LevelEvent) -> wire::LevelEvent {
    match what {
        LevelEvent::TicketAvailable => wire::LevelEvent::TicketAvailable,
        LevelEvent::LockAvailable => wire::LevelEvent::LockAvailable,
        LevelEvent::Changed => wire::LevelEvent::Changed,
    }
}

fn told(ending: Ending) -> End {
    Some(match ending {
        Ending::Bye => (close::BYE, "bye"),
        Ending::SessionEnded(why) => (close::SESSION_ENDED, reason(why)),
        Ending::Replaced => (close::REPLACED, "replaced"),
        Ending::TooSlow => (close::TOO_SLOW, "too slow"),
        Ending::GoingAway => (close::GOING_AWAY, "going away"),
    })
}

/// Spreads heartbeats: the first comes somewhere in the interval.
#[expect(clippy::disallowed_methods, reason = "heartbeats are paced by real time, pauses or not")]
fn first_beat(every: Duration, phase: u8) -> Instant {
    Instant::now() + every * (u32::from(phase) + 1) / 256
}
