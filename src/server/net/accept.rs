//! The port: taken, and connections accepted.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

use crate::server::app::App;

use super::connection;

/// How long accepting pauses when the system has no room for a connection.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(100);
/// What the kernel keeps for a connection that does not read, in bytes: what is beyond waits in
/// outboxes, which are bounded.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;

/// Listens on `host:port`; an empty host is all of them, of both families.
pub(crate) async fn bind(listen: &str) -> io::Result<TcpListener> {
    let address = resolve(listen).await?;
    match listen_on(address) {
        Err(why) if listen.starts_with(':') && why.kind() != io::ErrorKind::AddrInUse => {
            tracing::debug!(%why, "no IPv6");
            listen_on((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        listening => listening,
    }
}

/// The address that `host:port` stands for; for an empty host, all of IPv6.
pub(crate) async fn resolve(listen: &str) -> io::Result<SocketAddr> {
    let Some(port) = listen.strip_prefix(':') else {
        let mut addresses = lookup_host(listen).await?;
        let none = || io::Error::new(io::ErrorKind::InvalidInput, "no such address");
        return addresses.next().ok_or_else(none);
    };
    let invalid = |_| io::Error::new(io::ErrorKind::InvalidInput, "invalid port");
    Ok((Ipv6Addr::UNSPECIFIED, port.parse().map_err(invalid)?).into())
}

/// Takes over a socket that listens already.
pub(crate) fn take(socket: std::net::TcpListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
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
pub(crate) async fn accept(listener: &TcpListener, app: &Arc<App>, router: &Router) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(why) = stream.set_nodelay(true) {
                    tracing::debug!(%why, "TCP_NODELAY");
                }
                // Who comes by IPv4 to a socket of both families is shown and counted as such.
                let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
                app.tasks.spawn(connection::serve(stream, peer, app.clone(), router.clone()));
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
