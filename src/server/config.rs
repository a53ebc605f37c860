//! What can be set.

use std::sync::Arc;

use crate::access::Pattern;
use crate::audit::AuditTarget;
use crate::driver::PersistenceConfig;
use crate::wire::{AllowedOrigin, KnownHost, Network};

use super::access::Access;
use super::net::limits::Bounds;
use super::tls::TlsFiles;

/// What can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen, `host:port`; port 0 takes a free one, an empty host listens on all.
    pub listen: String,
    /// How late a session ends at most, and how long an emptied resource stays known, in ms.
    pub expire_ms: u32,
    /// How long a connection may idle between requests, and a request's head be on its way, before
    /// it is closed, in ms; at most twice as long.
    pub idle_ms: u32,
    /// Origins of pages that may use this server.
    pub allow_origins: Vec<AllowedOrigin>,
    /// Names of this server, beside those that are its own anyway.
    pub hosts: Vec<KnownHost>,
    /// What one address may take.
    pub bounds: Bounds,
    /// Proxies that are believed when they say whom they were asked by.
    pub trust_proxies: Vec<Network>,
    /// Who may come in, and what each may do; `None` lets everybody do everything.
    pub access: Option<Arc<Access>>,
    /// Resources that are told of one by one to who asks for figures.
    pub metrics_resources: Vec<Pattern>,
    /// Where it is told who was granted what, what ended, and who was refused.
    pub audit: Option<AuditTarget>,
    /// The certificate that it shows; `None` speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// What is kept on disk; `None` keeps everything in memory only.
    pub persistence: Option<PersistenceConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            expire_ms: 500,
            idle_ms: 15_000,
            allow_origins: Vec::new(),
            hosts: Vec::new(),
            bounds: Bounds::default(),
            trust_proxies: Vec::new(),
            access: None,
            metrics_resources: Vec::new(),
            audit: None,
            tls: None,
            persistence: None,
        }
    }
}
