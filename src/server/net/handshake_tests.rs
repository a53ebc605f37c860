//! What a handshake tells requests, and how long it may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::routing::get;
use axum::{Extension, Router};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::access::CertificateName;
use crate::driver::Driver;
use crate::server::config::Config;
use crate::server::lifecycle::Server;
use crate::server::tls::TlsFiles;

use super::connection;
use super::peer::Peer;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Issuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate of the authority's, and the directory of its files.
struct Place {
    server: Server,
    dir: std::path::PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

impl Place {
    async fn new(authority: &Issuer, name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("ticketd-{name}-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let put = |name: &str, text: String| {
            std::fs::write(dir.join(name), text).unwrap();
            dir.join(name)
        };
        let tls = TlsFiles {
            certificate: put("cert.pem", params.signed_by(&key, authority).unwrap().pem()),
            key: put("key.pem", key.serialize_pem()),
            client_authorities: Some(put("clients.pem", authority.pem())),
        };
        let config = Config { tls: Some(tls), ..Config::default() };
        Self { server: Server::bind_with(config, Driver::new(500)).await.unwrap(), dir }
    }

    /// Serves one connection by a router of the test's own.
    async fn connect(&self, router: Router) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (client, taken) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, peer) = taken.unwrap();
        tokio::spawn(connection::serve(stream, peer, self.server.app.clone(), router));
        client.unwrap()
    }
}

/// A client that shows a certificate with these names, or none.
fn client(authority: &Issuer, names: Option<Vec<SanType>>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match names {
        None => builder.with_no_client_auth(),
        Some(names) => {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.subject_alt_names = names;
            params.not_after = rcgen::date_time_ymd(2090, 1, 1);
            let chain = vec![params.signed_by(&key, authority).unwrap().der().clone()];
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn requests_know_what_certificate_their_client_showed() {
    let told = |Extension(peer): Extension<Arc<Peer>>, _: Request| async move {
        let shown = peer.certificate.as_ref();
        shown.map_or("none".to_owned(), |it| format!("{:?} {}", it.names, it.ends))
    };
    let authority = authority();
    let place = Place::new(&authority, "names").await;
    let names = vec![
        SanType::DnsName("Builder.example.org".try_into().unwrap()),
        SanType::URI("spiffe://example.org/builder".try_into().unwrap()),
    ];
    let known = [
        CertificateName::dns("builder.example.org"),
        CertificateName::uri("spiffe://example.org/builder"),
    ];
    for (names, says) in [
        (None, "none".to_owned()),
        (Some(Vec::new()), "[] 3786912001".to_owned()),
        (Some(names), format!("{known:?} 3786912001")),
    ] {
        let stream = place.connect(Router::new().route("/", get(told))).await;
        let name = ServerName::try_from("localhost").unwrap();
        let mut line = client(&authority, names).connect(name, stream).await.unwrap();
        line.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with(&format!("\r\n\r\n{says}")), "{answer}");
    }
}

/// Whoever says a byte now and then has no more time than who is silent.
#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "virtual time")]
async fn a_handshake_has_ten_seconds() {
    let place = Place::new(&authority(), "slow").await;
    for said in ["", "\x16\x03\x01\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"] {
        let mut stream = place.connect(Router::new()).await;
        let begin = tokio::time::Instant::now();
        let mut bytes = said.bytes();
        let mut read = [0];
        let ended = loop {
            match tokio::time::timeout(Duration::from_secs(1), stream.read(&mut read)).await {
                Ok(ended) => break ended.unwrap(),
                Err(_) => {
                    let byte: Vec<u8> = bytes.next().into_iter().collect();
                    stream.write_all(&byte).await.unwrap();
                }
            }
        };
        assert_eq!(ended, 0);
        let seconds = begin.elapsed().as_secs_f64();
        assert!((9.9..10.1).contains(&seconds), "{seconds} s");
    }
}
