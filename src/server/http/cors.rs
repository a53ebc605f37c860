//! What browsers are told of pages of other origins (CORS): nothing, but for those that were
//! allowed.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::wire::AllowedOrigin;

use super::request::SESSION_HEADER;
use super::response::FENCE_HEADER;

/// How long a browser may remember what it was allowed.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(600);

/// Tells browsers what pages of these origins may do; none needs no telling.
pub(crate) fn layer(origins: &[AllowedOrigin]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let listed = |allowed: &AllowedOrigin| match allowed {
        AllowedOrigin::Of(origin) => HeaderValue::from_str(origin).ok(),
        AllowedOrigin::Any => None,
    };
    let allowed = if origins.contains(&AllowedOrigin::Any) {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(listed))
    };
    let headers = [
        HeaderName::from_static(SESSION_HEADER),
        AUTHORIZATION,
        CONTENT_TYPE,
        HeaderName::from_static("prefer"),
    ];
    Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers(headers)
            .expose_headers([FENCE_HEADER, RETRY_AFTER, WWW_AUTHENTICATE])
            .max_age(PREFLIGHT_MAX_AGE),
    )
}
