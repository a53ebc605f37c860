//! `ticketd healthcheck`: whether a server near by is well. It needs nothing that an image might
//! lack.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};
use url::Url;

use super::report::complain;

/// How long an answer may take: the server itself takes a second to find out that it is stuck.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Most bytes of an answer that are read.
const ANSWER_MAX_BYTES: u64 = 4096;

pub(super) fn run(url: &Url) -> ExitCode {
    match status(url) {
        Ok(200) => ExitCode::SUCCESS,
        Ok(status) => {
            complain(&format!("{url} answers {status}"));
            ExitCode::FAILURE
        }
        Err(why) => {
            complain(&format!("{url}: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// What asking for `/healthz` is answered.
fn status(url: &Url) -> io::Result<u16> {
    let host = url.host_str().ok_or_else(|| invalid("there is no host"))?;
    let port = url.port_or_known_default().ok_or_else(|| invalid("there is no port"))?;
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let line = connect(name, port)?;
    line.set_read_timeout(Some(ANSWER_MAX))?;
    line.set_write_timeout(Some(ANSWER_MAX))?;
    match url.scheme() {
        "http" => ask(line, host, port),
        "https" => ask(StreamOwned::new(handshake(name)?, line), host, port),
        _ => Err(invalid("it is neither http nor https")),
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// To the first of its addresses that takes the connection.
fn connect(name: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = invalid("there is no such address");
    for address in (name, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWER_MAX) {
            Ok(line) => return Ok(line),
            Err(why) => last = why,
        }
    }
    Err(last)
}

/// Any certificate will do: the server is told nothing, and one that is not the one meant only
/// makes a wrong answer.
fn handshake(name: &str) -> io::Result<ClientConnection> {
    let provider = default_provider();
    let verifier = TakesAny(provider.signature_verification_algorithms);
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
}

fn ask(mut line: impl Read + Write, host: &str, port: u16) -> io::Result<u16> {
    let request =
        format!("GET /healthz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
    line.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    line.take(ANSWER_MAX_BYTES).read_to_end(&mut answer)?;
    let line = answer.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = status.and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "that is no answer of HTTP"))
}

/// Whoever has the key of the certificate that it shows.
#[derive(Debug)]
struct TakesAny(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for TakesAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
