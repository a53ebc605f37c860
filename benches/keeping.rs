//! What it costs to keep everything on disk, against keeping it in memory only:
//! `cargo bench --bench keeping`. The disk is that of the temporary directory (`TMPDIR`).

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use futures::FutureExt;
use support::http::{Line, load, open_sessions, request, request_with};
use support::servers::{self, Cores, Server};
use support::{
    Outcome, Target, figure, heading, in_ms, largest, median, now, paced, quantile, ratios, since,
    wanted,
};
use ticketd::driver::{
    Answer, Driver, Durability, JournalWriter, NewSession, PersistenceConfig, Unavailable,
};
use ticketd::machine::{
    Command, Conduct, Data, LockAsk, Name, SessionId, SessionName, TicketTerms, Ttl,
};

/// Keep-alive connections, each with one request at a time.
const CONNECTIONS: usize = 64;
const TURNS: usize = 7;
const WARM_UP: Duration = Duration::from_millis(200);
const TURN: Duration = Duration::from_millis(1300);
/// Operations of one who is alone.
const ALONE: usize = 400;
/// Sessions with a ticket each.
const MANY: usize = 100_000;
/// Commands behind the image.
const COMMANDS: usize = 1_000_000;
const IN_BATCH: usize = 50;
const TTL_MS: u32 = 3_600_000;
/// 500 requests a second, for so long.
const PERIOD: Duration = Duration::from_millis(2);
const REQUESTS: u32 = 20_000;

fn main() -> Outcome {
    servers::raise_descriptor_limit()?;
    let cores = Cores::share_out()?;
    if wanted("throughput") {
        throughput(&cores)?;
    }
    if wanted("alone") {
        alone(&cores)?;
    }
    if wanted("stalls") {
        stalls(&cores)?;
    }
    if wanted("restart") {
        restart(&cores)?;
    }
    Ok(())
}

