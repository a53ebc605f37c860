//! The REST interface under load, against bare axum: `cargo bench --bench rest`.

mod support;

use std::time::{Duration, Instant};

use support::http::{self, Line, load, open_sessions, request, request_with};
use support::servers::{self, Cores, Server};
use support::{
    Outcome, Target, bare, figure, heading, in_ms, largest, median, paced, quantile, ratios, since,
    wanted,
};

/// Keep-alive connections, each with one request at a time.
const CONNECTIONS: usize = 64;
/// Turns that ours and the bare server take.
const TURNS: usize = 7;
const WARM_UP: Duration = Duration::from_millis(200);
const TURN: Duration = Duration::from_millis(1300);
/// Sessions with a ticket each.
const PAIRS: usize = 100_000;
/// The crowd that a large one is compared to.
const FEW_PAIRS: usize = 100;
/// Nobody expires while this benchmark runs.
const TTL_MS: u32 = 3_600_000;
/// Between two refreshes: 500 a second.
const PERIOD: Duration = Duration::from_millis(2);
const REFRESHES: u32 = 12_000;

fn main() -> Outcome {
    if bare::ran_instead()? {
        return Ok(());
    }
    servers::raise_descriptor_limit()?;
    let cores = Cores::share_out()?;
    if wanted("throughput") {
        throughput(&cores)?;
    }
    if wanted("pairs") {
        pairs(&cores)?;
    }
    Ok(())
}

fn throughput(cores: &Cores) -> Outcome {
    let (ours, theirs) = (Server::ticketd(cores)?, Server::bare(cores)?);
    let ids = open_sessions(&mut Line::connect(ours.address)?, CONNECTIONS, TTL_MS)?;
    let locks: Vec<_> = ids.iter().enumerate().map(|(n, id)| lock_round(n, id)).collect();
    let refreshes: Vec<_> =
        ids.iter().map(|id| vec![request("PUT", &format!("/api/v1/sessions/{id}"))]).collect();
    heading("REST, 64 connections with one request each at a time, against bare axum");
    compare("lock+unlock", 0.8, &locks, &ours, &theirs)?;
    compare("refresh", 0.9, &refreshes, &ours, &theirs)
}

/// Locks and unlocks of one connection's own.
fn lock_round(connection: usize, id: &str) -> Vec<Vec<u8>> {
    let targets = (0..8).map(|n| format!("/api/v1/locks/lock-{connection}-{n}?sessid={id}"));
    targets.flat_map(|target| [request("POST", &target), request("DELETE", &target)]).collect()
}

fn compare(
    what: &str,
    least: f64,
    requests: &[Vec<Vec<u8>>],
    ours: &Server,
    theirs: &Server,
) -> Outcome {
    let mut rates = [Vec::new(), Vec::new()];
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (at, server) in [ours, theirs].into_iter().enumerate() {
            let cpu = server.cpu()?;
            let rate = load(server.address, requests, WARM_UP, TURN)?;
            let used = (server.cpu()? - cpu).as_secs_f64();
            costs[at].push(used * 1e6 / (rate * (WARM_UP + TURN).as_secs_f64()));
            rates[at].push(rate);
        }
    }
    let [ours, theirs] = &rates;
    figure(&format!("{what} requests/s"), median(ours), "", Target::None);
    figure("  bare axum", median(theirs), "", Target::None);
    figure("  ratio", median(&ratios(ours, theirs)), "x", Target::AtLeast(least));
    let [ours, theirs] = &costs;
    figure("  processor time a request", median(ours), "µs", Target::None);
    figure("  bare axum", median(theirs), "µs", Target::None);
    Ok(())
}

/// Sessions with a ticket each on a server of their own.
struct Crowd {
    _server: Server,
    line: Line,
    refreshes: Vec<Vec<u8>>,
    next: usize,
    /// Resident bytes that each pair has added.
    bytes: f64,
}

