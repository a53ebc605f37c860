//! `GET /api/v1/ws`: who may become a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::IntoResponse;

use crate::wire::socket::{FRAME_MAX_BYTES, SUBPROTOCOL};
use crate::wire::{Code, Problem};

use super::App;
use super::answer::{self, Answer};
use super::call::{Call, wants_documents};
use super::socket::{Context, serve};

/// Most sockets that have not said `hello` yet.
pub const NAMELESS_MAX: usize = 1000;
/// What is read from a socket at a time, and gathered before it is written, in bytes. A socket
/// that is silent costs this much.
const BUFFER_BYTES: usize = 4 * 1024;
/// What may wait in a socket's write buffer, in bytes.
const WRITE_MAX_BYTES: usize = 256 * 1024;

/// Counts something as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(crate) fn new(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) async fn upgrade(State(app): State<App>, request: Request) -> Answer {
    let call = Call::new(request);
    let (source, visit) = (call.source(), call.visit());
    let mut parts = call.into_parts();
    let documents = wants_documents(&parts.headers);
    if !may_come(&parts.headers, &app.config.allow_origins) {
        let problem = Problem::new(Code::Forbidden, "pages of this origin may not connect");
        return answer::problem(&problem, documents);
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(why) => return answer::refusal(why.into_response().status(), documents),
    };
    if app.nameless.load(Ordering::Relaxed) >= NAMELESS_MAX {
        let problem = Problem::new(Code::Limit, "too many sockets have not said hello");
        return answer::problem(&problem, documents);
    }
    let nameless = Counted::new(&app.nameless);
    let open = Counted::new(&app.sockets);
    let task = app.tasks.token();
    let (driver, stopping) = (app.driver.clone(), app.stopping.clone());
    let context = Context { driver, source, stopping, nameless: Some(nameless), visit };
    upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(WRITE_MAX_BYTES)
        .max_message_size(FRAME_MAX_BYTES)
        .max_frame_size(FRAME_MAX_BYTES)
        .on_upgrade(move |socket| {
            let serving = serve(socket, context);
            async move {
                serving.await;
                drop((open, task));
            }
        })
}

/// Browsers name the page that asks: it must be the server's own or an allowed one. Other
/// programs name none.
fn may_come(headers: &HeaderMap, allowed: &[HeaderValue]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    if allowed.iter().any(|allowed| allowed == "*" || allowed == origin) {
        return true;
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let (Some(host), Ok(origin)) = (host, origin.to_str()) else { return false };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let bare = |host: &str| host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
    bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_come_from_the_own_host_or_an_allowed_one() {
        let allowed = [HeaderValue::from_static("https://app.example")];
        for (origin, host, may) in [
            (None, Some("a:8001"), true),
            (Some("http://a:8001"), Some("a:8001"), true),
            (Some("http://A:8001"), Some("a:8001"), true),
            (Some("http://a"), Some("a:80"), true),
            (Some("https://a"), Some("a"), true),
            (Some("http://a:8002"), Some("a:8001"), false),
            (Some("http://evil"), Some("a:8001"), false),
            (Some("null"), Some("a:8001"), false),
            (Some("https://app.example"), Some("a:8001"), true),
            (Some("http://a:8001"), None, false),
        ] {
            let mut headers = HeaderMap::new();
            origin.map(|origin| headers.insert(ORIGIN, HeaderValue::from_static(origin)));
            host.map(|host| headers.insert(HOST, HeaderValue::from_static(host)));
            assert_eq!(may_come(&headers, &allowed), may, "{origin:?} {host:?}");
        }
    }
}
