//! The server: axum's routes over the driver, the connections that they come by, and how it stops.
//! It decides nothing about sessions, tickets or locks.

mod answer;
mod call;
mod connections;
mod guard;
mod http;
mod line;
#[cfg(test)]
mod line_tests;
mod linger;
mod origins;
mod package;
mod pages;
mod rest;
mod routes;
mod socket;
#[cfg(test)]
mod socket_tests;
mod status;
mod strangers;
mod upgrade;
mod views;

pub use crate::driver::{Durability, PersistenceConfig};
pub use crate::wire::{AllowedOrigin, KnownHost};
pub use guard::Bounds;
pub use strangers::{NAMELESS_MAX, NAMELESS_OF_ONE_MAX};

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::http::request::Parts;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::driver::{Driver, JournalWriter, PersistenceError, WriterThread};
use crate::notices::Notices;
use crate::wire::Problem;

/// How long a server that stops waits for requests and sockets under way.
pub const STOPPING_MAX: Duration = Duration::from_secs(5);

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
    /// What is kept on disk; `None` keeps everything in memory only.
    pub keeping: Option<PersistenceConfig>,
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
            keeping: None,
        }
    }
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) driver: Driver,
    pub(crate) config: Config,
    /// Which names are ours, and which pages may come.
    pub(crate) origins: origins::Origins,
    /// What was refused.
    pub(crate) notices: Arc<Notices>,
    pub(crate) started: status::Started,
    /// Cancelled when the server is to stop.
    pub(crate) stopping: CancellationToken,
    /// Connections and sockets under way.
    pub(crate) tasks: TaskTracker,
    /// What addresses take.
    pub(crate) guard: Arc<guard::Guard>,
    /// Open sockets.
    pub(crate) sockets: Arc<AtomicUsize>,
    /// Those of them that have not said `hello`.
    pub(crate) nameless: Arc<strangers::Strangers>,
}

/// A cheap handle on [`Shared`].
pub(crate) type App = Arc<Shared>;

impl Shared {
    /// Whether a request may come, by the name that it asks for and the page that it is from.
    pub(crate) fn admit(&self, parts: &Parts) -> Result<(), Problem> {
        self.origins.check(parts).map_err(|foreign| {
            let (kind, what) = foreign.notice();
            match parts.extensions.get::<connections::Peer>() {
                Some(peer) => {
                    self.notices.refused(kind, format_args!("{what} from {}", peer.address.ip()));
                }
                None => self.notices.refused(kind, what),
            }
            foreign.problem()
        })
    }
}

/// A server that has its port but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    app: App,
    keeper: Option<JournalWriter>,
}

/// Why a server does not start.
#[derive(Debug)]
pub enum NotStarted {
    /// The address makes no sense or is taken.
    Listening(io::Error),
    /// The journal cannot be opened.
    PersistenceConfig(PersistenceError),
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening(why) => write!(f, "cannot listen: {why}"),
            Self::PersistenceConfig(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for NotStarted {}

impl Server {
    /// Takes the port, and up what the journal keeps.
    ///
    /// # Errors
    /// [`NotStarted`]: nothing is served then.
    pub async fn bind(config: Config) -> Result<Self, NotStarted> {
        let Some(keeping) = config.keeping.clone() else {
            let driver = Driver::new(config.expire_ms);
            return Self::bind_with(config, driver).await.map_err(NotStarted::Listening);
        };
        let kept = JournalWriter::open(config.expire_ms, keeping);
        let (driver, keeper) = kept.map_err(NotStarted::PersistenceConfig)?;
        let server = Self::bind_with(config, driver).await.map_err(NotStarted::Listening)?;
        Ok(Self { keeper: Some(keeper), ..server })
    }

    /// Takes the port, over a driver of the caller's.
    ///
    /// # Errors
    /// When the address makes no sense or is taken.
    pub async fn bind_with(config: Config, driver: Driver) -> io::Result<Self> {
        let listener = connections::bind(&config.listen).await?;
        let loopback = listener.local_addr()?.ip().to_canonical().is_loopback();
        let notices = driver.notices();
        let app = Shared {
            driver,
            guard: guard::Guard::new(config.bounds, notices.clone()),
            origins: origins::Origins::new(&config.allow_origins, &config.hosts, loopback),
            notices,
            config,
            started: status::Started::now(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            sockets: Arc::default(),
            nameless: Arc::default(),
        };
        Ok(Self { listener, app: Arc::new(app), keeper: None })
    }

    /// The address that it has.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is done, then finishes what is under way (at most [`STOPPING_MAX`]).
    ///
    /// # Errors
    /// Why it ended by itself: what it serves cannot be kept any more.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), String> {
        let Self { listener, app, keeper } = self;
        let clockwork = tokio::spawn(app.driver.clone().run());
        let keeper = keeper.map(WriterThread::new).transpose().map_err(|why| why.to_string())?;
        let router = routes::router(&app);
        let mut ended = Ok(());
        tokio::select! {
            () = stop => {}
            () = connections::accept(&listener, &app, &router) => {}
            why = app.driver.failed() => ended = Err(why),
        }
        drop(listener);
        say_what_is_under_way(&app, ended.as_ref().err());
        app.driver.stop_waiting();
        app.driver.dismiss_sockets(0);
        app.stopping.cancel();
        app.tasks.close();
        if tokio::time::timeout(STOPPING_MAX, app.tasks.wait()).await.is_err() {
            tracing::warn!(left = app.tasks.len(), "stopped with connections under way");
        } else {
            tracing::info!("stopped");
        }
        app.notices.finish();
        clockwork.abort();
        let Some(keeper) = keeper else { return ended };
        match tokio::task::spawn_blocking(|| keeper.finish()).await {
            Ok(Ok(())) => ended,
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err("the last image was not written".to_owned()),
        }
    }
}

/// Tells what a server that stops still has to do, and why it stops if nobody told it to.
fn say_what_is_under_way(app: &App, why: Option<&String>) {
    let connections = app.tasks.len();
    let sockets = app.sockets.load(std::sync::atomic::Ordering::Relaxed);
    let counts = app.driver.status().counts;
    let (sessions, waits) = (counts.sessions, counts.waits);
    match why {
        None => tracing::info!(connections, sockets, sessions, waits, "stopping"),
        Some(why) => tracing::error!(connections, sockets, sessions, waits, "stopping: {why}"),
    }
}
