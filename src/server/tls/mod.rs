//! TLS: the files that it is made of, what handshakes are made with now, and what a client's
//! certificate says. Connections do the rest.

mod certificate;
mod config;
mod current;
mod fault;
mod files;

pub(crate) use certificate::ClientCertificate;
pub(crate) use current::Tls;
pub use fault::{PemFault, TlsFault};
pub use files::TlsFiles;
