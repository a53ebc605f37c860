//! How a command's reply becomes an answer, or an error.

use std::sync::Arc;

use crate::access::Right;
use crate::driver::Unavailable;
use crate::machine::{Command, Refusal, Reply, SessionId};
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response::{self, HttpAnswer};
use crate::wire::rest::Told;
use crate::wire::{Code, Problem};

/// What a handler comes to.
pub(crate) type Outcome = Result<HttpAnswer, Problem>;

impl From<Unavailable> for Problem {
    fn from(why: Unavailable) -> Self {
        Self::new(Code::Unavailable, why.to_string())
    }
}

/// There is no such session.
pub(super) fn nobody() -> Problem {
    Refusal::SessionNotFound.into()
}

/// What is told of sessions beside their names.
pub(super) fn told(call: &Call) -> Told {
    match call.guest() {
        None => Told::Everything,
        Some(guest) if guest.subject.rules().may_at_all(Right::Admin) => Told::Source,
        Some(_) => Told::Nothing,
    }
}

/// A reply that its command cannot have.
pub(super) fn bug(reply: &Reply) -> Problem {
    tracing::error!(?reply, "a command was answered what it cannot be");
    Problem::new(Code::Internal, "internal error")
}

/// A text that reads as an id is one; nobody has any other.
pub(super) fn known(session: Option<SessionId>) -> Result<SessionId, Problem> {
    session.ok_or_else(nobody)
}

/// Carries out a command whose success says nothing more.
pub(super) async fn done(
    app: &Arc<App>,
    session: SessionId,
    command: Command,
    ok: &'static str,
) -> Outcome {
    let answer = app.driver.request(session, command).await?;
    match &answer.reply {
        Ok(Reply::Done | Reply::Released(_)) => Ok(response::json(ok)),
        Ok(reply) => Err(bug(reply)),
        Err(refusal) => Err((*refusal).into()),
    }
}
