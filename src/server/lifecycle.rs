//! A server's life: it takes its port and what the journal keeps, serves, and stops in order.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::driver::{Driver, JournalWriter, PersistenceError, WriterThread};

use super::access::review_all;
use super::app::App;
use super::config::Config;
use super::http::routes;
use super::net::accept;
use super::tls::{Tls, TlsFault};

/// How long a server that stops waits for requests and sockets under way.
pub const STOPPING_MAX: Duration = Duration::from_secs(5);

/// A server that has its port but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    pub(crate) app: Arc<App>,
    journal: Option<JournalWriter>,
    rereader: Rereader,
}

/// Has a server read its files again.
#[derive(Clone, Debug)]
pub struct Rereader(watch::Sender<()>);

impl Rereader {
    /// Has them read now: what is good takes effect, and what is not is told in the log.
    pub fn read_again(&self) {
        self.0.send_replace(());
    }
}

/// Why a server does not start.
#[derive(Debug)]
pub enum NotStarted {
    /// The address makes no sense or is taken.
    Listening(io::Error),
    /// The certificate or its key cannot be used.
    Tls(TlsFault),
    /// The journal cannot be opened.
    Persistence(PersistenceError),
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening(why) => write!(f, "cannot listen: {why}"),
            Self::Tls(why) => why.fmt(f),
            Self::Persistence(why) => why.fmt(f),
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
        let tls = load(&config)?;
        let Some(persistence) = config.persistence.clone() else {
            let driver = Driver::new(config.expire_ms);
            return Self::listen(config, tls, driver).await;
        };
        let opened = JournalWriter::open(config.expire_ms, persistence);
        let (driver, journal) = opened.map_err(NotStarted::Persistence)?;
        let server = Self::listen(config, tls, driver).await?;
        Ok(Self { journal: Some(journal), ..server })
    }

    /// Takes the port, over a driver of the caller's.
    ///
    /// # Errors
    /// When the address makes no sense or is taken, or the certificate is not good.
    pub async fn bind_with(config: Config, driver: Driver) -> Result<Self, NotStarted> {
        let tls = load(&config)?;
        Self::listen(config, tls, driver).await
    }

    async fn listen(
        config: Config,
        tls: Option<Arc<Tls>>,
        driver: Driver,
    ) -> Result<Self, NotStarted> {
        let listener = accept::bind(&config.listen).await.map_err(NotStarted::Listening)?;
        let address = listener.local_addr().map_err(NotStarted::Listening)?;
        let loopback = address.ip().to_canonical().is_loopback();
        let app = Arc::new(App::new(config, tls, driver, loopback));
        Ok(Self { listener, app, journal: None, rereader: Rereader(watch::Sender::new(())) })
    }

    /// Whoever has this can have its files read again.
    #[must_use]
    pub fn rereader(&self) -> Rereader {
        self.rereader.clone()
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
        let Self { listener, app, journal, rereader } = self;
        let clockwork = tokio::spawn(app.driver.clone().run());
        if let Some(access) = app.config.access.clone() {
            let (driver, stopping) = (app.driver.clone(), app.stopping.clone());
            tokio::spawn(review_all(access, driver, stopping));
        }
        let journal = journal.map(WriterThread::new).transpose().map_err(|why| why.to_string())?;
        let mut keeping = JoinSet::new();
        if let Some(tls) = app.tls.clone() {
            keeping.spawn(tls.keep_up(rereader.0.subscribe()));
        }
        if let Some(access) = app.config.access.clone() {
            keeping.spawn(access.keep_up(rereader.0.subscribe()));
        }
        let router = routes::router(&app);
        let mut ended = Ok(());
        tokio::select! {
            () = stop => {}
            () = accept::accept(&listener, &app, &router) => {}
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
        keeping.abort_all();
        let Some(journal) = journal else { return ended };
        match tokio::task::spawn_blocking(|| journal.finish()).await {
            Ok(Ok(())) => ended,
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err("the last image was not written".to_owned()),
        }
    }
}

/// Reads the certificate, if there is to be one.
fn load(config: &Config) -> Result<Option<Arc<Tls>>, NotStarted> {
    let tls = config.tls.clone().map(Tls::load).transpose().map_err(NotStarted::Tls)?;
    Ok(tls.map(Arc::new))
}

/// Tells what a server that stops still has to do, and why it stops if nobody told it to.
fn say_what_is_under_way(app: &App, why: Option<&String>) {
    let connections = app.tasks.len();
    let sockets = app.sockets.load(Ordering::Relaxed);
    let counts = app.driver.status().counts;
    let (sessions, waits) = (counts.sessions, counts.waits);
    match why {
        None => tracing::info!(connections, sockets, sessions, waits, "stopping"),
        Some(why) => tracing::error!(connections, sockets, sessions, waits, "stopping: {why}"),
    }
}
