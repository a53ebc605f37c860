//! Connections: taken, served by hyper, and let go when the server stops.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tower::ServiceExt;
use tracing::Level;

use crate::wire::without_ids;

use super::App;
use super::answer::Answer;
use super::guard::Visit;
use super::linger::Lingering;

/// How long a connection is idle, or a request's head on its way, before it is closed; at most
/// twice as long.
const IDLE_MAX: Duration = Duration::from_secs(15);
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
}

/// Listens on `host:port`; an empty host is all of them, as in Go.
pub(crate) async fn bind(listen: &str) -> io::Result<TcpListener> {
    let address = match listen.strip_prefix(':') {
        Some(port) => match port.parse() {
            Ok(port) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
            Err(_) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "invalid port")),
        },
        None => lookup_host(listen)
            .await?
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no such address"))?,
    };
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
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

async fn serve(stream: TcpStream, peer: SocketAddr, app: App, router: Router) {
    let visit = Arc::new(app.guard.enter(peer.ip()));
    let traffic = Arc::new(Traffic::default());
    let counted = traffic.clone();
    let stream = Lingering::new(stream, traffic.written.clone(), &app.tasks);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer { address: peer, visit: visit.clone() });
        let (router, under_way, refused) = (router.clone(), counted.begin(), visit.is_too_many());
        async move {
            let _under_way = under_way;
            if !tracing::enabled!(Level::DEBUG) {
                return Ok(last_if(refused, router.oneshot(request).await?));
            }
            let (method, path) = (request.method().clone(), without_ids(request.uri().path()));
            let answer = router.oneshot(request).await.map(|answer| last_if(refused, answer));
            let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            tracing::debug!(%peer, %method, path, status);
            answer
        }
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_MAX_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = traffic.none() => return,
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

/// What goes on on a connection. One timer watches it, however many requests it serves.
#[derive(Debug, Default)]
struct Traffic {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Writes that went through: an answer may take its reader longer than its handler took.
    written: Arc<AtomicU64>,
}

impl Traffic {
    /// Counts a request for as long as what is returned lives.
    fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    /// Waits until a while has passed in which no request was under way and nothing was written.
    async fn none(&self) {
        let mut last = (0, 0);
        loop {
            tokio::time::sleep(IDLE_MAX).await;
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

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dump that its reader took 49 s for was cut after 30: its handler had long ended.
    #[tokio::test(start_paused = true)]
    async fn a_connection_that_still_writes_is_not_idle() {
        let traffic = Arc::new(Traffic::default());
        drop(traffic.begin());
        let theirs = traffic.clone();
        let watch = tokio::spawn(async move { theirs.none().await });
        for _ in 0..20 {
            tokio::time::sleep(IDLE_MAX - Duration::from_secs(1)).await;
            traffic.written.fetch_add(1, Ordering::Relaxed);
        }
        assert!(!watch.is_finished(), "it was cut while it was written to");
        let under_way = traffic.begin();
        tokio::time::sleep(IDLE_MAX * 4).await;
        assert!(!watch.is_finished(), "it was cut while a request waited");
        drop(under_way);
        tokio::time::sleep(IDLE_MAX * 3).await;
        assert!(watch.is_finished(), "it was idle");
    }
}
