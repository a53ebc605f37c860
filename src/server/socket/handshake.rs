//! The first frames of a socket: a `hello` that is accepted, or the end.

use std::pin::pin;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::driver::{Connection, NotAttached};
use crate::machine::Refusal;
use crate::wire::Problem;
use crate::wire::socket::{self as wire, Hello, Op, Request, Who, close};

use super::context::Context;
use super::end::End;
use super::feed::{STUCK_MAX, failed};
use super::incoming::{Heard, Socket, heard};

/// How long a socket may take to say `hello`.
const HELLO_MAX: Duration = Duration::from_secs(5);
/// So many refused hellos are enough.
const HELLOS_MAX: usize = 10;

/// Waits for a `hello` that is accepted.
pub(super) async fn say_hello<S: Socket>(
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
        match timeout(STUCK_MAX, socket.send(failed(id, problem))).await {
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
            return Ok(connected.map(|connection| (connection, beat)).map_err(Problem::from));
        }
        Who::Known { session, attempt } => (session, attempt),
    };
    let Some(session) = session else { return Ok(Err(Refusal::SessionNotFound.into())) };
    match context.driver.reconnect(id, session, attempt).await {
        Ok(connection) => Ok(Ok((connection, beat))),
        Err(NotAttached::Overtaken) => Err(Some((close::REPLACED, "replaced"))),
        Err(NotAttached::NotFound(position)) => match context.driver.may_say(position).await {
            Ok(()) => Ok(Err(Refusal::SessionNotFound.into())),
            Err(why) => Ok(Err(why.into())),
        },
        Err(NotAttached::Unavailable(why)) => Ok(Err(why.into())),
    }
}
