//! Sessions as an administrator sees them: by their refs, for ids are secrets.

use std::sync::Arc;

use crate::driver::{Driver, SessionFacts, Unavailable};
use crate::machine::{SessionId, SessionRef};
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;
use crate::server::refs::session_ref;
use crate::wire::rest::{ListedSession, SessionList};
use crate::wire::{Problem, json};

use super::outcome::{Outcome, nobody};

pub(crate) async fn sessions(app: Arc<App>, call: Call) -> Outcome {
    let after = match call.query().get("after")?.as_deref() {
        None | Some("") => None,
        Some(text) => Some(
            SessionRef::parse(text)
                .ok_or_else(|| Problem::bad("after must be the ref of a session"))?,
        ),
    };
    let limit = call.query().limit()?;
    let mut refs = refs(&app.driver).await?;
    let from = refs.partition_point(|(found, _)| after.is_some_and(|after| *found <= after));
    refs.drain(..from);
    let more = refs.len() > limit;
    refs.truncate(limit);
    let ids = refs.iter().map(|&(_, id)| id).collect();
    let facts = app.driver.session_facts(ids).await?;
    let sessions = facts.iter().map(listed).collect();
    let after = refs.last().filter(|_| more).map(|(last, _)| last.to_string());
    Ok(response::json(json(&SessionList { sessions, after })))
}

/// The session of that ref.
pub(super) async fn by_ref(driver: &Driver, session: SessionRef) -> Result<SessionId, Problem> {
    let refs = refs(driver).await?;
    let found = refs.binary_search_by_key(&session, |&(found, _)| found);
    found.map(|at| refs[at].1).map_err(|_| nobody())
}

/// A session, as it is listed.
pub(super) async fn one(driver: &Driver, session: SessionRef) -> Outcome {
    let id = by_ref(driver, session).await?;
    let facts = driver.session_facts(vec![id]).await?;
    facts.first().map(|facts| response::json(json(&listed(facts)))).ok_or_else(nobody)
}

fn listed(facts: &SessionFacts) -> ListedSession {
    let SessionFacts { info, owner, heard_ms, holds, waits, issued } = facts;
    ListedSession {
        name: info.name.as_str().to_owned(),
        session_ref: session_ref(&info.id).to_string(),
        owner: owner.as_ref().map(Into::into),
        src: info.source.to_string(),
        ttl_ms: info.ttl.as_ms(),
        heard_ms: *heard_ms,
        holds: *holds,
        waits: *waits,
        issued: *issued,
    }
}

/// All sessions, in order of their refs.
async fn refs(driver: &Driver) -> Result<Vec<(SessionRef, SessionId)>, Unavailable> {
    let ids = driver.session_ids().await?;
    let hashed = tokio::task::spawn_blocking(|| {
        let mut refs: Vec<_> = ids.into_iter().map(|id| (session_ref(&id), id)).collect();
        refs.sort_unstable();
        refs
    });
    // It fails when the runtime ends.
    hashed.await.map_err(|_| Unavailable::Leaving)
}
