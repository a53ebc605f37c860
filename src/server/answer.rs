//! Answers as HTTP responses.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::machine::Fence;
use crate::wire::{Problem, problem};

/// The header that carries the fence of what was granted or confirmed.
pub(crate) const FENCE_HEADER: HeaderName = HeaderName::from_static("ticketd-fence");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const DOCUMENT: HeaderValue = HeaderValue::from_static("application/problem+json");

pub(crate) type Answer = Response<Body>;

/// An answer 200 in JSON.
pub(crate) fn json(text: impl Into<Body>) -> Answer {
    typed(StatusCode::OK, JSON, text)
}

/// The same, with the fence of a hold.
pub(crate) fn json_with_fence(text: impl Into<Body>, fence: Fence) -> Answer {
    let mut answer = json(text);
    answer.headers_mut().insert(FENCE_HEADER, HeaderValue::from(fence.0));
    answer
}

/// An error, in the form that the client asks for.
pub(crate) fn problem(problem: &Problem, documents: bool) -> Answer {
    let status = StatusCode::from_u16(problem.code.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if documents {
        typed(status, DOCUMENT, problem.document())
    } else {
        typed(status, TEXT, problem.line())
    }
}

/// What HTTP itself refuses: there is no such path, or not with this method.
pub(crate) fn refusal(status: StatusCode, documents: bool) -> Answer {
    let detail = status.canonical_reason().unwrap_or("error").to_lowercase();
    if documents {
        typed(status, DOCUMENT, problem::document(status.as_u16(), None, &detail))
    } else {
        typed(status, TEXT, format!("{detail}\n"))
    }
}

fn typed(status: StatusCode, media: HeaderValue, body: impl Into<Body>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, media);
    answer
}
