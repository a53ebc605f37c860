//! How a command's reply becomes an answer, or an error.

use std::sync::Arc;

use crate::access::Right;
use crate::driver::{Answer, Outsider, Unavailable};
use crate::machine::{Command, Refusal, Reply, SessionId};
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response::{self, HttpAnswer};
use crate::server::refs::session_ref;
use crate::wire::rest::Told;
use crate::wire::{Blocked, Code, Problem};

/// What a handler comes to.
pub(crate) type Outcome = Result<HttpAnswer, Problem>;

/// When who is refused because no new sessions are taken may try again, in s.
const DRAINING_RETRY_S: u32 = 5;

impl From<Unavailable> for Problem {
    fn from(why: Unavailable) -> Self {
        let problem = Self::new(Code::Unavailable, why.to_string());
        match why {
            Unavailable::Draining => Self { retry_after_s: DRAINING_RETRY_S, ..problem },
            Unavailable::Full | Unavailable::Leaving | Unavailable::Failed => problem,
        }
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

/// What is no reply of success to a command that may be granted.
pub(super) fn not_granted(reply: &Result<Reply, Refusal>) -> Problem {
    match reply {
        Ok(Reply::Deadlock(circle)) => {
            let cycle = circle.iter().map(|blocked| Blocked::new(blocked, session_ref));
            Problem::deadlock(cycle.collect())
        }
        Ok(reply) => bug(reply),
        Err(refusal) => (*refusal).into(),
    }
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
    said(&app.driver.request(session, command).await?, ok)
}

/// Who asks for what needs no session.
pub(super) enum Asking {
    Session(SessionId),
    Outsider(Outsider),
}

impl Asking {
    /// Who asks by a request.
    pub(super) fn of(call: &Call) -> Result<Self, Problem> {
        if let Some(session) = call.optional_session()? {
            return known(session).map(Self::Session);
        }
        let owner = call.guest().and_then(|guest| guest.subject.owner().cloned());
        Ok(Self::Outsider(Outsider { owner, address: Some(call.source()) }))
    }

    /// Carries out a command of its own.
    pub(super) async fn ask(
        self,
        app: &App,
        command: impl FnOnce(Option<SessionId>) -> Command,
    ) -> Result<Answer, Unavailable> {
        match self {
            Self::Session(session) => app.driver.request(session, command(Some(session))).await,
            Self::Outsider(outsider) => app.driver.request_of(outsider, command(None)).await,
        }
    }
}

/// The answer to a command whose success says nothing more.
pub(super) fn said(answer: &Answer, ok: &'static str) -> Outcome {
    match &answer.reply {
        Ok(Reply::Done | Reply::Released(_) | Reply::Served { .. }) => Ok(response::json(ok)),
        Ok(reply) => Err(bug(reply)),
        Err(refusal) => Err((*refusal).into()),
    }
}
