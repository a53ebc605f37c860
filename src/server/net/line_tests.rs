//! The line below a request that waits: whether its client's machine is still there.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::driver::{Driver, NewSession};
use crate::machine::{Command, Conduct, LockAsk, Name, SessionId, SessionName, Ttl};
use crate::server::config::Config;
use crate::server::http::routes;
use crate::server::lifecycle::Server;
use crate::wire::write_id;

use super::connection;

/// What the kernel was told: whether it probes, how often in s, and how long nobody may answer, in
/// ms.
type Probing = (bool, u64, u64, u32);

fn probing(stream: &OwnedFd) -> Probing {
    let probes = sockopt::socket_keepalive(stream).unwrap();
    let idle = sockopt::tcp_keepidle(stream).unwrap().as_secs();
    let pause = sockopt::tcp_keepintvl(stream).unwrap().as_secs();
    (probes, idle, pause, sockopt::tcp_user_timeout(stream).unwrap())
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it came in time");
}

/// A connection to a server, and its end there.
struct Pair {
    client: TcpStream,
    theirs: OwnedFd,
}

impl Pair {
    async fn new(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, taken) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, peer) = taken.unwrap();
        let stream = stream.into_std().unwrap();
        let theirs = stream.try_clone().unwrap().into();
        let stream = TcpStream::from_std(stream).unwrap();
        let router = routes::router(&server.app);
        tokio::spawn(connection::serve(stream, peer, server.app.clone(), router));
        Self { client: client.unwrap(), theirs }
    }

    async fn send(&mut self, request: &str) {
        let request = format!("{request} HTTP/1.1\r\nHost: test\r\n\r\n");
        self.client.write_all(request.as_bytes()).await.unwrap();
    }

    /// Reads an answer that comes in one piece.
    async fn answer(&mut self) -> String {
        let mut bytes = [0; 4096];
        let read = self.client.read(&mut bytes).await.unwrap();
        String::from_utf8(bytes[..read].to_vec()).unwrap()
    }
}

async fn open(driver: &Driver, ttl_ms: i64) -> SessionId {
    let (name, ttl) = (SessionName::parse("").unwrap(), Ttl::new(ttl_ms).unwrap());
    let new = NewSession { name, ttl, source: "here".into(), conduct: Conduct::default() };
    driver.open(new, None).await.unwrap()
}

/// A machine that vanished in a REST wait kept all that its session held for up to 60 s and a ttl:
/// no FIN comes from it, and nothing was sent to it that it could have left unanswered.
#[tokio::test]
async fn a_line_is_probed_while_its_request_is_in_a_queue() {
    let driver = Driver::new(500);
    let server = Server::bind_with(Config::default(), driver.clone()).await.unwrap();
    let (holder, waiter) = (open(&driver, 60_000).await, open(&driver, 20_000).await);
    let lock = || Name::parse("db").unwrap();
    let held = || {
        let (session, resource, ask) = (holder, lock(), LockAsk::default());
        Command::Lock { session, resource, wait_request: None, ask }
    };
    driver.request(holder, held()).await.unwrap().hand_over();
    let mut pair = Pair::new(&server).await;
    let before = probing(&pair.theirs);
    assert_eq!((before.0, before.3), (false, 0));

    let sessid = write_id(&waiter);
    pair.send(&format!("POST /api/v1/locks/own?wait=60000&sessid={sessid}")).await;
    assert!(pair.answer().await.ends_with("true"));
    assert_eq!(probing(&pair.theirs), before, "it was not in a queue");

    let wait = format!("POST /api/v1/locks/db?wait=60000&sessid={sessid}");
    pair.send(&wait).await;
    until(|| probing(&pair.theirs) == (true, 3, 3, 20_000)).await;
    assert_eq!(driver.status().counts.waits, 1);
    let unlock = |session| {
        let (resource, fence) = (lock(), None);
        Command::Unlock { session, resource, fence, by_socket: false }
    };
    driver.request(holder, unlock(holder)).await.unwrap().hand_over();
    assert!(pair.answer().await.ends_with("true"));
    assert_eq!(probing(&pair.theirs), (false, 3, 3, 0));

    // Likewise when the time is up.
    driver.request(waiter, unlock(waiter)).await.unwrap().hand_over();
    driver.request(holder, held()).await.unwrap().hand_over();
    pair.send(&wait).await;
    until(|| probing(&pair.theirs) == (true, 3, 3, 20_000)).await;
    driver.stop_waiting();
    assert!(pair.answer().await.ends_with("false"));
    assert_eq!(probing(&pair.theirs), (false, 3, 3, 0));
}
