//! What a handshake is made with, from the bytes of the files.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig};

use super::fault::{PemFault, TlsFault};
use super::files::{TlsBytes, TlsFiles};

/// The one protocol that is spoken behind a handshake.
const HTTP: &[u8] = b"http/1.1";

/// Makes it of what was read. Whoever resumes a handshake resumes one of the same files: they have
/// their own tickets.
pub(super) fn config(files: &TlsFiles, bytes: &TlsBytes) -> Result<ServerConfig, TlsFault> {
    let chain = certificates(&bytes.certificate).map_err(|it| it.of(&files.certificate))?;
    let key = PrivateKeyDer::from_pem_slice(&bytes.key)
        .map_err(|why| PemFault::of_pem(&why, PemFault::NoKey).of(&files.key))?;
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|why| PemFault::BadKey(why).of(&files.key))?;
    let builder = match (&files.client_authorities, &bytes.client_authorities) {
        (Some(path), Some(bytes)) => {
            let roots = roots(bytes).map_err(|it| it.of(path))?;
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|_| PemFault::NoCertificate.of(path))?;
            builder.with_client_cert_verifier(verifier as Arc<dyn ClientCertVerifier>)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|why| match why {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => PemFault::OtherKey.of(&files.key),
        Error::InvalidCertificate(_) => PemFault::BadCertificate(why).of(&files.certificate),
        _ => PemFault::BadKey(why).of(&files.key),
    })?;
    config.alpn_protocols = vec![HTTP.to_vec()];
    config.ticketer = Ticketer::new().map_err(|why| PemFault::BadKey(why).of(&files.key))?;
    Ok(config)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemFault> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|why| PemFault::of_pem(&why, PemFault::NoCertificate))?;
    if all.is_empty() { Err(PemFault::NoCertificate) } else { Ok(all) }
}

/// The authorities whose word counts.
fn roots(pem: &[u8]) -> Result<RootCertStore, PemFault> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(pem)? {
        roots.add(authority).map_err(PemFault::BadCertificate)?;
    }
    Ok(roots)
}
