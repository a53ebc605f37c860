//! What handshakes are made with now. It is read again when it is asked for, and by itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::audit::{Audit, AuditLine, AuditWhat};
use crate::meters::Counter;
use crate::server::looks::{Looks, Print, RereadAsked};

use super::certificate::last_second;
use super::config::config;
use super::fault::TlsFault;
use super::files::{TlsBytes, TlsFiles};

/// The server's side of TLS.
pub(crate) struct Tls {
    files: TlsFiles,
    /// What lay in the files at start.
    first: Print,
    current: RwLock<Arc<ServerConfig>>,
    /// When the certificate ends, in s since 1970; 0 when that cannot be told.
    ends_s: AtomicU64,
    /// How often the files were read again and counted, and how often not.
    reloads: (Counter, Counter),
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.files).finish()
    }
}

impl Tls {
    /// Reads the files.
    pub(crate) fn load(files: TlsFiles) -> Result<Self, TlsFault> {
        let bytes = files.read()?;
        let config = config(&files, &bytes)?;
        tell(&files, &bytes);
        Ok(Self {
            first: bytes.print(),
            files,
            current: RwLock::new(Arc::new(config)),
            ends_s: AtomicU64::new(end_of(&bytes).unwrap_or_default()),
            reloads: Default::default(),
        })
    }

    /// What the next handshake is made with; those that were made keep theirs.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.current.read().clone()
    }

    /// When the certificate ends that is shown, in s since 1970.
    pub(crate) fn ends_s(&self) -> Option<u64> {
        Some(self.ends_s.load(Ordering::Relaxed)).filter(|&ends_s| ends_s > 0)
    }

    /// How often the files were read again and counted, and how often not.
    pub(crate) fn reloads(&self) -> (u64, u64) {
        (self.reloads.0.get(), self.reloads.1.get())
    }

    /// Reads the files again whenever `asked` changes, and when they have. The trail, if there is
    /// one, is told.
    pub(crate) async fn keep_up(
        self: Arc<Self>,
        mut asked: RereadAsked,
        audit: Option<Audit>,
    ) {
        let mut looks = Looks::new(self.first);
        while let Some(is_asked) = asked.next().await {
            let files = self.files.clone();
            let read = move || if is_asked { Some(files.read()) } else { files.read_again() };
            let Ok(Some(read)) = tokio::task::spawn_blocking(read).await else { continue };
            let print = match &read {
                Ok(bytes) => bytes.print(),
                Err(why) => Print::of([why.to_string().as_bytes()]),
            };
            if is_asked {
                looks.tried(print);
            } else if !looks.look(print) {
                continue;
            }
            let line = self.take(read);
            audit.iter().for_each(|audit| audit.tell(line.clone()));
            if is_asked {
                asked.done();
            }
        }
    }

    /// Goes on with what was read, or with the old if that is not good; what the trail is told.
    fn take(&self, read: Result<TlsBytes, TlsFault>) -> AuditLine {
        let made = read.and_then(|bytes| Ok((config(&self.files, &bytes)?, bytes)));
        match made {
            Ok((config, bytes)) => {
                *self.current.write() = Arc::new(config);
                self.ends_s.store(end_of(&bytes).unwrap_or_default(), Ordering::Relaxed);
                self.reloads.0.count();
                tell(&self.files, &bytes);
                let reason = Some(self.files.certificate.display().to_string().into());
                AuditLine { reason, ..AuditLine::new(AuditWhat::Reloaded) }
            }
            Err(why) => {
                self.reloads.1.count();
                tracing::error!("the old certificate stays: {why}");
                let reason = Some(why.to_string().into());
                AuditLine { reason, ..AuditLine::new(AuditWhat::ReloadRefused) }
            }
        }
    }
}

/// When the certificate ends, in s since 1970.
fn end_of(bytes: &TlsBytes) -> Option<u64> {
    let first = CertificateDer::from_pem_slice(&bytes.certificate).ok();
    first.and_then(|certificate| last_second(&certificate))
}

/// Tells what was read, and what is odd about it.
fn tell(files: &TlsFiles, bytes: &TlsBytes) {
    let end = end_of(bytes).and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    let path = files.certificate.display();
    match end {
        Some(end) if end < now() => {
            let end = humantime::format_rfc3339_seconds(end);
            tracing::warn!("{path}: the certificate ended at {end}");
        }
        Some(end) => {
            let end = humantime::format_rfc3339_seconds(end);
            tracing::info!("{path}: a certificate that is good until {end}");
        }
        None => tracing::info!("{path}: a certificate"),
    }
    if files.key_is_open() {
        let path = files.key.display();
        tracing::warn!("{path}: others on this machine may read the key");
    }
}

#[expect(clippy::disallowed_methods, reason = "for the log; handshakes look at a clock of theirs")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use rcgen::{CertificateParams, KeyPair};

    use crate::server::looks::{LOOK_EVERY, Rereader};

    use super::*;

    /// Files in a directory that goes with this.
    struct Files(PathBuf);

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    impl Files {
        fn new() -> Self {
            let files =
                Self(std::env::temp_dir().join(format!("ticketd-t-{}", std::process::id())));
            fs::create_dir(&files.0).unwrap();
            files
        }

        fn paths(&self) -> TlsFiles {
            let [certificate, key] = ["cert.pem", "key.pem"].map(|name| self.0.join(name));
            TlsFiles { certificate, key, client_authorities: None }
        }

        /// Puts a new certificate there, perhaps with the key of another.
        fn put(&self, fits: bool) {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::default().self_signed(&key).unwrap();
            let key = if fits { key } else { KeyPair::generate().unwrap() };
            fs::write(self.0.join("cert.pem"), certificate.pem()).unwrap();
            fs::write(self.0.join("key.pem"), key.serialize_pem()).unwrap();
        }
    }

    /// Waits for a time in which so many looks are taken.
    async fn looks(count: u32) {
        tokio::time::sleep(LOOK_EVERY * count + LOOK_EVERY / 2).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_two_looks_find_is_taken_if_it_is_good() {
        let files = Files::new();
        files.put(true);
        let tls = Arc::new(Tls::load(files.paths()).unwrap());
        let asked = Rereader::default();
        let keeping = tokio::spawn(tls.clone().keep_up(asked.hear(), None));
        let first = tls.config();
        let is = |config: &Arc<ServerConfig>| Arc::ptr_eq(config, &tls.config());
        looks(3).await;
        assert!(is(&first), "nothing has changed");
        files.put(true);
        looks(0).await;
        assert!(is(&first), "nobody has looked twice");
        looks(2).await;
        assert!(!is(&first));
        let second = tls.config();
        looks(3).await;
        assert!(is(&second), "it is taken once");
        files.put(false);
        looks(3).await;
        fs::remove_file(files.0.join("key.pem")).unwrap();
        looks(3).await;
        assert!(is(&second), "neither another's key nor none is a new one");
        files.put(true);
        asked.read_again();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(!is(&second), "who asks does not wait");
        drop(asked);
        keeping.await.unwrap();
    }
}
