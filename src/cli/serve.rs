//! `ticketd` without a sub-command: the server.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::server::{
    AllowedOrigin, Bounds, Config, Durability, NotStarted, PersistenceConfig, Server,
};

use super::log::Log;
use super::options::Options;
use super::report::complain;

pub(super) fn run(options: &Options) -> ExitCode {
    if options.durability.is_some() && options.snappath.is_none() {
        complain("--durability needs --snappath: without it nothing is kept");
        return ExitCode::from(2);
    }
    let log = match Log::start(options.loglevel) {
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
        Err(why) => Err(format!("cannot start: {why}")),
    };
    // Nobody may be reading: complaints go by the log, too, which waits for nobody.
    log.finish(ended.as_ref().err().map(String::as_str));
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn serve(options: &Options) -> Result<(), String> {
    let config = Config {
        access: None,
        listen: options.listen.clone(),
        expire_ms: options.expire,
        idle_ms: options.idle,
        allow_origins: options.allow_origin.clone(),
        hosts: options.host.clone(),
        bounds: Bounds { connections: options.max_connections, rate: options.rate },
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
    };
    let listen_for = |kind| signal(kind).map_err(|why| format!("cannot listen for signals: {why}"));
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let server = Server::bind(config).await.map_err(|why| match why {
        NotStarted::Listening(why) => format!("cannot listen on {}: {why}", options.listen),
        NotStarted::Persistence(why) => why.to_string(),
    })?;
    let address = server.address().map_err(|why| format!("cannot listen: {why}"))?;
    // Nobody may be reading: that is no reason not to serve.
    let _ = writeln!(io::stdout(), "ticketd serves http://{address}");
    if !address.ip().is_loopback() {
        tracing::warn!(
            "anybody who reaches {address} can use this server: there is no authentication"
        );
    }
    if options.allow_origin.contains(&AllowedOrigin::Any) {
        tracing::warn!(
            "--allow-origin '*': any page that a browser near {address} shows can use this server"
        );
    }
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server.run(stop).await
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
