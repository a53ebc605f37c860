//! The original's REST interface: one function a request (protocol, section 2).

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use futures::stream;

use crate::driver::Unavailable;
use crate::machine::{
    Command, Grant, Machine, Name, Refusal, Reply, ResourceView, SessionId, SessionView,
};
use crate::wire::{Code, Problem, read_id, rest as shapes, write_id};

use super::App;
use super::answer::{self, Answer};
use super::call::Call;

/// Sessions or resources that a dump takes at a time, so that nobody waits for a dump.
const DUMP_SLICE: usize = 128;

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
    let view = app.driver.look(|machine| machine.session_view(&session)).await?;
    let view = view.ok_or_else(nobody)?;
    Ok(answer::json(shapes::json(&shapes::Session::from(&view))))
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
    let held = session.map(|session| app.driver.hold(session));
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
        let held = app.driver.hold(session);
        call.discard_body().await?;
        drop(held);
    }
    let command = |ask| Command::Claim { session, resource, ticket, ask, again: true };
    let answer = if wait.ms == 0 {
        app.driver.request(session, command(None)).await?
    } else {
        let command = |ask| command(Some(ask));
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
        let held = app.driver.hold(session);
        call.discard_body().await?;
        drop(held);
    }
    let command = |ask| Command::Lock { session, resource, ask };
    let answer = if wait.ms == 0 {
        app.driver.request(session, command(None)).await?
    } else {
        let command = |ask| command(Some(ask));
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
    let view = app.driver.look(|machine| machine.resource_view(name.as_str())).await?;
    let view = view.ok_or_else(|| Problem::from(Refusal::ResourceNotFound))?;
    let dump = BTreeMap::from([(name.as_str(), shapes::Resource::from(&view))]);
    Ok(answer::json(shapes::json(&dump)))
}

pub(super) async fn dump_sessions(app: App, _: Call) -> Result {
    let mut ids = app.driver.look(Machine::session_ids).await?;
    ids.sort_unstable();
    Ok(answer::json(dump(app, ids, session_entry)))
}

fn session_entry(machine: &Machine, id: &SessionId) -> Option<SessionView> {
    machine.session_view(id)
}

pub(super) async fn dump_resources(app: App, _: Call) -> Result {
    let mut names = app.driver.look(Machine::resource_names).await?;
    names.sort_unstable();
    Ok(answer::json(dump(app, names, resource_entry)))
}

fn resource_entry(machine: &Machine, name: &Name) -> Option<ResourceView> {
    machine.resource_view(name.as_str())
}

/// What a dump lists under which key.
trait Entry {
    fn write(&self) -> (String, String);
}

impl Entry for SessionView {
    fn write(&self) -> (String, String) {
        (write_id(&self.party.id), shapes::json(&shapes::Session::from(self)))
    }
}

impl Entry for ResourceView {
    fn write(&self) -> (String, String) {
        (self.name.as_str().to_owned(), shapes::json(&shapes::Resource::from(self)))
    }
}

/// A dump, written slice by slice as the client reads it. Each entry is whole; entries of
/// different slices may be of different moments.
fn dump<K, V>(app: App, keys: Vec<K>, view: fn(&Machine, &K) -> Option<V>) -> Body
where
    K: Send + Sync + 'static,
    V: Entry + Send + 'static,
{
    struct Dump<K> {
        keys: std::vec::IntoIter<K>,
        separator: char,
        ended: bool,
    }
    let state = Dump { keys: keys.into_iter(), separator: '{', ended: false };
    Body::from_stream(stream::unfold(state, move |mut dump| {
        let app = app.clone();
        async move {
            if dump.ended {
                return None;
            }
            let slice: Vec<K> = dump.keys.by_ref().take(DUMP_SLICE).collect();
            let look = |machine: &Machine| -> Vec<V> {
                slice.iter().filter_map(|key| view(machine, key)).collect()
            };
            let views = match app.driver.look(look).await {
                Ok(views) => views,
                Err(why) => {
                    dump.ended = true;
                    return Some((Err(why), dump));
                }
            };
            let mut text = String::new();
            for (key, value) in views.iter().map(Entry::write) {
                text.push(dump.separator);
                text.push_str(&shapes::json(&key));
                text.push(':');
                text.push_str(&value);
                dump.separator = ',';
            }
            if slice.len() < DUMP_SLICE {
                text.push_str(if dump.separator == '{' { "{}" } else { "}" });
                dump.ended = true;
            }
            Some((Ok(Bytes::from(text)), dump))
        }
    }))
}
