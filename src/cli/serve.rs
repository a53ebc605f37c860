//! `ticketd` without a sub-command: the server.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::access::Pattern;
use crate::server::{
    Access, AllowedOrigin, AuditTarget, Bounds, Config, Durability, NotStarted, PersistenceConfig,
    Server, TlsFiles,
};

use super::log::Log;
use super::options::Options;
use super::report::complain;
use super::systemd;

/// Why the server did not start, or ended by itself, and the code that tells it.
struct Failure {
    why: String,
    code: u8,
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self { why, code: 1 }
    }
}

impl Failure {
    /// It was called wrongly.
    fn called_wrongly(why: String) -> Self {
        Self { why, code: 2 }
    }
}

pub(super) fn run(options: &Options) -> ExitCode {
    if options.durability.is_some() && options.snappath.is_none() {
        complain("--durability needs --snappath: without it nothing is kept");
        return ExitCode::from(2);
    }
    let log = match Log::start(options.loglevel, options.log_format == "json") {
        Ok(log) => log,
        Err(why) => {
            complain(&format!("cannot start: {why}"));
            return ExitCode::FAILURE;
        }
    };
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(serve(options)),
        Err(why) => Err(format!("cannot start: {why}").into()),
    };
    // Nobody may be reading: complaints go by the log, too, which waits for nobody.
    log.finish(ended.as_ref().err().map(|ended| ended.why.as_str()));
    ended.map_or_else(|ended| ended.code.into(), |()| ExitCode::SUCCESS)
}

fn config(options: &Options) -> Result<Config, String> {
    let pattern = |text: &String| {
        Pattern::parse(text).map_err(|why| format!("--metrics-resource {text:?}: {why}"))
    };
    let metrics_resources =
        options.metrics_resource.iter().map(pattern).collect::<Result<_, _>>()?;
    let access = options.access.as_deref().map(Access::load).transpose();
    Ok(Config {
        access: access.map_err(|why| why.to_string())?,
        listen: options.listen.clone(),
        expire_ms: options.expire,
        idle_ms: options.idle,
        trust_proxies: options.trust_proxy.clone(),
        allow_origins: options.allow_origin.clone(),
        hosts: options.host.clone(),
        metrics_resources,
        bounds: Bounds { connections: options.max_connections, rate: options.rate },
        audit: options.audit.clone().map(|path| match path.to_str() {
            Some("-") => AuditTarget::Stderr,
            _ => AuditTarget::File(path),
        }),
        tls: options.tls_cert.clone().zip(options.tls_key.clone()).map(|(certificate, key)| {
            TlsFiles { certificate, key, client_authorities: options.tls_client_ca.clone() }
        }),
        persistence: options.snappath.clone().map(|dir| PersistenceConfig {
            dir,
            durability: match options.durability.as_deref() {
                Some("interval") => Durability::Interval,
                Some("none") => Durability::None,
                _ => Durability::Always,
            },
            every: Duration::from_millis(options.snapshot.into()),
            snapshot_after_bytes: options.snapshot_after,
        }),
    })
}

async fn serve(options: &Options) -> Result<(), Failure> {
    let listen_for = |kind| signal(kind).map_err(|why| format!("cannot listen for signals: {why}"));
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut hang_up = listen_for(SignalKind::hangup())?;
    let mut drain = listen_for(SignalKind::user_defined1())?;
    let mut undrain = listen_for(SignalKind::user_defined2())?;
    let config = config(options).map_err(Failure::called_wrongly)?;
    if options.check_config {
        Server::check(&config).await.map_err(|why| {
            let Failure { why, .. } = not_started(why, options);
            Failure::called_wrongly(why)
        })?;
        let _ = writeln!(io::stdout(), "the configuration is good");
        return Ok(());
    }
    let server = Server::bind_on(config, systemd::socket()?).await;
    let server = server.map_err(|why| not_started(why, options))?;
    let address = server.address().map_err(|why| format!("cannot listen: {why}"))?;
    let scheme = if options.tls_cert.is_some() { "https" } else { "http" };
    // Nobody may be reading: that is no reason not to serve.
    let _ = writeln!(io::stdout(), "ticketd serves {scheme}://{address}");
    warn(options, address);
    systemd::ready();
    let (rereader, drainer, heart) = (server.rereader(), server.drainer(), server.heart());
    let stop = async {
        let mut feeding = pin!(systemd::feed(heart));
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => {
                    tracing::info!("SIGHUP: what can be read again is");
                    systemd::reloading();
                    rereader.read_wholly().await;
                    systemd::ready();
                }
                _ = drain.recv() => {
                    drainer(true);
                    systemd::status("no new sessions are taken");
                }
                _ = undrain.recv() => {
                    drainer(false);
                    systemd::status("serving");
                }
                () = &mut feeding => {}
            }
        }
        systemd::stopping();
    };
    Ok(server.run(stop).await?)
}

/// Why the server did not start. What is wrong with how it was called is told apart.
fn not_started(why: NotStarted, options: &Options) -> Failure {
    match why {
        NotStarted::Listening(why) => {
            let is_wrong = why.kind() == io::ErrorKind::InvalidInput;
            let why = format!("cannot listen on {}: {why}", options.listen);
            if is_wrong { Failure::called_wrongly(why) } else { why.into() }
        }
        NotStarted::Tls(why) => Failure::called_wrongly(why.to_string()),
        why @ (NotStarted::Audit(_) | NotStarted::Persistence(_)) => why.to_string().into(),
    }
}

/// Says who can do what was hardly meant.
fn warn(options: &Options, address: SocketAddr) {
    let (is_far, is_open) = (!address.ip().is_loopback(), options.access.is_none());
    if is_far && is_open {
        tracing::warn!(
            "anybody who reaches {address} can use this server: no authentication (--access)"
        );
    }
    // A proxy is supposed to speak TLS to who is farther away.
    if is_far && !is_open && options.tls_cert.is_none() && options.trust_proxy.is_empty() {
        tracing::warn!(
            "whoever is on the way to {address} can read the tokens: there is no TLS (--tls-cert)"
        );
    }
    if is_open && options.allow_origin.contains(&AllowedOrigin::Any) {
        tracing::warn!(
            "--allow-origin '*': any page that a browser near {address} shows can use this server"
        );
    }
}

/// Each connection takes a descriptor; the usual soft limit of 1024 is soon reached.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(why) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%why, "cannot raise the limit of file descriptors");
    }
}
