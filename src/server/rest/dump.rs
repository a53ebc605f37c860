//! Dumps: everything there is, or one resource.

use std::sync::Arc;

use crate::machine::Refusal;
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;
use crate::wire::json;

use super::outcome::{Outcome, told};
use super::pieces;

pub(crate) async fn sessions(app: Arc<App>, call: Call) -> Outcome {
    let ids = app.driver.session_ids().await?;
    Ok(response::json(pieces::dump(app.driver.clone(), ids, told(&call))))
}

pub(crate) async fn resources(app: Arc<App>, call: Call) -> Outcome {
    let names = app.driver.resource_names().await?;
    Ok(response::json(pieces::dump(app.driver.clone(), names, told(&call))))
}

pub(crate) async fn resource(app: Arc<App>, call: Call) -> Outcome {
    let name = call.resource()?;
    let before = format!("{{{}:", json(&name.as_str()));
    let dump = pieces::one(&app.driver, &name, told(&call), &before, "}").await?;
    dump.map(response::json).ok_or_else(|| Refusal::ResourceNotFound.into())
}
