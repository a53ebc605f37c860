//! A certificate for a server, and clients that believe it.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Outcome;

const PATIENCE: Duration = Duration::from_secs(20);

/// A client's end of a TLS connection.
pub(crate) type TlsLine = StreamOwned<ClientConnection, TcpStream>;

/// A certificate that signs itself, in files that go with this.
#[derive(Debug)]
pub(crate) struct Certificate {
    dir: PathBuf,
    roots: RootCertStore,
}

impl Certificate {
    pub(crate) fn new(algorithm: &'static SignatureAlgorithm) -> Outcome<Self> {
        let dir = std::env::temp_dir().join(format!("ticketd-bench-tls-{}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let key = KeyPair::generate_for(algorithm)?;
        let made = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
        std::fs::write(dir.join("cert.pem"), made.pem())?;
        std::fs::write(dir.join("key.pem"), key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.der().clone())?;
        Ok(Self { dir, roots })
    }

    /// Options of a server that shows it.
    pub(crate) fn options(&self) -> [String; 4] {
        let path = |name| self.dir.join(name).display().to_string();
        ["--tls-cert".to_owned(), path("cert.pem"), "--tls-key".to_owned(), path("key.pem")]
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Dials servers that show a certificate.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Dialer {
    /// One that resumes handshakes, or makes each anew.
    pub(crate) fn new(certificate: &Certificate, resumes: bool) -> Outcome<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(certificate.roots.clone())
            .with_no_client_auth();
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        Ok(Self { config: Arc::new(config), name: ServerName::try_from("localhost")? })
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    pub(crate) fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// Connects. Hands are shaken with the first bytes that are written.
    pub(crate) fn dial(&self, address: SocketAddr) -> Outcome<TlsLine> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(StreamOwned::new(ClientConnection::new(self.config(), self.name())?, stream))
    }
}
