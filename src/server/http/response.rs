//! Answers as HTTP responses.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::access::Denied;
use crate::machine::Fence;
use crate::wire::{Code, Problem, problem};

use super::request::WaitWish;

/// The header that carries the fence of what was granted or confirmed.
pub(crate) const FENCE_HEADER: HeaderName = HeaderName::from_static("ticketd-fence");

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

const BAD_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const DOCUMENT: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An answer that is on its way out.
pub(crate) type HttpAnswer = Response<Body>;

/// An answer 200 in JSON.
pub(crate) fn json(text: impl Into<Body>) -> HttpAnswer {
    typed(StatusCode::OK, JSON, text)
}

/// A stream of events, which nobody on the way is to keep.
pub(crate) fn event_stream(body: Body) -> HttpAnswer {
    let mut answer = typed(StatusCode::OK, EVENT_STREAM, body);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The same, with the fence of a hold.
pub(crate) fn json_with_fence(text: impl Into<Body>, fence: Fence) -> HttpAnswer {
    let mut answer = json(text);
    answer.headers_mut().insert(FENCE_HEADER, HeaderValue::from(fence.0));
    answer
}

/// The answer to a request that would wait. How long is told if a header said so, since a header
/// may be ignored. (RFC 7240, section 3)
pub(crate) fn after(wait: WaitWish, mut answer: HttpAnswer) -> HttpAnswer {
    let applied = wait.preferred.then(|| format!("wait={}", wait.ms / 1000));
    if let Some(Ok(applied)) = applied.map(HeaderValue::try_from) {
        answer.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    answer
}

/// An error, in the form that the client asks for.
pub(crate) fn problem(problem: &Problem, documents: bool) -> HttpAnswer {
    let status = StatusCode::from_u16(problem.code.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = if documents {
        typed(status, DOCUMENT, problem.document())
    } else {
        typed(status, TEXT, problem.line())
    };
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, BAD_TOKEN);
    }
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(problem.retry_after_s));
    }
    answer
}

/// Somebody is not known, or nobody may come in so. Why is not said: whoever tries tokens learns
/// nothing.
pub(crate) fn denied(denied: &Denied, documents: bool) -> HttpAnswer {
    let code = match denied.retry_after() {
        Some(_) => Code::Limit,
        None => Code::Unauthorized,
    };
    let mut answer = problem(&Problem::new(code, denied.detail()), documents);
    match denied.retry_after() {
        Some(after_s) => answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(after_s)),
        None => {
            let challenge = HeaderValue::from_static(denied.challenge());
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge)
        }
    };
    answer
}

/// Figures of now.
pub(crate) fn figures(media: &'static str, text: String) -> HttpAnswer {
    let mut answer = typed(StatusCode::OK, HeaderValue::from_static(media), text);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A word, which whoever keeps it has of yesterday.
pub(crate) fn word(status: StatusCode, word: &'static str) -> HttpAnswer {
    let mut answer = typed(status, TEXT, word);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// What HTTP itself refuses: there is no such path, or not with this method.
pub(crate) fn refusal(status: StatusCode, documents: bool) -> HttpAnswer {
    let detail = status.canonical_reason().unwrap_or("error").to_lowercase();
    refusal_that_says(status, &detail, documents)
}

/// The same in words of its own.
pub(crate) fn refusal_that_says(status: StatusCode, detail: &str, documents: bool) -> HttpAnswer {
    if documents {
        typed(status, DOCUMENT, problem::document(status.as_u16(), None, detail))
    } else {
        typed(status, TEXT, format!("{detail}\n"))
    }
}

fn typed(status: StatusCode, media: HeaderValue, body: impl Into<Body>) -> HttpAnswer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, media);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_for_now_is_told_when_to_ask_again() {
        for (code, told) in
            [(Code::Unavailable, true), (Code::Limit, true), (Code::SessionNotFound, false)]
        {
            for documents in [true, false] {
                let answer = problem(&Problem::new(code, "no"), documents);
                assert_eq!(answer.headers().contains_key(RETRY_AFTER), told, "{code:?}");
            }
        }
    }
}