impl Crowd {
    /// `resource` tells in which resource the session of that number issues.
    fn new(cores: &Cores, pairs: usize, resource: fn(usize) -> String) -> Outcome<Self> {
        let server = Server::ticketd(cores)?;
        let mut line = Line::connect(server.address)?;
        // What the first requests bring into memory is not the crowd's.
        enter(&mut line, FEW_PAIRS, resource)?;
        let before = resident(&mut line)?;
        let ids = enter(&mut line, pairs, resource)?;
        let bytes = (resident(&mut line)? - before) / f64::from(u32::try_from(pairs)?);
        let refreshes =
            ids.iter().map(|id| request("PUT", &format!("/api/v1/sessions/{id}"))).collect();
        Ok(Self { _server: server, line, refreshes, next: 0, bytes })
    }

    /// Refreshes the next session. The time since `start`.
    fn refresh(&mut self, start: Instant) -> Outcome<Duration> {
        self.line.exchange(&self.refreshes[self.next])?;
        self.next = (self.next + 1) % self.refreshes.len();
        Ok(since(start))
    }
}

fn enter(line: &mut Line, pairs: usize, resource: fn(usize) -> String) -> Outcome<Vec<String>> {
    let ids = open_sessions(line, pairs, TTL_MS)?;
    let issues: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| {
            let resource = resource(n);
            let target = format!("/api/v1/tickets/{resource}?sessid={id}&name=job-{n}-{pairs}");
            request_with("POST", &target, "what is to be done")
        })
        .collect();
    for batch in issues.chunks(64) {
        line.pipeline(batch)?;
    }
    Ok(ids)
}

/// Resident memory as the server tells it.
fn resident(line: &mut Line) -> Outcome<f64> {
    let status = line.exchange(&http::request("GET", "/api/v1/status"))?;
    let status: serde_json::Value = serde_json::from_str(&status)?;
    status["ResidentBytes"].as_f64().ok_or_else(|| "the status tells no ResidentBytes".into())
}

fn pairs(cores: &Cores) -> Outcome {
    let shared = |_| "jobs".to_owned();
    let own = |n| format!("jobs-{n}");
    heading("100 000 sessions with a ticket each");
    let mut many = Crowd::new(cores, PAIRS, own)?;
    let most = Target::AtMost(1024.0);
    figure("resident bytes a pair, a resource for each", many.bytes, "B", most);
    let bytes = Crowd::new(cores, PAIRS, shared)?.bytes;
    figure("resident bytes a pair, one resource for all", bytes, "B", most);
    let mut few = Crowd::new(cores, FEW_PAIRS, own)?;
    let mut of_many = false;
    // They take turns, so that whatever else the machine does is felt by both.
    let times = paced(PERIOD / 2, 2 * REFRESHES, |start| {
        of_many = !of_many;
        if of_many { many.refresh(start) } else { few.refresh(start) }
    })?;
    let every_other = |first| in_ms(&times).into_iter().skip(first).step_by(2).collect::<Vec<_>>();
    let (many, few) = (every_other(0), every_other(1));
    let (many_p99, few_p99) = (quantile(&many, 99, 100), quantile(&few, 99, 100));
    figure("p99 of a refresh at 500/s, 100 sessions", few_p99, "ms", Target::None);
    figure("p99 of a refresh at 500/s, 100 000 sessions", many_p99, "ms", Target::None);
    figure("  ratio", many_p99 / few_p99, "x", Target::AtMost(1.5));
    // What the machine itself does to anybody now and then is no stall of the server: that comes
    // again in every second.
    let usual_worst = |times: &[f64]| median(&times.chunks(500).map(largest).collect::<Vec<_>>());
    figure("usual worst of a second, 100 sessions", usual_worst(&few), "ms", Target::None);
    figure(
        "usual worst of a second, 100 000 sessions",
        usual_worst(&many),
        "ms",
        Target::AtMost(5.0),
    );
    figure("  worst of all, 100 sessions", largest(&few), "ms", Target::None);
    figure("  worst of all, 100 000 sessions", largest(&many), "ms", Target::None);
    Ok(())
}
