//! Tickets: issued, revoked, claimed, touched, asked about, released.

use std::sync::Arc;

use crate::access::Right;
use crate::machine::{Command, Grant, Reach, Refusal, Reply};
use crate::server::access::enter::forbidden;
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;
use crate::wire::rest::{ClaimShape, TouchShape};
use crate::wire::terms::{self, HOLD};
use crate::wire::{Code, Problem, json};

use super::outcome::{Asking, Outcome, bug, done, known, nobody, not_granted, said, told};
use super::waiting::{self, Wanted};

pub(crate) async fn issue(app: Arc<App>, mut call: Call) -> Outcome {
    let (resource, session) = (call.resource()?, call.session()?);
    let (ticket, terms) = (call.query().ticket()?, call.query().ticket_terms()?);
    // The request is under way while its body is.
    let held = session.map(|session| app.driver.pin(session));
    let data = call.data().await?;
    drop(held);
    let session = known(session)?;
    if let Some(guest) = call.guest() {
        guest.come_again(&app.driver, session, Right::Issue, &resource).await?;
        let (driver, subject) = (&app.driver, &guest.subject);
        if !subject.rules().may_with(Right::Issue, resource.as_str(), terms.priority) {
            return Err(forbidden(Right::Issue));
        }
        if let Some(why) = driver.issues_too_much(&session, subject, &resource, &ticket) {
            return Err(Problem::new(Code::Limit, why));
        }
    }
    let command = Command::Issue { session, resource, ticket, data, notify: false, terms };
    done(&app, session, command, "\"Ok\"").await
}

pub(crate) async fn revoke(app: Arc<App>, call: Call) -> Outcome {
    let (resource, session) = (call.resource()?, call.session()?);
    let (ticket, fence) = (call.query().ticket()?, call.query().fence()?);
    let rules = call.guest().map(|guest| guest.subject.rules());
    let reach = rules.map_or(Reach::Any, |rules| rules.reach(resource.as_str()));
    // Whether there is such a session is not told to who may not revoke just anything.
    let session = match (session, reach) {
        (Some(session), _) => session,
        (None, Reach::Any) => return Err(nobody()),
        (None, _) => return Err(Refusal::Forbidden.into()),
    };
    let command = Command::Revoke { session, resource, ticket, reach, fence };
    done(&app, session, command, "\"Ok\"").await
}

pub(crate) async fn claim(app: Arc<App>, mut call: Call) -> Outcome {
    let (resource, session) = (call.resource()?, call.session()?);
    let (ticket, wait) = (call.query().optional_ticket()?, call.wait()?);
    let hold_ms = call.query().bounded(HOLD)?;
    let wanted = Wanted { session, right: Right::Claim, resource: resource.clone() };
    let session = known(session)?;
    let again = true;
    let command =
        |wait_request| Command::Claim { session, resource, ticket, wait_request, again, hold_ms };
    let answer = waiting::ask(&app, &mut call, &wanted, wait, command).await?;
    match &answer.reply {
        Ok(Reply::Granted { grant: Grant::Ticket(grant), .. }) => {
            let claim = json(&ClaimShape::new(grant, answer.left_ms, told(&call)));
            answer.hand_over();
            Ok(response::after(wait, response::json_with_fence(claim, grant.fence)))
        }
        Ok(Reply::NotGranted) | Err(Refusal::TicketHeld) => {
            let nothing = json(&ClaimShape::default());
            Ok(response::after(wait, response::json(nothing)))
        }
        reply => Err(not_granted(reply)),
    }
}

pub(crate) async fn touch(app: Arc<App>, call: Call) -> Outcome {
    let (resource, session) = (call.resource()?, known(call.session()?));
    let (ticket, fence) = (call.query().ticket()?, call.query().fence()?);
    let hold_ms = call.query().bounded(HOLD)?;
    let session = session?;
    let command = Command::Touch { session, resource, ticket, fence, hold_ms };
    match app.driver.request(session, command).await?.reply {
        Ok(Reply::Touched(left_ms)) => Ok(response::json(json(&TouchShape { left_ms }))),
        Ok(ref reply) => Err(bug(reply)),
        Err(refusal) => Err(refusal.into()),
    }
}

pub(crate) async fn holds(app: Arc<App>, call: Call) -> Outcome {
    let (resource, session) = (call.resource()?, call.session()?);
    let ticket = call.query().ticket()?;
    let session = known(session)?;
    match app.driver.holds(session, resource.as_str(), ticket.as_str()).await?? {
        Some(fence) => Ok(response::json_with_fence("true", fence)),
        None => Ok(response::json("false")),
    }
}

pub(crate) async fn release(app: Arc<App>, call: Call) -> Outcome {
    let (resource, ticket, fence) =
        (call.resource()?, call.query().ticket()?, call.query().fence()?);
    let parting = call.query().parting()?;
    if call.query().flag("force")? {
        terms::no_parting(&parting)?;
        let force = |by| Command::Force { by, resource, ticket: Some(ticket), fence };
        return said(&Asking::of(&call)?.ask(&app, force).await?, "\"Ok\"");
    }
    let session = known(call.session()?)?;
    let by_socket = false;
    let command = Command::Release { session, resource, ticket, fence, by_socket, parting };
    done(&app, session, command, "\"Ok\"").await
}
