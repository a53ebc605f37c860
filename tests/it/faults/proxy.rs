//! A line that is not to be trusted: it delays, is cut at any byte, or goes dumb without an end,
//! and what it swallowed may arrive long after.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::rng::Rng;

/// A line that lives longer than this many bytes one way was lucky.
const BYTES_MAX: usize = 8000;
/// Request and hello, about.
const HANDSHAKE_BYTES: usize = 300;
/// Most that a dumb line swallows.
const SWALLOWED_MAX: usize = 64 * 1024;

/// What befalls a line.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It ends, in order or by a reset.
    Cut { reset: bool },
    /// Nothing passes any more, but neither side is told. What the client still said may reach
    /// the server when the client has long gone.
    Dumb { late: bool },
}

/// When and how.
#[derive(Clone, Copy, Debug)]
struct Plan {
    fate: Fate,
    /// Counted are bytes of the client's; else the server's.
    upward: bool,
    after: usize,
    /// One of so many chunks is delayed.
    delayed: usize,
    /// So long, in ms, at most; also how late swallowed bytes arrive.
    delay_ms: usize,
    seed: u64,
}

/// What is left to happen.
pub(crate) struct Faults {
    rng: Mutex<Rng>,
    left: AtomicUsize,
    pub(super) cuts: AtomicUsize,
    pub(super) dumb: AtomicUsize,
}

impl Faults {
    /// Whether one more may happen, and then it has.
    fn strike(&self, fate: Fate) -> bool {
        let less = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err() {
            return false;
        }
        let count = if matches!(fate, Fate::Cut { .. }) { &self.cuts } else { &self.dumb };
        count.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// Faults that somebody else makes, until they end.
    pub(crate) fn elsewhere() -> Self {
        let (rng, none) = (Mutex::new(Rng::new(0)), || AtomicUsize::new(0));
        Self { rng, left: AtomicUsize::new(usize::MAX), cuts: none(), dumb: none() }
    }

    pub(crate) fn end(&self) {
        self.left.store(0, Ordering::SeqCst);
    }

    /// Nothing more will happen.
    pub(crate) fn are_over(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    fn plan(&self) -> Plan {
        let mut rng = self.rng.lock().expect("nobody panics with it");
        let fate = match rng.below(10) {
            0 => Fate::Dumb { late: false },
            1 | 2 => Fate::Dumb { late: true },
            n => Fate::Cut { reset: n % 2 == 0 },
        };
        let upward = rng.chance(1, 2);
        // Many already fail at the handshake or at the hello behind it.
        let most = if rng.chance(1, 3) { HANDSHAKE_BYTES } else { BYTES_MAX };
        let (after, delayed) = (rng.below(most), 1 + rng.below(30));
        Plan { fate, upward, after, delayed, delay_ms: 1 + rng.below(40), seed: rng.next() }
    }
}

/// Starts a proxy before `server` with so many faults to come.
pub(super) async fn start(
    server: SocketAddr,
    seed: u64,
    faults: usize,
) -> (SocketAddr, Arc<Faults>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let faults = Arc::new(Faults {
        rng: Mutex::new(Rng::new(seed)),
        left: AtomicUsize::new(faults),
        cuts: AtomicUsize::new(0),
        dumb: AtomicUsize::new(0),
    });
    let shared = faults.clone();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.expect("a connection");
            let (faults, plan) = (shared.clone(), shared.plan());
            tokio::spawn(async move {
                if let Ok(server) = TcpStream::connect(server).await {
                    carry(client, server, plan, &faults).await;
                }
            });
        }
    });
    (address, faults)
}

/// Carries bytes both ways until the line's fate, or until either side ends.
async fn carry(mut client: TcpStream, mut server: TcpStream, plan: Plan, faults: &Faults) {
    let mut rng = Rng::new(plan.seed);
    let (mut up, mut down) = (vec![0; 2048], vec![0; 2048]);
    let mut passed = 0;
    loop {
        let (upward, read) = tokio::select! {
            read = client.read(&mut up) => (true, read),
            read = server.read(&mut down) => (false, read),
        };
        let Ok(read @ 1..) = read else { return };
        let bytes = if upward { &up[..read] } else { &down[..read] };
        if rng.chance(1, plan.delayed) {
            sleep(Duration::from_millis(rng.below(plan.delay_ms) as u64)).await;
        }
        let to = if upward { &mut server } else { &mut client };
        let counted = upward == plan.upward;
        let struck = counted && passed + read > plan.after && faults.strike(plan.fate);
        let pass = if struck { plan.after - passed } else { read };
        if to.write_all(&bytes[..pass]).await.is_err() {
            return;
        }
        if struck {
            let swallowed = if upward { bytes[pass..].to_vec() } else { Vec::new() };
            return end(client, server, plan, swallowed).await;
        }
        passed += if counted { read } else { 0 };
        if passed > plan.after {
            // It was spared, and will be for ever.
            passed = usize::MAX / 2;
        }
    }
}

async fn end(mut client: TcpStream, mut server: TcpStream, plan: Plan, mut swallowed: Vec<u8>) {
    match plan.fate {
        Fate::Cut { reset } => {
            if reset {
                // It is a fault all the same if the system has no such thing.
                let _ = (client.set_zero_linger(), server.set_zero_linger());
            }
        }
        Fate::Dumb { late } => {
            let mut bytes = vec![0; 2048];
            while let Ok(read @ 1..) = client.read(&mut bytes).await {
                if swallowed.len() < SWALLOWED_MAX {
                    swallowed.extend(&bytes[..read]);
                }
            }
            drop(client);
            if late {
                sleep(Duration::from_millis(plan.delay_ms as u64)).await;
                if server.write_all(&swallowed).await.is_ok() {
                    let until_closed =
                        async { while let Ok(1..) = server.read(&mut bytes).await {} };
                    let _ = timeout(Duration::from_secs(1), until_closed).await;
                }
            }
        }
    }
}
