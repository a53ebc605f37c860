//! What HTTP/1.1 itself asks of every request and answer, whatever it is about.

use axum::body::Body;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode, Version};

use super::request::wants_documents;
use super::response;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Refuses a request of HTTP/1.1 that does not say once which host it is for. (RFC 9112, section
/// 3.2)
pub(crate) fn refused<B>(request: &Request<B>) -> Option<Response<Body>> {
    let hosts = request.headers().get_all(HOST).iter().take(2).count();
    if hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11) {
        return None;
    }
    let documents = wants_documents(request.headers());
    let detail = "a request has one Host header";
    Some(response::refusal_that_says(StatusCode::BAD_REQUEST, detail, documents))
}

/// Whether a client would go on with the connection after this request. (RFC 9112, section 9.3)
pub(crate) fn goes_on<B>(request: &Request<B>) -> bool {
    let says = |option: &str| {
        let values = request.headers().get_all(CONNECTION).iter();
        let mut options = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
        options.any(|found| found.trim().eq_ignore_ascii_case(option))
    };
    !says("close") && (request.version() == Version::HTTP_11 || says("keep-alive"))
}

/// Tells how long the connection may idle.
pub(crate) fn tell_idle<B>(answer: &mut Response<B>, idle: HeaderValue) {
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        // What is about the connection is named in that header. (RFC 9110, section 7.6.1)
        answer.headers_mut().append(CONNECTION, HeaderValue::from_static("keep-alive"));
        answer.headers_mut().insert(KEEP_ALIVE, idle);
    }
}
