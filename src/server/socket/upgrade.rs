//! `GET /api/v1/ws`: who may become a socket.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ALLOW, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::access::Denied;
use crate::notices::NoticeKind;
use crate::server::access::enter::{Guest, NotEntered, address};
use crate::server::app::App;
use crate::server::http::request::{Call, wants_documents};
use crate::server::http::response::{self, HttpAnswer};
use crate::server::net::counted::Counted;
use crate::wire::socket::SUBPROTOCOL;
use crate::wire::{Code, Problem};

use super::context::Context;
use super::serve::serve;
use super::stream::WebSocket;

const GET: HeaderValue = HeaderValue::from_static("GET");
const UPGRADES: HeaderValue = HeaderValue::from_static("upgrade");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
/// The version of RFC 6455.
const VERSION: HeaderValue = HeaderValue::from_static("13");

pub(crate) async fn upgrade(app: &Arc<App>, call: Call) -> HttpAnswer {
    let (source, admission) = (call.source(), call.admission());
    let mut parts = call.into_parts();
    let documents = wants_documents(&parts.headers);
    if parts.method != Method::GET {
        return refused(StatusCode::METHOD_NOT_ALLOWED, documents, [(ALLOW, GET)]);
    }
    if let Err(problem) = app.admit(&parts) {
        return response::problem(&problem, documents);
    }
    let guest = match shown(app, &parts) {
        Ok(guest) => guest,
        Err(NotEntered::Denied(denied)) => return response::denied(&denied, documents),
        Err(NotEntered::Problem(problem)) => return response::problem(&problem, documents),
    };
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let Some(upgrade) = upgrade.filter(|_| is_meant(&parts.headers)) else {
        let headers =
            [(CONNECTION, UPGRADES), (UPGRADE, WEBSOCKET), (SEC_WEBSOCKET_VERSION, VERSION)];
        return refused(StatusCode::UPGRADE_REQUIRED, documents, headers);
    };
    let Some(key) = parts.headers.get(SEC_WEBSOCKET_KEY) else {
        return response::refusal(StatusCode::BAD_REQUEST, documents);
    };
    let answer = switching(key, &parts.headers);
    let address = address(&parts);
    let is_known = guest.as_ref().is_some_and(|guest| guest.subject.owner().is_some());
    let nameless = if is_known { None } else { app.nameless.enter(address) };
    if nameless.is_none() && !is_known {
        app.notices.refused(NoticeKind::Nameless, &source);
        let problem = Problem::new(Code::Limit, "too many sockets have not said hello");
        return response::problem(&problem, documents);
    }
    let (open, task) = (Counted::new(&app.sockets), app.tasks.token());
    let (driver, stopping) = (app.driver.clone(), app.stopping.clone());
    let (access, meters) = (app.config.access.clone(), app.meters.clone());
    let context = Context {
        driver,
        meters,
        source,
        stopping,
        nameless,
        address,
        access,
        guest,
        admission,
    };
    tokio::spawn(async move {
        if let Some(socket) = Box::pin(WebSocket::upgraded(upgrade)).await {
            serve(socket, context).await;
        }
        drop((open, task));
    });
    answer
}

/// Who the upgrade shows; `None` where nobody is asked, or nothing is shown yet: `hello` may.
fn shown(app: &App, parts: &Parts) -> Result<Option<Guest>, NotEntered> {
    let Some(access) = &app.config.access else { return Ok(None) };
    match Guest::of(access, app, parts) {
        Ok(guest) => Ok(Some(guest)),
        Err(Denied::Nothing) => Ok(None),
        Err(denied) => {
            app.driver.may_ask().map_err(Problem::from)?;
            Err(NotEntered::Denied(denied))
        }
    }
}

fn refused<const N: usize>(
    status: StatusCode,
    documents: bool,
    headers: [(HeaderName, HeaderValue); N],
) -> HttpAnswer {
    let mut answer = response::refusal(status, documents);
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
fn switching(key: &HeaderValue, headers: &HeaderMap) -> HttpAnswer {
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
