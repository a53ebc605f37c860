//! `GET /metrics`: what the server counts and measures, for Prometheus.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use crate::server::app::App;
use crate::server::http::request::Call;
use crate::server::http::response;
use crate::server::scrape::{Exposition, Scraped, written};
use crate::wire::{Code, Problem};

use super::outcome::Outcome;

pub(crate) async fn show(app: Arc<App>, call: Call) -> Outcome {
    let (how, seen) = (wanted(call.headers()), Scraped::of(&app).await);
    // To count what the process has open takes a while.
    let written = tokio::task::spawn_blocking(move || written(&app, &seen, how)).await;
    let Ok(Ok(text)) = written else {
        return Err(Problem::new(Code::Internal, "the figures cannot be written"));
    };
    Ok(response::figures(how.media(), text))
}

/// What a client asks for; Prometheus's own text, unless it would rather have the other.
fn wanted(headers: &HeaderMap) -> Exposition {
    let quality = |wished: &str| {
        let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let medias = accepts.flat_map(|value| value.split(','));
        let of = medias.filter_map(|media| {
            let mut parts = media.split(';').map(str::trim);
            if parts.next() != Some(wished) {
                return None;
            }
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            quality.map_or(Some(1.0), |quality| quality.parse::<f32>().ok())
        });
        of.fold(0.0, f32::max)
    };
    let open = quality("application/openmetrics-text");
    if open > 0.0 && open >= quality("text/plain") {
        Exposition::OpenMetrics
    } else {
        Exposition::Text
    }
}
