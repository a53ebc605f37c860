//! `GET /api/v1/ws`: who may become a socket.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::notices::Kind;
use crate::wire::socket::SUBPROTOCOL;
use crate::wire::{Code, Problem};

use super::App;
use super::answer::{self, Answer};
use super::call::{Call, wants_documents};
use super::connections::Peer;
use super::socket::{Context, WebSocket, serve};

const GET: HeaderValue = HeaderValue::from_static("GET");
const UPGRADES: HeaderValue = HeaderValue::from_static("upgrade");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
/// The version of RFC 6455.
const VERSION: HeaderValue = HeaderValue::from_static("13");

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
    if parts.method != Method::GET {
        return refused(StatusCode::METHOD_NOT_ALLOWED, documents, [(ALLOW, GET)]);
    }
    if let Err(problem) = app.admit(&parts) {
        return answer::problem(&problem, documents);
    }
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let Some(upgrade) = upgrade.filter(|_| is_meant(&parts.headers)) else {
        let headers =
            [(CONNECTION, UPGRADES), (UPGRADE, WEBSOCKET), (SEC_WEBSOCKET_VERSION, VERSION)];
        return refused(StatusCode::UPGRADE_REQUIRED, documents, headers);
    };
    let Some(key) = parts.headers.get(SEC_WEBSOCKET_KEY) else {
        return answer::refusal(StatusCode::BAD_REQUEST, documents);
    };
    let answer = switching(key, &parts.headers);
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.address.ip());
    let Some(nameless) = app.nameless.enter(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    else {
        app.notices.refused(Kind::Nameless, &source);
        let problem = Problem::new(Code::Limit, "too many sockets have not said hello");
        return answer::problem(&problem, documents);
    };
    let (open, task) = (Counted::new(&app.sockets), app.tasks.token());
    let (driver, stopping) = (app.driver.clone(), app.stopping.clone());
    let context = Context { driver, source, stopping, nameless: Some(nameless), visit };
    tokio::spawn(async move {
        if let Some(socket) = Box::pin(WebSocket::upgraded(upgrade)).await {
            serve(socket, context).await;
        }
        drop((open, task));
    });
    answer
}

fn refused<const N: usize>(
    status: StatusCode,
    documents: bool,
    headers: [(HeaderName, HeaderValue); N],
) -> Answer {
    let mut answer = answer::refusal(status, documents);
    answer.headers_mut().extend(headers);
    answer
}

/// Whether a request asks to become a WebSocket of the one version that there is.
fn is_meant(headers: &HeaderMap) -> bool {
    lists(headers, &CONNECTION, "upgrade")
        && lists(headers, &UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == VERSION)
}

/// Whether a header has this among its items, which may stand on several lines.
fn lists(headers: &HeaderMap, name: &HeaderName, item: &str) -> bool {
    items(headers, name).any(|listed| listed.eq_ignore_ascii_case(item.as_bytes()))
}

fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).iter();
    lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

/// The answer to a handshake that is accepted.
fn switching(key: &HeaderValue, headers: &HeaderMap) -> Answer {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
    let said = answer.headers_mut();
    said.extend([(CONNECTION, UPGRADES), (UPGRADE, WEBSOCKET)]);
    said.extend(accept.ok().map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
    if items(headers, &SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == SUBPROTOCOL.as_bytes()) {
        said.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    answer
}
