//! Connections: taken, served by hyper, and let go when the server stops.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::Level;

use crate::wire::without_ids;

use super::App;
use super::answer::Answer;
use super::guard::Visit;
use super::http;
use super::line::Line;
use super::linger::Lingering;

/// Most bytes of a request's head.
const HEAD_MAX_BYTES: usize = 16 * 1024;
/// How long accepting pauses when the system has no room for a connection.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);
/// What the kernel keeps for a connection that does not read, in bytes: what is beyond waits in
/// outboxes, which are bounded.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) visit: Arc<Visit>,
    pub(crate) line: Line,
}

/// Listens on `host:port`; an empty host is all of them, of both families.
pub(crate) async fn bind(listen: &str) -> io::Result<TcpListener> {
    let Some(port) = listen.strip_prefix(':') else {
        let mut addresses = lookup_host(listen).await?;
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "no such address");
        return listen_on(addresses.next().ok_or_else(none)?);
    };
    let invalid = |_| io::Error::new(io::ErrorKind::InvalidInput, "invalid port");
    let port = port.parse().map_err(invalid)?;
    match listen_on((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(why) if why.kind() != io::ErrorKind::AddrInUse => {
            tracing::debug!(%why, "no IPv6");
            listen_on((Ipv4Addr::UNSPECIFIED, port).into())
        }
        listening => listening,
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Whatever the system's default is: who comes by IPv4 is taken, too.
        set_ipv6_v6only(&socket, false)?;
    }
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections for ever and serves each in a task of its own.
pub(crate) async fn accept(listener: &TcpListener, app: &App, router: &Router) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(why) = stream.set_nodelay(true) {
                    tracing::debug!(%why, "TCP_NODELAY");
                }
                // Who comes by IPv4 to a socket of both families is shown and counted as such.
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                app.tasks.spawn(serve(stream, peer, app.clone(), router.clone()));
            }
            // The client has gone already.
            Err(why) if is_of_connection(&why) => {}
            Err(why) => {
                tracing::warn!(%why, "cannot accept; pausing");
                tokio::time::sleep(NO_ROOM_PAUSE).await;
            }
        }
    }
}

fn is_of_connection(why: &io::Error) -> bool {
    matches!(
        why.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Serves one connection to its end.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, app: App, router: Router) {
    let visit = Arc::new(app.guard.enter(peer.ip()));
    let idle = Duration::from_millis(app.config.idle_ms.into());
    let told_idle = match idle.as_secs() {
        0 => None,
        seconds => HeaderValue::try_from(format!("timeout={seconds}")).ok(),
    };
    let traffic = Traffic { stopping: app.stopping.clone(), ..Traffic::default() };
    let traffic = Arc::new(traffic);
    let counted = traffic.clone();
    let stream = Lingering::new(stream, traffic.written.clone(), &app.tasks);
    let line = stream.line();
    let theirs = line.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let line = theirs.clone();
        let refused = visit.is_too_many();
        request.extensions_mut().insert(Peer { address: peer, visit: visit.clone(), line });
        let (router, under_way) = (router.clone(), counted.begin());
        let goes_on = !refused && http::goes_on(&request);
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
fn last_if(refused: bool, mut answer: Answer) -> Answer {
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
    let mut answer = match http::refused(&request) {
        Some(refusal) => refusal,
        None => router.oneshot(request).await?,
    };
    // A body that nobody has read may be the end of the line.
    let is_unread = has_body && !answer.status().is_success();
    if let Some(idle) = told_idle
        && !is_unread
        && !under_way.is_last()
    {
        http::tell_idle(&mut answer, idle);
    }
    Ok(answer)
}

/// What goes on on a connection. One timer watches it, however many requests it serves.
#[derive(Debug, Default)]
struct Traffic {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Writes that went through: an answer may take its reader longer than its handler took.
    written: Arc<AtomicU64>,
    /// The server stops: what is under way is the last.
    stopping: CancellationToken,
}

impl Traffic {
    /// Counts a request for as long as what is returned lives.
    fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    /// Waits until `idle` has passed in which no request was under way and nothing was written; at
    /// most twice as long.
    async fn none(&self, idle: Duration) {
        let mut last = (0, 0);
        loop {
            tokio::time::sleep(idle).await;
            let [begun, ended, written] =
                [&self.begun, &self.ended, &*self.written].map(|n| n.load(Ordering::Relaxed));
            if begun == ended && last == (begun, written) {
                return;
            }
            last = (ended, written);
        }
    }
}

/// A request under way.
struct UnderWay(Arc<Traffic>);

impl UnderWay {
    fn is_last(&self) -> bool {
        self.0.stopping.is_cancelled()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(15);

    /// A dump that its reader took 49 s for was cut after 30: its handler had long ended.
    #[tokio::test(start_paused = true)]
    async fn a_connection_that_still_writes_is_not_idle() {
        let traffic = Arc::new(Traffic::default());
        drop(traffic.begin());
        let theirs = traffic.clone();
        let watch = tokio::spawn(async move { theirs.none(IDLE).await });
        for _ in 0..20 {
            tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
            traffic.written.fetch_add(1, Ordering::Relaxed);
        }
        assert!(!watch.is_finished(), "it was cut while it was written to");
        let under_way = traffic.begin();
        tokio::time::sleep(IDLE * 4).await;
        assert!(!watch.is_finished(), "it was cut while a request waited");
        drop(under_way);
        tokio::time::sleep(IDLE * 3).await;
        assert!(watch.is_finished(), "it was idle");
    }
}
