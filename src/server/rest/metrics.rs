//! `GET /metrics`: what the server counts and measures, for Prometheus.

use std::sync::Arc;

use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;

use super::outcome::Outcome;

pub(crate) async fn show(_app: Arc<App>, _call: Call) -> Outcome {
    Ok(response::json(""))
}
