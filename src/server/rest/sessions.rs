//! Sessions: opened, refreshed, shown, closed.

use std::sync::Arc;

use crate::machine::Command;
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;
use crate::wire::{json, read_id, write_id};

use super::outcome::{Outcome, done, known, nobody};
use super::pieces;

pub(crate) async fn open(app: Arc<App>, call: Call) -> Outcome {
    let (name, ttl) = (call.query().session_name()?, call.query().ttl()?);
    let session = app.driver.open(name, ttl, call.source()).await?;
    Ok(response::json(json(&write_id(&session))))
}

pub(crate) async fn refresh(app: Arc<App>, call: Call) -> Outcome {
    let session = known(read_id(call.segment()))?;
    if app.driver.refresh(&session).await? { Ok(response::json("\"Ok\"")) } else { Err(nobody()) }
}

pub(crate) async fn show(app: Arc<App>, call: Call) -> Outcome {
    let session = known(read_id(call.segment()))?;
    let view = pieces::one(&app.driver, &session, "", "").await?;
    view.map(response::json).ok_or_else(nobody)
}

pub(crate) async fn close(app: Arc<App>, call: Call) -> Outcome {
    let session = known(read_id(call.segment()))?;
    done(&app, session, Command::Close { session }, "\"Ok\"").await
}