/// A directory that goes when this does.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Outcome<Self> {
        let name = format!("ticketd-bench-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server over that directory.
fn keeping(cores: &Cores, dir: &Dir, policy: &str) -> Outcome<Server> {
    let dir = dir.0.to_str().ok_or("the directory's name is no text")?;
    Server::ticketd_with(cores, &["--snappath", dir, "--durability", policy])
}

/// Locks and unlocks of one connection's own.
fn lock_round(connection: usize, id: &str) -> Vec<Vec<u8>> {
    let targets = (0..8).map(|n| format!("/api/v1/locks/lock-{connection}-{n}?sessid={id}"));
    targets.flat_map(|target| [request("POST", &target), request("DELETE", &target)]).collect()
}

fn rounds(server: &Server) -> Outcome<Vec<Vec<Vec<u8>>>> {
    let ids = open_sessions(&mut Line::connect(server.address)?, CONNECTIONS, TTL_MS)?;
    Ok(ids.iter().enumerate().map(|(n, id)| lock_round(n, id)).collect())
}

fn throughput(cores: &Cores) -> Outcome {
    let dirs = [Dir::new("always")?, Dir::new("interval")?, Dir::new("none")?];
    let kept: [&str; 3] = ["always", "interval", "none"];
    let mut servers = vec![Server::ticketd(cores)?];
    for (dir, policy) in dirs.iter().zip(kept) {
        servers.push(keeping(cores, dir, policy)?);
    }
    let requests = servers.iter().map(rounds).collect::<Outcome<Vec<_>>>()?;
    let mut rates = vec![Vec::new(); servers.len()];
    let mut costs = vec![Vec::new(); servers.len()];
    for _ in 0..TURNS {
        for (at, server) in servers.iter().enumerate() {
            let cpu = server.cpu()?;
            let rate = load(server.address, &requests[at], WARM_UP, TURN)?;
            let used = (server.cpu()? - cpu).as_secs_f64();
            costs[at].push(used * 1e6 / (rate * (WARM_UP + TURN).as_secs_f64()));
            rates[at].push(rate);
        }
    }
    heading("lock+unlock by REST, 64 connections with one request each at a time");
    figure("in memory only, requests/s", median(&rates[0]), "", Target::None);
    figure("  processor time a request", median(&costs[0]), "µs", Target::None);
    let memory = &rates[0];
    let targets = [Target::AtLeast(0.6), Target::AtLeast(0.85), Target::None];
    for (at, policy) in kept.iter().enumerate() {
        let (rates, costs) = (&rates[at + 1], &costs[at + 1]);
        figure(&format!("{policy}, requests/s"), median(rates), "", Target::None);
        figure("  processor time a request", median(costs), "µs", Target::None);
        let ratio = median(&ratios(rates, memory));
        figure("  ratio", ratio, "x", targets[at]);
    }
    Ok(())
}

/// What one operation takes when nobody else asks, beside what the disk itself takes.
fn alone(cores: &Cores) -> Outcome {
    let dir = Dir::new("alone")?;
    let (memory, always) = (Server::ticketd(cores)?, keeping(cores, &dir, "always")?);
    let mut lines = Vec::new();
    for server in [&memory, &always] {
        let mut line = Line::connect(server.address)?;
        let ids = open_sessions(&mut line, 1, TTL_MS)?;
        lines.push((line, lock_round(0, &ids[0])));
    }
    let mut plain = File::create(dir.0.join("plain"))?;
    let (mut times, mut disk) = ([Vec::new(), Vec::new()], Vec::new());
    for turn in 0..ALONE {
        for (at, (line, requests)) in lines.iter_mut().enumerate() {
            let start = now();
            line.exchange(&requests[turn % requests.len()])?;
            times[at].push(since(start));
        }
        let start = now();
        plain.write_all(&[7; 1048])?;
        plain.sync_data()?;
        disk.push(since(start));
    }
    let [memory, always] = times.map(|times| median(&in_ms(&times)));
    let disk = median(&in_ms(&disk));
    heading("lock+unlock by REST, alone");
    figure("an operation in memory", memory, "ms", Target::None);
    figure("a write of 1 KiB and fdatasync", disk, "ms", Target::None);
    figure("an operation with always", always, "ms", Target::None);
    figure("  added", always - memory, "ms", Target::AtMost(1.5 * disk + 0.5));
    Ok(())
}

/// Sessions with a ticket each; their ids.
fn enter(line: &mut Line) -> Outcome<Vec<String>> {
    let ids = open_sessions(line, MANY, TTL_MS)?;
    let issue = |(n, id): (usize, &String)| {
        let target = format!("/api/v1/tickets/jobs-{}?sessid={id}&name=job-{n}", n % 1000);
        request_with("POST", &target, "what is to be done")
    };
    let issues: Vec<_> = ids.iter().enumerate().map(issue).collect();
    issues.chunks(64).try_for_each(|batch| line.pipeline(batch).map(drop))?;
    Ok(ids)
}

fn status(line: &mut Line) -> Outcome<serde_json::Value> {
    Ok(serde_json::from_str(&line.exchange(&request("GET", "/api/v1/status"))?)?)
}

/// 500 requests a second of a crowd, while images are written.
fn stalls(cores: &Cores) -> Outcome {
    let dir = Dir::new("stalls")?;
    let path = dir.0.to_str().ok_or("the directory's name is no text")?;
    let options = ["--snappath", path, "--durability", "interval", "--image-after", "1"];
    let server = Server::ticketd_with(cores, &options)?;
    let mut line = Line::connect(server.address)?;
    let ids = enter(&mut line)?;
    let mut next = 0;
    let first = status(&mut line)?;
    let times = paced(PERIOD, REQUESTS, |start| {
        let target = format!("/api/v1/locks/lock-{}?sessid={}", next / 2, ids[next / 2]);
        line.exchange(&request(if next % 2 == 0 { "POST" } else { "DELETE" }, &target))?;
        next = (next + 1) % (2 * ids.len());
        Ok(since(start))
    })?;
    let last = status(&mut line)?;
    let times = in_ms(&times);
    heading("500 requests/s with interval, 100 000 sessions with a ticket each");
    let epoch = |status: &serde_json::Value| -> Outcome<f64> {
        let file = status["JournalFile"].as_str().ok_or("the status tells no file")?;
        Ok(file.split('.').next().unwrap_or("").parse()?)
    };
    figure("images written meanwhile", epoch(&last)? - epoch(&first)?, "", Target::None);
    figure("an image has", last["ImageBytes"].as_f64().unwrap_or(0.0), "bytes", Target::None);
    figure("median", median(&times), "ms", Target::None);
    figure("p99", quantile(&times, 99, 100), "ms", Target::None);
    figure("longest", largest(&times), "ms", Target::AtMost(20.0));
    Ok(())
}

/// Fills a directory without a server, which takes less long.
fn fill(dir: &Path) -> Outcome {
    let keeping = PersistenceConfig {
        dir: dir.to_owned(),
        durability: Durability::None,
        snapshot_after_bytes: u64::MAX,
        ..PersistenceConfig::default()
    };
    let (driver, mut keeper) = JournalWriter::open(500, keeping)?;
    let (mut ids, mut asked) = (Vec::with_capacity(MANY), Vec::new());
    for number in 0..MANY {
        let (name, ttl) = (SessionName::parse("worker")?, Ttl::new(TTL_MS.into()));
        let (ttl, source) = (ttl.ok_or("no ttl")?, "192.0.2.1:4711".into());
        let new = NewSession { name, ttl, source, conduct: Conduct::default() };
        let mut opens = Box::pin(driver.open(new, None));
        let at_once = (&mut opens).now_or_never();
        keeper.cycle()?;
        let session = at_once.or_else(|| opens.now_or_never()).ok_or("it is not kept")??;
        ids.push(session);
        let data = Data::new(b"what is to be done").ok_or("too much data")?;
        let (resource, ticket) = (
            Name::parse(&format!("jobs-{}", number % 1000))?,
            Name::parse(&format!("job-{number}"))?,
        );
        let (notify, terms) = (false, TicketTerms::default());
        let issue = Command::Issue { session, resource, ticket, data, notify, terms };
        asked.push(submit(&driver, session, issue));
        keep(&mut keeper, &mut asked)?;
    }
    keeper.snapshot()?;
    for turn in 0..COMMANDS {
        let session = ids[turn / 2 % MANY];
        let resource = Name::parse(&format!("lock-{}", turn / 2 % MANY))?;
        let command = if turn % 2 == 0 {
            Command::Lock { session, resource, wait_request: None, ask: LockAsk::default() }
        } else {
            Command::Unlock { session, resource, fence: None, by_socket: true }
        };
        asked.push(submit(&driver, session, command));
        if turn % IN_BATCH == IN_BATCH - 1 {
            keep(&mut keeper, &mut asked)?;
        }
    }
    keep(&mut keeper, &mut asked)
}

type Asked = Pin<Box<dyn Future<Output = Result<Answer, Unavailable>>>>;

/// Puts a command on its way.
fn submit(driver: &Driver, session: SessionId, command: Command) -> Asked {
    let driver = driver.clone();
    let mut asked: Asked = Box::pin(async move { driver.request(session, command).await });
    // It waits for being kept.
    let _ = (&mut asked).now_or_never();
    asked
}

/// Keeps what was asked, and takes the answers: else what they grant would be undone.
fn keep(keeper: &mut JournalWriter, asked: &mut Vec<Asked>) -> Outcome {
    keeper.cycle()?;
    for asked in asked.drain(..) {
        asked.now_or_never().ok_or("it is not kept")??.hand_over();
    }
    Ok(())
}

fn restart(cores: &Cores) -> Outcome {
    let dir = Dir::new("restart")?;
    fill(&dir.0)?;
    let start = now();
    let server = keeping(cores, &dir, "always")?;
    let took = since(start);
    let found = status(&mut Line::connect(server.address)?)?;
    if found["Sessions"].as_u64() != Some(MANY as u64) {
        return Err(format!("what was recovered is not what was kept: {found}").into());
    }
    heading("restart with 100 000 sessions and tickets and a million commands");
    figure("until it serves", took.as_secs_f64(), "s", Target::AtMost(3.0));
    Ok(())
}
