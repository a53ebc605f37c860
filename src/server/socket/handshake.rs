//! The first frames of a socket: a `hello` that is accepted, or the end.

use std::pin::pin;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::access::Denied;
use crate::driver::{Connection, NewSession, NotAttached, RequestMark};
use crate::machine::Refusal;
use crate::meters::Mark;
use crate::server::access::enter::{Guest, too_many};
use crate::server::meters::{self, Ended, Resumed};
use crate::wire::socket::{self as wire, Hello, Op, Request, ShownToken, Who, close};
use crate::wire::{Code, Problem};

use super::asked::mark;
use super::context::Context;
use super::end::End;
use super::feed::{STUCK_MAX, failed};
use super::incoming::{Heard, Socket, heard};

/// How long a socket may take to say `hello`.
const HELLO_MAX: Duration = Duration::from_secs(5);
/// So many refused hellos are enough.
const HELLOS_MAX: usize = 10;

/// A socket whose `hello` was accepted.
pub(super) struct Welcome {
    pub(super) connection: Connection,
    /// Whether its client answers beats instead of pings.
    pub(super) beat: bool,
    /// Who it is, where that is asked for.
    pub(super) guest: Option<Guest>,
}

/// Who says `hello`; nobody where nobody is asked.
fn guest(
    context: &Context,
    token: Option<&ShownToken>,
    takes_over: bool,
) -> Result<Option<Guest>, Problem> {
    let Some(access) = &context.access else { return Ok(None) };
    let shown = match (token, &context.guest) {
        (Some(token), _) => Guest::by_token(access, &token.0, context.address),
        // Its proof may have ended since the upgrade.
        (None, Some(guest)) => guest.renewed(),
        (None, None) => Err(Denied::Nothing),
    };
    let mut guest = shown.or_else(|denied| {
        context.driver.may_ask()?;
        Err(Problem::new(Code::Unauthorized, denied.detail()))
    })?;
    // Who comes back for a session that lives is never refused for how much there is.
    if !takes_over {
        if !guest.may_ask() {
            return Err(too_many());
        }
        guest.may_open(&context.driver)?;
    }
    guest.sit(takes_over)?;
    Ok(Some(guest))
}

/// Waits for a `hello` that is accepted.
pub(super) async fn say_hello<S: Socket>(
    socket: &mut S,
    context: &Context,
) -> Result<Welcome, End> {
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
        let Ok(request) = wire::read(&text) else {
            return Err(Some((close::PROTOCOL, "not a JSON object")));
        };
        let mark = mark(&request);
        let Request { id, is_hello, op } = request;
        let problem = match op {
            Ok(Op::Hello(hello)) => match greet_counted(context, mark, hello).await? {
                Ok(welcome) => {
                    if let Some(guest) = &welcome.guest {
                        guest.attached(&context.driver, &welcome.connection.session());
                    }
                    return Ok(welcome);
                }
                Err(problem) => problem,
            },
            Err(problem) if is_hello => problem,
            Ok(_) | Err(_) => return Err(Some((close::NO_HELLO, "hello first"))),
        };
        let took_us = Mark::now().since_us(mark.came);
        let op = meters::OpName::Hello as u8;
        context.meters.socket.answered_at(op, Ended::With(problem.code), took_us);
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

/// [`greet`], and counts those that take a session over.
async fn greet_counted(
    context: &Context,
    mark: RequestMark,
    hello: Hello,
) -> Result<Result<Welcome, Problem>, End> {
    let takes_over = matches!(hello.who, Who::Known { .. });
    let greeted = greet(context, mark, hello).await;
    if takes_over {
        context.meters.resumed(match &greeted {
            Ok(Ok(_)) => Resumed::Well,
            Ok(Err(Problem { code: Code::SessionNotFound, .. })) => Resumed::NotFound,
            Ok(Err(Problem { code: Code::Unavailable, .. })) => Resumed::Unavailable,
            Err(Some((close::REPLACED, _))) => Resumed::Overtaken,
            Ok(Err(_)) | Err(_) => Resumed::Refused,
        });
    }
    greeted
}

async fn greet(
    context: &Context,
    mark: RequestMark,
    hello: Hello,
) -> Result<Result<Welcome, Problem>, End> {
    let Hello { beat, who, token } = hello;
    let known = match &who {
        Who::New { .. } => None,
        Who::Known { session, .. } => session.as_ref(),
    };
    if !context.may_speak(known) {
        return Err(Some((close::TOO_MANY, "too many connections")));
    }
    let takes_over = known.is_some();
    let guest = match guest(context, token.as_ref(), takes_over) {
        Ok(come) => come,
        Err(problem) => return Ok(Err(problem)),
    };
    let subject = guest.as_ref().map(|guest| &guest.subject);
    let (session, attempt) = match who {
        Who::New { name, ttl, conduct } => {
            let new = NewSession { name, ttl, source: context.source.clone(), conduct };
            let connected = context.driver.connect(mark, new, subject);
            let welcome = |connection| Welcome { connection, beat, guest };
            return Ok(connected.map(welcome).map_err(Problem::from));
        }
        Who::Known { session, attempt } => (session, attempt),
    };
    let Some(session) = session else { return Ok(Err(Refusal::SessionNotFound.into())) };
    match context.driver.reconnect(mark, session, attempt, subject).await {
        Ok(connection) => Ok(Ok(Welcome { connection, beat, guest })),
        Err(NotAttached::Overtaken) => Err(Some((close::REPLACED, "replaced"))),
        Err(NotAttached::NotFound(position)) => match context.driver.may_say(position).await {
            Ok(()) => Ok(Err(Refusal::SessionNotFound.into())),
            Err(why) => Ok(Err(why.into())),
        },
        Err(NotAttached::Unavailable(why)) => Ok(Err(why.into())),
    }
}
