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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::notices::NoticeKind;
use crate::server::app::App;
use crate::server::http::keep_alive;
use crate::server::tls::Tls;

use super::handshake::{Shaken, shake};
use super::idle::{Traffic, UnderWay};
use super::lingering::Lingering;
use super::peer::Peer;
use super::secured::Secured;

/// Most bytes of a request's head.
const HEAD_MAX_BYTES: usize = 16 * 1024;

/// Serves one connection to its end.
pub(crate) async fn serve(stream: TcpStream, peer: SocketAddr, app: Arc<App>, router: Router) {
    let admission = Arc::new(match app.proxies.trust(peer.ip()) {
        true => app.limits.relay(peer.ip()),
        false => app.limits.enter(peer.ip()),
    });
    let traffic = Arc::new(Traffic::new(app.stopping.clone()));
    let stream = Lingering::new(stream, traffic.written.clone(), &app.tasks);
    let peer = Peer {
        address: peer.into(),
        admission,
        line: stream.line(),
        traffic: traffic.clone(),
        certificate: None,
        last_shown: Arc::default(),
    };
    let Some(tls) = app.tls.clone() else {
        return serve_http(stream, peer, traffic, app, router).await;
    };
    // What a handshake needs room for is given back behind it.
    if let Some((stream, peer)) = Box::pin(secure(stream, peer, &tls, &app)).await {
        serve_http(stream, peer, traffic, app, router).await;
    }
}

/// Shakes hands; `None` when the connection ends there.
async fn secure(
    stream: Lingering,
    peer: Peer,
    tls: &Tls,
    app: &Arc<App>,
) -> Option<(Secured, Peer)> {
    let shaken = tokio::select! {
        shaken = shake(stream, tls.config()) => shaken,
        () = app.stopping.cancelled() => return None,
    };
    match shaken {
        Shaken::Hands(stream, certificate) => {
            let peer = Peer { certificate, ..peer };
            if let Some(shown) = &peer.certificate {
                let (names, ends) = (&shown.names, shown.ends);
                tracing::debug!(peer = %peer.address, ?names, ends, "a client's certificate");
            }
            Some((stream, peer))
        }
        Shaken::Silent => None,
        Shaken::Refused(why) => {
            let from = peer.address.ip();
            app.notices.refused(NoticeKind::Handshake, format_args!("{why} from {from}"));
            None
        }
    }
}

/// Serves HTTP by a stream.
async fn serve_http<S>(stream: S, peer: Peer, traffic: Arc<Traffic>, app: Arc<App>, router: Router)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let idle = Duration::from_millis(app.config.idle_ms.into());
    let told_idle = match idle.as_secs() {
        0 => None,
        seconds => HeaderValue::try_from(format!("timeout={seconds}")).ok(),
    };
    let counted = traffic.clone();
    let line = peer.line.clone();
    let (peer, shared) = (Arc::new(peer), app.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        let from = peer.client(request.headers(), &shared.proxies, &shared.limits);
        let refused = from.admission.is_too_many();
        request.extensions_mut().insert(from);
        let (router, under_way) = (router.clone(), counted.begin());
        let goes_on = !refused && keep_alive::goes_on(&request);
        let told_idle = told_idle.clone().filter(|_| goes_on);
        async move {
            let answer = answer(router, request, told_idle, &under_way).await?;
            Ok::<_, Infallible>(last_if(refused, answer))
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
