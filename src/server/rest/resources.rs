//! Resources: listed, looked at, paused; their tickets, listed and revived.

use std::sync::Arc;

use crate::access::Right;
use crate::machine::{Command, Fence, NUMBER_END, Name, Reply, TicketStateKind};
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;
use crate::server::refs::session_ref;
use crate::server::shown;
use crate::wire::listed::{self, ListedTicket, TicketList};
use crate::wire::rest::RevivedShape;
use crate::wire::{Problem, json, query};

use super::outcome::{Asking, Outcome, bug, said};

/// What the names begin with that are asked for.
pub(crate) fn prefix(call: &Call) -> Result<String, Problem> {
    Ok(call.query().get("prefix")?.unwrap_or_default().into_owned())
}

pub(crate) async fn list(app: Arc<App>, call: Call) -> Outcome {
    let (prefix, limit) = (prefix(&call)?, call.query().limit()?);
    let after = call.query().get("after")?;
    let after = after.map(|text| query::name(&text, "after")).transpose()?;
    let after = after.as_ref().map(Name::as_str);
    // One more tells whether there is another page.
    let mut page = app.driver.resources_page(&prefix, after, limit + 1).await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let last = page.last().map(|(name, _)| name).filter(|_| more);
    Ok(response::json(listed::resources(&page, last)))
}

pub(crate) async fn look(app: Arc<App>, call: Call) -> Outcome {
    let (resource, limit) = (call.resource()?, call.query().limit()?);
    let ticket = call.query().get("ticket")?;
    let ticket = ticket.map(|text| query::name(&text, "ticket")).transpose()?;
    if let Some(fence) = call.query().fence()? {
        return is_good(&app, &resource, ticket.as_ref(), fence).await;
    }
    let look = shown::look(app.driver.look(&resource, limit).await?);
    let mut text = Vec::new();
    look.write(&mut text, usize::MAX);
    Ok(response::json(text))
}

/// Whether a grant is in force.
async fn is_good(app: &App, resource: &Name, ticket: Option<&Name>, fence: Fence) -> Outcome {
    let is_good = app.driver.is_good(resource.as_str(), ticket.map(Name::as_str), fence).await?;
    Ok(response::json(if is_good { "true" } else { "false" }))
}

pub(crate) async fn tickets(app: Arc<App>, call: Call) -> Outcome {
    let (resource, limit) = (call.resource()?, call.query().limit()?);
    let state = match call.query().get("state")? {
        None => None,
        Some(text) => Some(state(&text)?),
    };
    let after = call.query().get("after")?.map(|text| number(&text)).transpose()?;
    let after = after.unwrap_or_default();
    let mut page = app.driver.tickets_page(resource.as_str(), state, after, limit + 1).await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let after = page.last().map(|(view, _)| view.number).filter(|_| more);
    // What a ticket carries is for those who may claim it.
    let rules = call.guest().map(|guest| guest.subject.rules());
    let with_data = rules.is_none_or(|rules| rules.may(Right::Claim, resource.as_str()));
    let tickets = page.iter();
    let tickets =
        tickets.map(|(view, left_ms)| ListedTicket::new(view, *left_ms, with_data, session_ref));
    let list = TicketList { tickets: tickets.collect(), after };
    Ok(response::json(json(&list)))
}

fn number(text: &str) -> Result<u64, Problem> {
    let number = text.parse().ok().filter(|&number| number < NUMBER_END);
    number.ok_or_else(|| Problem::bad("after must be a ticket's number"))
}

fn state(text: &str) -> Result<TicketStateKind, Problem> {
    match text {
        "free" => Ok(TicketStateKind::Free),
        "held" => Ok(TicketStateKind::Held),
        "delayed" => Ok(TicketStateKind::Delayed),
        "dead" => Ok(TicketStateKind::Dead),
        _ => Err(Problem::bad("state must be free, held, delayed or dead")),
    }
}

pub(crate) async fn pause(app: Arc<App>, call: Call) -> Outcome {
    let (resource, paused) = (call.resource()?, call.query().truth("paused")?);
    let paused = paused.ok_or_else(|| Problem::bad("paused must be true or false"))?;
    let pause = |session| Command::Pause { session, resource, paused };
    said(&Asking::of(&call)?.ask(&app, pause).await?, "\"Ok\"")
}

pub(crate) async fn revive(app: Arc<App>, call: Call) -> Outcome {
    let (resource, ticket) = (call.resource()?, call.query().optional_ticket()?);
    let revive = |session| Command::Revive { session, resource, ticket };
    match Asking::of(&call)?.ask(&app, revive).await?.reply {
        Ok(Reply::Revived(revived)) => Ok(response::json(json(&RevivedShape { revived }))),
        Ok(ref reply) => Err(bug(reply)),
        Err(refusal) => Err(refusal.into()),
    }
}
