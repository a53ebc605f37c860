//! A server's life: it takes its port and what the journal keeps, serves, and stops in order.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::audit::Audit;
use crate::driver::{Driver, JournalWriter, PersistenceError, WriterThread};

use super::access::review_all;
use super::app::App;
use super::config::Config;
use super::http::routes;
use super::looks::Rereader;
use super::net::accept;
use super::refs::session_ref;
use super::tls::{Tls, TlsFault};

/// How long a server that stops waits for requests and sockets under way.
pub const STOPPING_MAX: Duration = Duration::from_secs(5);

/// A server that has its port but does not serve yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    pub(crate) app: Arc<App>,
    journal: Option<JournalWriter>,
    audit: Option<Audit>,
    rereader: Rereader,
}

/// Why a server does not start.
#[derive(Debug)]
pub enum NotStarted {
    /// The address makes no sense or is taken.
    Listening(io::Error),
    /// The certificate or its key cannot be used.
    Tls(TlsFault),
    /// The audit trail cannot be opened.
    Audit(io::Error),
    /// The journal cannot be opened.
    Persistence(PersistenceError),
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening(why) => write!(f, "cannot listen: {why}"),
            Self::Tls(why) => why.fmt(f),
            Self::Audit(why) => write!(f, "cannot open the audit trail: {why}"),
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
        Self::bind_on(config, None).await
    }

    /// The same over a port that somebody else has taken, if there is one.
    ///
    /// # Errors
    /// As [`Server::bind`].
    pub async fn bind_on(
        config: Config,
        socket: Option<std::net::TcpListener>,
    ) -> Result<Self, NotStarted> {
        let opened = Opened::of(&config)?;
        let Some(persistence) = config.persistence.clone() else {
            let driver = Driver::new(config.expire_ms);
            return Self::listen(config, opened, driver, socket).await;
        };
        let written = JournalWriter::open(config.expire_ms, persistence);
        let (driver, journal) = written.map_err(NotStarted::Persistence)?;
        let server = Self::listen(config, opened, driver, socket).await?;
        Ok(Self { journal: Some(journal), ..server })
    }

    /// Takes the port, over a driver of the caller's.
    ///
    /// # Errors
    /// When the address makes no sense or is taken, or the certificate is not good.
    pub async fn bind_with(config: Config, driver: Driver) -> Result<Self, NotStarted> {
        let opened = Opened::of(&config)?;
        Self::listen(config, opened, driver, None).await
    }

    /// Looks whether a server could be started by this, as far as its files say. Takes no port and
    /// opens no journal.
    ///
    /// # Errors
    /// [`NotStarted`].
    pub async fn check(config: &Config) -> Result<(), NotStarted> {
        config.tls.clone().map(Tls::load).transpose().map_err(NotStarted::Tls)?;
        accept::resolve(&config.listen).await.map_err(NotStarted::Listening)?;
        Ok(())
    }

    async fn listen(
        config: Config,
        Opened { tls, audit }: Opened,
        driver: Driver,
        socket: Option<std::net::TcpListener>,
    ) -> Result<Self, NotStarted> {
        if let Some(audit) = &audit {
            driver.audit(audit.clone());
            config.access.iter().for_each(|access| access.audit(audit.clone()));
        }
        let listener = match socket {
            Some(socket) => accept::take(socket),
            None => accept::bind(&config.listen).await,
        };
        let listener = listener.map_err(NotStarted::Listening)?;
        let address = listener.local_addr().map_err(NotStarted::Listening)?;
        let loopback = address.ip().to_canonical().is_loopback();
        let app = Arc::new(App::new(config, tls, driver, loopback));
        let rereader = Rereader::default();
        Ok(Self { listener, app, journal: None, audit, rereader })
    }

    /// Whoever has this can have its files read again.
    #[must_use]
    pub fn rereader(&self) -> Rereader {
        self.rereader.clone()
    }

    /// Whoever has this can have it take no new sessions, or take them again.
    pub fn drainer(&self) -> impl Fn(bool) + Send + Sync + use<> {
        let driver = self.app.driver.clone();
        move |on| driver.drain(on)
    }

    /// Whoever has this can ask whether what the driver does by the clock is done; it may take a
    /// while to tell. What it holds does not keep the server from ending.
    pub fn heart(&self) -> impl AsyncFn() -> bool + Send + Sync + use<> {
        let driver = self.app.driver.clone();
        async move || driver.keeps_time().await
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
        let Self { listener, app, journal, audit, rereader } = self;
        let clockwork = tokio::spawn(app.driver.clone().run());
        if let Some(access) = app.config.access.clone() {
            let (driver, stopping) = (app.driver.clone(), app.stopping.clone());
            tokio::spawn(review_all(access, driver, stopping));
        }
        let journal = journal.map(WriterThread::new).transpose().map_err(|why| why.to_string())?;
        let mut keeping = keep_up(&app, audit.as_ref(), &rereader);
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
        let finishing = tokio::task::spawn_blocking(move || {
            let finished = journal.map_or(Ok(()), WriterThread::finish);
            audit.iter().for_each(Audit::finish);
            finished
        });
        match finishing.await {
            Ok(Ok(())) => ended,
            Ok(Err(why)) => Err(why.to_string()),
            Err(_) => Err("the last image was not written".to_owned()),
        }
    }
}

/// What a configuration names, opened before anything else is done.
struct Opened {
    tls: Option<Arc<Tls>>,
    audit: Option<Audit>,
}

impl Opened {
    fn of(config: &Config) -> Result<Self, NotStarted> {
        let tls = config.tls.clone().map(Tls::load).transpose().map_err(NotStarted::Tls)?;
        let audit = config.audit.clone().map(|target| Audit::open(target, session_ref));
        let audit = audit.transpose().map_err(NotStarted::Audit)?;
        Ok(Self { tls: tls.map(Arc::new), audit })
    }
}

/// Keeps up with files that change, until what is returned is dropped.
fn keep_up(app: &App, audit: Option<&Audit>, rereader: &Rereader) -> JoinSet<()> {
    let mut keeping = JoinSet::new();
    if let Some(tls) = app.tls.clone() {
        keeping.spawn(tls.keep_up(rereader.hear(), audit.cloned()));
    }
    if let Some(access) = app.config.access.clone() {
        keeping.spawn(access.keep_up(rereader.hear()));
    }
    if let Some(audit) = audit.cloned() {
        let mut asked = rereader.hear();
        keeping.spawn(async move {
            while let Some(is_asked) = asked.next().await {
                if is_asked {
                    audit.reopen();
                    asked.done();
                }
            }
        });
    }
    keeping
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
