//! What comes before the first request where TLS is spoken.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use crate::server::tls::ClientCertificate;

use super::lingering::Lingering;
use super::secured::Secured;

/// How long a handshake may take, from the moment at which the connection was accepted.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// What is said to who speaks HTTP where TLS is spoken.
const PLAIN: &str = "this port speaks TLS: use https:// or wss://\n";

/// What a handshake has come to.
pub(super) enum Shaken {
    /// The client, and what it showed.
    Hands(Secured, Option<ClientCertificate>),
    /// The client has gone before it said anything, or said nothing for too long.
    Silent,
    /// There is none, and why.
    Refused(io::Error),
}

/// Shakes hands with a client.
pub(super) async fn shake(stream: Lingering, config: Arc<ServerConfig>) -> Shaken {
    let shaking = tokio::time::timeout(HANDSHAKE_MAX, shake_patiently(stream, config));
    shaking.await.unwrap_or(Shaken::Silent)
}

async fn shake_patiently(mut stream: Lingering, config: Arc<ServerConfig>) -> Shaken {
    match stream.first_byte().await {
        Ok(Some(first)) if first.is_ascii_alphabetic() => {
            // Whether the answer is taken or not: it is the last.
            let _ = stream.write_all(refusal().as_bytes()).await;
            return Shaken::Refused(io::Error::other("plain HTTP where TLS is spoken"));
        }
        Ok(Some(_)) => {}
        Ok(None) | Err(_) => return Shaken::Silent,
    }
    match TlsAcceptor::from(config).accept(stream).await {
        Ok(stream) => {
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let certificate = shown.and_then(ClientCertificate::read);
            Shaken::Hands(Secured::new(stream), certificate)
        }
        Err(why) => Shaken::Refused(why),
    }
}

/// An answer to plain HTTP. It is made by hand: hyper serves who shook hands.
fn refusal() -> String {
    let length = PLAIN.len();
    let media = "text/plain; charset=utf-8";
    let head = format!("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: {media}");
    format!("{head}\r\ncontent-length: {length}\r\n\r\n{PLAIN}")
}
