//! Sessions: opened, refreshed, shown, closed.

use std::sync::Arc;

use crate::audit::{AuditLine, AuditWhat};
use crate::driver::NewSession;
use crate::machine::{Command, SessionRef};
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;
use crate::wire::rest::Told;
use crate::wire::{json, write_id};

use super::outcome::{Outcome, done, known, nobody};
use super::{list, pieces};

pub(crate) async fn open(app: Arc<App>, call: Call) -> Outcome {
    let (name, ttl) = (call.query().session_name()?, call.query().ttl()?);
    let conduct = call.query().conduct()?;
    let owner = match call.guest() {
        None => None,
        Some(guest) => {
            guest.may_open(&app.driver)?;
            guest.subject.owner().cloned()
        }
    };
    let session =
        app.driver.open(NewSession { name, ttl, source: call.source(), conduct }, owner).await?;
    Ok(response::json(json(&write_id(&session))))
}

pub(crate) async fn refresh(app: Arc<App>, call: Call) -> Outcome {
    let session = known(call.path_session())?;
    if app.driver.refresh(&session).await? { Ok(response::json("\"Ok\"")) } else { Err(nobody()) }
}

pub(crate) async fn show(app: Arc<App>, call: Call) -> Outcome {
    if let Some(session) = SessionRef::parse(call.segment()) {
        return list::one(&app.driver, session).await;
    }
    let session = known(call.path_session())?;
    let told = call.guest().map_or(Told::Everything, |_| Told::Own);
    let view = pieces::one(&app.driver, &session, told, "", "").await?;
    view.map(response::json).ok_or_else(nobody)
}

pub(crate) async fn close(app: Arc<App>, call: Call) -> Outcome {
    let (session, by_other) = match SessionRef::parse(call.segment()) {
        Some(session) => {
            let session = list::by_ref(&app.driver, session).await?;
            let owner = call.guest().and_then(|guest| guest.subject.owner().cloned());
            let address = Some(call.source());
            let line = AuditLine { owner, address, ..AuditLine::new(AuditWhat::SessionClosed) };
            app.driver.tell(Some(&session), line);
            (session, true)
        }
        None => (known(call.path_session())?, false),
    };
    done(&app, session, Command::Close { session, by_other }, "\"Ok\"").await
}
