//! Authorities, what they sign, a server that shows it, and a client that believes it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use ticketd::server::{Config, TlsFiles};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Client, Dir, Served, in_time};

/// A client's end of a TLS connection.
pub(super) type Line = TlsStream<TcpStream>;

/// Whose word counts.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, PEM.
#[derive(Clone)]
pub(super) struct Signed {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate of a server on this machine.
    pub(super) fn server(&self) -> Signed {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// A client's certificate, by its URI.
    pub(super) fn client(&self, uri: &str) -> Signed {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.try_into().expect("a URI"))];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Signed {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate").pem();
        Signed { certificate, key: key.serialize_pem() }
    }
}

/// The files of a server.
pub(super) struct Files {
    dir: Dir,
}

impl Files {
    pub(super) fn new(server: &Signed) -> Self {
        let files = Self { dir: Dir::new() };
        files.put(server);
        files
    }

    /// Puts another certificate and its key there.
    pub(super) fn put(&self, server: &Signed) {
        self.write("cert.pem", &server.certificate);
        self.write("key.pem", &server.key);
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.join(name), text).expect("can be written");
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("is text").to_owned()
    }

    /// A configuration with these files.
    pub(super) fn config(&self) -> Config {
        let authorities = self.path("clients.pem");
        let client_authorities = authorities.exists().then_some(authorities);
        let (certificate, key) = (self.path("cert.pem"), self.path("key.pem"));
        let tls = Some(TlsFiles { certificate, key, client_authorities });
        Config { tls, ..Config::default() }
    }
}

/// A server that shows a certificate, and the authority that signed it.
pub(super) struct World {
    pub(super) authority: Authority,
    pub(super) files: Files,
    pub(super) served: Served,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|config| config).await
    }

    pub(super) async fn with(change: impl FnOnce(Config) -> Config) -> Self {
        let authority = Authority::new("one");
        let files = Files::new(&authority.server());
        let served = Served::with(change(files.config())).await;
        Self { authority, files, served }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.served.address
    }

    pub(super) fn dialer(&self) -> Dialer {
        Dialer::new(&self.authority)
    }

    /// A client of REST behind a handshake.
    pub(super) async fn client(&self) -> Client<Line> {
        Client::over(self.dialer().dial(self.address()).await)
    }
}

/// How a client dials.
#[derive(Clone)]
pub(super) struct Dialer {
    roots: RootCertStore,
    shown: Option<Signed>,
    versions: Vec<&'static SupportedProtocolVersion>,
    protocols: Vec<Vec<u8>>,
    /// The same one for all handshakes, so that they can be resumed.
    config: Option<Arc<ClientConfig>>,
}

impl Dialer {
    /// It believes this authority.
    pub(super) fn new(authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        let der = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM");
        roots.add(der).expect("a certificate");
        let versions = rustls::ALL_VERSIONS.to_vec();
        Self { roots, shown: None, versions, protocols: Vec::new(), config: None }
    }

    /// It shows this certificate if it is asked for one.
    pub(super) fn showing(self, shown: Signed) -> Self {
        Self { shown: Some(shown), ..self }
    }

    /// It knows this version only.
    pub(super) fn version(self, version: &'static SupportedProtocolVersion) -> Self {
        Self { versions: vec![version], ..self }
    }

    /// It would speak one of these behind the handshake.
    pub(super) fn protocols(self, protocols: &[&str]) -> Self {
        Self { protocols: protocols.iter().map(|it| it.as_bytes().to_vec()).collect(), ..self }
    }

    /// It resumes handshakes where it can.
    pub(super) fn resuming(self) -> Self {
        Self { config: Some(Arc::new(self.config())), ..self }
    }

    fn config(&self) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .expect("versions")
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.shown {
            None => builder.with_no_client_auth(),
            Some(Signed { certificate, key }) => {
                let chain = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(vec![chain], key).expect("its key")
            }
        };
        config.alpn_protocols.clone_from(&self.protocols);
        config
    }

    /// Shakes hands, or fails to.
    pub(super) async fn try_dial(&self, address: SocketAddr) -> std::io::Result<Line> {
        let stream = in_time(TcpStream::connect(address)).await.expect("a connection");
        let name = ServerName::try_from("localhost").expect("a name");
        let config = self.config.clone().unwrap_or_else(|| Arc::new(self.config()));
        in_time(TlsConnector::from(config).connect(name, stream)).await
    }

    pub(super) async fn dial(&self, address: SocketAddr) -> Line {
        self.try_dial(address).await.expect("a handshake")
    }
}
