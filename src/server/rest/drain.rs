//! Whether new sessions are taken.

use std::sync::Arc;

use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;

use super::outcome::Outcome;

pub(crate) async fn begin(app: Arc<App>, _: Call) -> Outcome {
    app.driver.drain(true);
    Ok(response::json("\"Ok\""))
}

pub(crate) async fn end(app: Arc<App>, _: Call) -> Outcome {
    app.driver.drain(false);
    Ok(response::json("\"Ok\""))
}
