//! What all requests and sockets of a server share.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, SystemTime};

use axum::http::request::Parts;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::driver::Driver;
use crate::notices::Notices;
use crate::wire::Problem;

use super::config::Config;
use super::meters::Meters;
use super::net::limits::AddressLimits;
use super::net::peer::Peer;
use super::net::proxies::Proxies;
use super::net::strangers::Strangers;
use super::origins::Origins;
use super::tls::Tls;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) driver: Driver,
    pub(crate) config: Config,
    /// What handshakes are made with; `None` speaks plainly.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Which names are ours, and which pages may come.
    pub(crate) origins: Origins,
    /// Whose word counts about where a request comes from.
    pub(crate) proxies: Proxies,
    /// What was refused.
    pub(crate) notices: Arc<Notices>,
    pub(crate) started: Started,
    /// Cancelled when the server is to stop.
    pub(crate) stopping: CancellationToken,
    /// Connections and sockets under way.
    pub(crate) tasks: TaskTracker,
    /// What addresses take.
    pub(crate) limits: Arc<AddressLimits>,
    /// What is counted and measured.
    pub(crate) meters: Arc<Meters>,
    /// Open sockets.
    pub(crate) sockets: Arc<AtomicUsize>,
    /// Those of them that have not said `hello`.
    pub(crate) nameless: Arc<Strangers>,
}

impl App {
    /// `loopback` says that only this machine reaches the server.
    pub(crate) fn new(
        config: Config,
        tls: Option<Arc<Tls>>,
        driver: Driver,
        loopback: bool,
    ) -> Self {
        let notices = driver.notices();
        Self {
            tls,
            limits: AddressLimits::new(config.bounds, notices.clone()),
            proxies: Proxies::new(&config.trust_proxies),
            origins: Origins::new(&config.allow_origins, &config.hosts, loopback),
            driver,
            notices,
            config,
            started: Started::now(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            meters: Arc::default(),
            sockets: Arc::default(),
            nameless: Arc::default(),
        }
    }

    /// Whether a request may come, by the name that it asks for and the page that it is from.
    pub(crate) fn admit(&self, parts: &Parts) -> Result<(), Problem> {
        self.origins.check(parts).map_err(|foreign| {
            let (kind, what) = foreign.notice();
            match parts.extensions.get::<Arc<Peer>>() {
                Some(peer) => {
                    self.notices.refused(kind, format_args!("{what} from {}", peer.address.ip()));
                }
                None => self.notices.refused(kind, what),
            }
            foreign.problem()
        })
    }
}

/// When the server was started.
#[derive(Debug)]
pub(crate) struct Started {
    /// By the wall clock.
    pub(crate) wall: SystemTime,
    running: tokio::time::Instant,
}

impl Started {
    #[expect(clippy::disallowed_methods, reason = "for the status page; nothing depends on it")]
    fn now() -> Self {
        Self { wall: SystemTime::now(), running: tokio::time::Instant::now() }
    }

    /// How long ago that was.
    #[expect(clippy::disallowed_methods, reason = "for the status page; nothing depends on it")]
    pub(crate) fn ago(&self) -> Duration {
        self.running.elapsed()
    }
}
