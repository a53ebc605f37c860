//! What the stories are told with: a server in this process or in one of its own, and a client of
//! it.

mod asked;
mod client;
mod described;
mod dir;
mod program;
mod session;

use std::net::SocketAddr;
use std::time::Duration;

use ticketd::server::{Config, Rereader, Server};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) use client::{Answer, Client};
pub(crate) use dir::Dir;
pub(crate) use program::{Program, program};
pub(crate) use session::{SessionInfo, claimed, new_session};

/// How long anything that must come may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What must come, or the test fails.
pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it did not come in time")
}

/// Whether this is still not there after a while. (It may be asked for again afterwards.)
pub(crate) async fn not_yet<T>(what: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_millis(50), what).await.is_err()
}

/// A server in this process.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) rereader: Rereader,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), String>>,
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let server = Server::bind(config).await.expect("a free port");
        let address = server.address().expect("an address");
        let rereader = server.rereader();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address, rereader, stop, task }
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        in_time(self.task).await.expect("no panic").expect("an orderly end");
    }
}

/// Waits until so many wait in all queues together.
pub(crate) async fn until_waits(address: SocketAddr, waits: usize) {
    until_waits_by(Client::connect(address).await, waits).await;
}

/// The same, as a client that may look sees it.
pub(crate) async fn until_waits_by(mut client: Client, waits: usize) {
    in_time(async { while client.ask("GET /status").await.json()["Waits"] != waits {} }).await;
}
