//! The original's REST interface: one function a request (protocol, section 2).

use crate::driver::Unavailable;
use crate::machine::{Command, Grant, Refusal, Reply, SessionId};
use crate::wire::{Code, Problem, read_id, rest as shapes, write_id};

use super::answer::{self, Answer};
use super::call::Call;
use super::{App, views};

type Result = std::result::Result<Answer, Problem>;

impl From<Unavailable> for Problem {
    fn from(why: Unavailable) -> Self {
        Self::new(Code::Unavailable, why.to_string())
    }
}

fn nobody() -> Problem {
    Refusal::SessionNotFound.into()
}

fn bug(reply: &Reply) -> Problem {
    tracing::error!(?reply, "a command was answered what it cannot be");
    Problem::new(Code::Internal, "internal error")
}

/// A text that reads as an id is one; nobody has any other.
fn known(session: Option<SessionId>) -> std::result::Result<SessionId, Problem> {
    session.ok_or_else(nobody)
}

pub(super) async fn open_session(app: App, call: Call) -> Result {
    let (name, ttl) = (call.query().session_name()?, call.query().ttl()?);
    let session = app.driver.open(name, ttl, call.source()).await?;
    Ok(answer::json(shapes::json(&write_id(&session))))
}

pub(super) async fn refresh_session(app: App, call: Call) -> Result {
    let session = known(read_id(call.segment()))?;
    if app.driver.refresh(&session).await? { Ok(answer::json("\"Ok\"")) } else { Err(nobody()) }
}

pub(super) async fn show_session(app: App, call: Call) -> Result {
    let session = known(read_id(call.segment()))?;
    let view = views::one(&app.driver, &session, "", "").await?;
    view.map(answer::json).ok_or_else(nobody)
}

pub(super) async fn close_session(app: App, call: Call) -> Result {
    let session = known(read_id(call.segment()))?;
    done(&app, session, Command::Close { session }, "\"Ok\"").await
}

/// Carries out a command whose success says nothing more.
async fn done(app: &App, session: SessionId, command: Command, ok: &'static str) -> Result {
    let answer = app.driver.request(session, command).await?;
    match &answer.reply {
        Ok(Reply::Done | Reply::Released(_)) => Ok(answer::json(ok)),
        Ok(reply) => Err(bug(reply)),
        Err(refusal) => Err((*refusal).into()),
    }
}

pub(super) async fn issue_ticket(app: App, call: Call) -> Result {
    let (resource, session) = (call.resource()?, call.session()?);
    let ticket = call.query().ticket()?;
    // The request is under way while its body is.
    let held = session.map(|session| app.driver.pin(session));
    let data = call.data().await?;
    drop(held);
    let session = known(session)?;
    let command = Command::Issue { session, resource, ticket, data, notify: false };
    done(&app, session, command, "\"Ok\"").await
}

pub(super) async fn revoke_ticket(app: App, call: Call) -> Result {
    let (resource, session) = (call.resource()?, call.session()?);
    let ticket = call.query().ticket()?;
    let session = known(session)?;
    done(&app, session, Command::Revoke { session, resource, ticket }, "\"Ok\"").await
}

pub(super) async fn claim_ticket(app: App, mut call: Call) -> Result {
    let (resource, session) = (call.resource()?, call.session()?);
    let (ticket, wait) = (call.query().optional_ticket()?, call.wait()?);
    let session = known(session)?;
    if wait.ms > 0 {
        let held = app.driver.pin(session);
        call.discard_body().await?;
        drop(held);
    }
    let command =
        |wait_request| Command::Claim { session, resource, ticket, wait_request, again: true };
    let answer = if wait.ms == 0 {
        app.driver.request(session, command(None)).await?
    } else {
        let command = |wait_request| command(Some(wait_request));
        app.driver.request_waiting_unless(session, wait.ms, command, call.hang_up()).await?
    };
    match &answer.reply {
        Ok(Reply::Granted { grant: Grant::Ticket(grant), .. }) => {
            let claim = shapes::json(&shapes::Claim::from(grant));
            answer.hand_over();
            Ok(answer::after(wait, answer::json_with_fence(claim, grant.fence)))
        }
        Ok(Reply::NotGranted) | Err(Refusal::TicketHeld) => {
            let nothing = shapes::json(&shapes::Claim::default());
            Ok(answer::after(wait, answer::json(nothing)))
        }
        Ok(reply) => Err(bug(reply)),
        Err(refusal) => Err((*refusal).into()),
    }
}

pub(super) async fn holds_ticket(app: App, call: Call) -> Result {
    let (resource, session) = (call.resource()?, call.session()?);
    let ticket = call.query().ticket()?;
    let session = known(session)?;
    match app.driver.holds(session, resource.as_str(), ticket.as_str()).await?? {
        Some(fence) => Ok(answer::json_with_fence("true", fence)),
        None => Ok(answer::json("false")),
    }
}

pub(super) async fn release_ticket(app: App, call: Call) -> Result {
    let (resource, session) = (call.resource()?, call.session()?);
    let (ticket, fence) = (call.query().ticket()?, call.query().fence()?);
    let session = known(session)?;
    let command = Command::Release { session, resource, ticket, fence, by_socket: false };
    done(&app, session, command, "\"Ok\"").await
}

pub(super) async fn lock(app: App, mut call: Call) -> Result {
    let (resource, session, wait) = (call.resource()?, call.session()?, call.wait()?);
    let session = known(session)?;
    if wait.ms > 0 {
        let held = app.driver.pin(session);
        call.discard_body().await?;
        drop(held);
    }
    let command = |wait_request| Command::Lock { session, resource, wait_request };
    let answer = if wait.ms == 0 {
        app.driver.request(session, command(None)).await?
    } else {
        let command = |wait_request| command(Some(wait_request));
        app.driver.request_waiting_unless(session, wait.ms, command, call.hang_up()).await?
    };
    match &answer.reply {
        Ok(Reply::Granted { grant: Grant::Lock(grant), .. }) => {
            answer.hand_over();
            Ok(answer::after(wait, answer::json_with_fence("true", grant.fence)))
        }
        Ok(Reply::NotGranted) => Ok(answer::after(wait, answer::json("false"))),
        Ok(reply) => Err(bug(reply)),
        Err(refusal) => Err((*refusal).into()),
    }
}

pub(super) async fn unlock(app: App, call: Call) -> Result {
    let (resource, session) = (call.resource()?, call.session()?);
    let fence = call.query().fence()?;
    let session = known(session)?;
    let command = Command::Unlock { session, resource, fence, by_socket: false };
    done(&app, session, command, "\"ok\"").await
}

pub(super) async fn dump_resource(app: App, call: Call) -> Result {
    let name = call.resource()?;
    let before = format!("{{{}:", shapes::json(&name.as_str()));
    let dump = views::one(&app.driver, &name, &before, "}").await?;
    dump.map(answer::json).ok_or_else(|| Refusal::ResourceNotFound.into())
}

pub(super) async fn dump_sessions(app: App, _: Call) -> Result {
    let ids = app.driver.session_ids().await?;
    Ok(answer::json(views::dump(app.driver.clone(), ids)))
}

pub(super) async fn dump_resources(app: App, _: Call) -> Result {
    let names = app.driver.resource_names().await?;
    Ok(answer::json(views::dump(app.driver.clone(), names)))
}
