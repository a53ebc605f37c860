//! One connection: served by hyper until it idles, is cut, or the server stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::ServiceExt;
use tracing::Level;

use crate::server::app::App;
use crate::server::http::keep_alive;
use crate::wire::without_ids;

use super::idle::{Traffic, UnderWay};
use super::lingering::Lingering;
use super::peer::Peer;

/// Most bytes of a request's head.
const HEAD_MAX_BYTES: usize = 16 * 1024;

/// Serves one connection to its end.
pub(crate) async fn serve(stream: TcpStream, peer: SocketAddr, app: Arc<App>, router: Router) {
    let admission = Arc::new(app.limits.enter(peer.ip()));
    let idle = Duration::from_millis(app.config.idle_ms.into());
    let told_idle = match idle.as_secs() {
        0 => None,
        seconds => HeaderValue::try_from(format!("timeout={seconds}")).ok(),
    };
    let traffic = Arc::new(Traffic::new(app.stopping.clone()));
    let counted = traffic.clone();
    let stream = Lingering::new(stream, traffic.written.clone(), &app.tasks);
    let line = stream.line();
    let from = Arc::new(Peer { address: peer, admission, line: line.clone() });
    let service = service_fn(move |mut request: Request<Incoming>| {
        let refused = from.admission.is_too_many();
        request.extensions_mut().insert(from.clone());
        let (router, under_way) = (router.clone(), counted.begin());
        let goes_on = !refused && keep_alive::goes_on(&request);
        let told_idle = told_idle.clone().filter(|_| goes_on);
        async move {
            if !tracing::enabled!(Level::DEBUG) {
                let answer = answer(router, request, told_idle, &under_way).await?;
                return Ok(last_if(refused, answer));
            }
            let (method, path) = (request.method().clone(), without_ids(request.uri().path()));
            let answer = answer(router, request, told_idle, &under_way).await;
            let answer = answer.map(|answer| last_if(refused, answer));
            let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            tracing::debug!(%peer, %method, path, status);
            answer
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        // Who has finished sending still gets its answers; who waits in a queue looks at the line.
        .half_close(true)
        .max_buf_size(HEAD_MAX_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = traffic.none(idle) => return,
        // Nobody can be answered any more: grants that were not handed over are undone.
        () = line.cut() => return,
        () = app.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(why) = ended {
        tracing::debug!(%why, "connection");
    }
}

/// The answer to one of too many connections, which is its last; unless it becomes a socket, which
/// may turn out to be none too many.
fn last_if(refused: bool, mut answer: Response<Body>) -> Response<Body> {
    if refused && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    told_idle: Option<HeaderValue>,
    under_way: &UnderWay,
) -> Result<Response<Body>, Infallible> {
    let has_body = !request.body().is_end_stream();
    let mut answer = match keep_alive::refused(&request) {
        Some(refusal) => refusal,
        None => router.oneshot(request).await?,
    };
    // A body that nobody has read may be the end of the line.
    let is_unread = has_body && !answer.status().is_success();
    if let Some(idle) = told_idle
        && !is_unread
        && !under_way.is_last()
    {
        keep_alive::tell_idle(&mut answer, idle);
    }
    Ok(answer)
}
