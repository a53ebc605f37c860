//! What may be wrong with a server's certificate, its key or its clients' authorities.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem;

/// What is wrong, and in which file.
#[derive(Debug)]
pub struct TlsFault {
    path: PathBuf,
    fault: PemFault,
}

/// What may be wrong with one file.
#[derive(Debug)]
pub enum PemFault {
    /// It cannot be read.
    Unread(io::Error),
    /// It is no PEM.
    NotPem,
    /// There is no certificate in it.
    NoCertificate,
    /// There is no private key in it, or one that a password hides.
    NoKey,
    /// One of its certificates is none that can be used.
    BadCertificate(rustls::Error),
    /// Its key is none that can be used.
    BadKey(rustls::Error),
    /// Its key is not that of the certificate.
    OtherKey,
}

impl PemFault {
    pub(super) fn of(self, path: &Path) -> TlsFault {
        TlsFault { path: path.to_owned(), fault: self }
    }

    /// What is wrong where PEM was read. What stood in the file is not told: it may be a key.
    pub(super) fn of_pem(why: &pem::Error, nothing: Self) -> Self {
        if matches!(why, pem::Error::NoItemsFound) { nothing } else { Self::NotPem }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.fault)
    }
}

impl fmt::Display for PemFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(why) => why.fmt(f),
            Self::NotPem => f.write_str("is no PEM"),
            Self::NoCertificate => f.write_str("has no certificate (PEM)"),
            Self::NoKey => f.write_str("has no private key (PEM, without a password)"),
            Self::BadCertificate(why) => write!(f, "a certificate cannot be used: {why}"),
            Self::BadKey(why) => write!(f, "the key cannot be used: {why}"),
            Self::OtherKey => f.write_str("the key is not that of the certificate"),
        }
    }
}

impl std::error::Error for TlsFault {}
