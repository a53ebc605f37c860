//! Whether the server is well, and whether it is a good idea to send anybody here.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::driver::Readiness;
use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;

use super::outcome::Outcome;

/// Whether the driver's lock is to be had.
pub(crate) async fn is_well(app: Arc<App>, _: Call) -> Outcome {
    let looked = tokio::task::spawn_blocking(move || app.driver.can_be_had()).await;
    Ok(match looked {
        Ok(true) => response::word(StatusCode::OK, "ok\n"),
        Ok(false) | Err(_) => response::word(StatusCode::SERVICE_UNAVAILABLE, "stuck\n"),
    })
}

pub(crate) async fn is_ready(app: Arc<App>, _: Call) -> Outcome {
    let (status, word) = match app.driver.readiness() {
        Readiness::Ready => (StatusCode::OK, "ready\n"),
        Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        Readiness::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
    };
    Ok(response::word(status, word))
}
