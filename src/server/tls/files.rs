//! The files that TLS is made of, as they lie on disk.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::server::looks::Print;

use super::fault::{PemFault, TlsFault};

/// Where certificates and keys are, all of them PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// The key of the first of them.
    pub key: PathBuf,
    /// The authorities whose clients' certificates are believed; `None` asks for none.
    pub client_authorities: Option<PathBuf>,
}

/// What is in them.
pub(super) struct TlsBytes {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) client_authorities: Option<Vec<u8>>,
}

impl TlsBytes {
    pub(super) fn print(&self) -> Print {
        let files = [&self.certificate, &self.key];
        Print::of(files.into_iter().chain(&self.client_authorities).map(Vec::as_slice))
    }
}

impl TlsFiles {
    /// Reads them all. It may take as long as the disk takes.
    pub(super) fn read(&self) -> Result<TlsBytes, TlsFault> {
        Ok(TlsBytes {
            certificate: read(&self.certificate)?,
            key: read(&self.key)?,
            client_authorities: self.client_authorities.as_deref().map(read).transpose()?,
        })
    }

    /// Reads them again, if that is possible: what is no file on a disk may have nothing more to
    /// say, or wait for somebody who says it.
    pub(super) fn read_again(&self) -> Option<Result<TlsBytes, TlsFault>> {
        let all = [Some(&self.certificate), Some(&self.key), self.client_authorities.as_ref()];
        let is_pipe = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| !found.is_file());
        (!all.into_iter().flatten().any(is_pipe)).then(|| self.read())
    }

    /// Whether anybody on this machine may read the key.
    pub(super) fn key_is_open(&self) -> bool {
        fs::metadata(&self.key).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFault> {
    fs::read(path).map_err(|why: io::Error| PemFault::Unread(why).of(path))
}
