//! What asking for access costs: the same load on a server without it, and on one whose file has a
//! thousand principals: `cargo bench --bench access`.

mod support;

use std::fmt::Write as _;
use std::time::Duration;

use support::frames::{Client, Load};
use support::http::{Line, load, open_sessions, request_with_headers};
use support::servers::{self, Cores, Server};
use support::{Outcome, Target, bare, figure, heading, median, ratios};
use ticketd::access::Token;

/// Keep-alive connections, or sockets, each with one request at a time.
const CONNECTIONS: usize = 64;
const PRINCIPALS: usize = 1000;
/// Turns that both servers take.
const TURNS: usize = 30;
const WARM_UP: Duration = Duration::from_millis(200);
const TURN: Duration = Duration::from_millis(300);
/// Nobody expires while this benchmark runs.
const TTL_MS: u32 = 3_600_000;

fn main() -> Outcome {
    if bare::ran_instead()? {
        return Ok(());
    }
    servers::raise_descriptor_limit()?;
    let cores = Cores::share_out()?;
    let path = std::env::temp_dir().join(format!("ticketd-bench-{}.toml", std::process::id()));
    std::fs::write(&path, file())?;
    let (open, asked) = (
        Server::ticketd(&cores)?,
        Server::ticketd_with(&cores, &["--access", &path.to_string_lossy()])?,
    );
    let servers = [&asked, &open];
    let done = rest(&servers).and_then(|()| sockets(&servers));
    std::fs::remove_file(path)?;
    done
}

/// A thousand principals with three rules each, and some rights of whoever shows nothing.
fn file() -> String {
    let mut file = String::from("[anonymous]\nallow = [{ to = [\"lock\"], on = [\"lock-*\"] }]\n");
    for number in 0..PRINCIPALS {
        let _ = write!(
            file,
            "[[principal]]\nname = \"p{number}\"\ntoken-sha256 = [\"{}\"]\nallow = [\n\
             {{ to = [\"work\"], on = [\"jobs\"] }},\n{{ to = [\"watch\"], on = [\"doc/*\"] }},\n\
             {{ to = [\"lock\"], on = [\"build/*\", \"lock-*\"] }},\n]\n",
            token(number).hash()
        );
    }
    file
}

fn token(number: usize) -> Token {
    let mut random = [7; 32];
    random[..8].copy_from_slice(&number.to_le_bytes());
    Token::from_random(random)
}

fn rest(servers: &[&Server; 2]) -> Outcome {
    heading("REST with --access and 1000 principals, against the same server without");
    let mut rounds = Vec::new();
    for server in servers {
        let ids = open_sessions(&mut Line::connect(server.address)?, CONNECTIONS, TTL_MS)?;
        let round = |(number, id): (usize, &String)| lock_round(number, id);
        rounds.push(ids.iter().enumerate().map(round).collect::<Vec<_>>());
    }
    compare("lock+unlock requests/s", servers, |at, server| {
        load(server.address, &rounds[at], WARM_UP, TURN)
    })
}

/// Locks and unlocks of one connection's own, by a principal of its own.
fn lock_round(connection: usize, id: &str) -> Vec<Vec<u8>> {
    let token = token(connection * PRINCIPALS / CONNECTIONS);
    let header = format!("authorization: Bearer {}\r\n", token.as_str());
    let targets = (0..8).map(|n| format!("/api/v1/locks/lock-{connection}-{n}?sessid={id}"));
    let both = |target: String| {
        ["POST", "DELETE"].map(|method| request_with_headers(method, &target, &header, ""))
    };
    targets.flat_map(both).collect()
}

fn sockets(servers: &[&Server; 2]) -> Outcome {
    heading("64 sockets that lock and unlock, likewise");
    let mut numbers = 0..;
    for in_flight in [32, 1] {
        let load = Load { client: Client::Usual, in_flight, warm_up: WARM_UP, length: TURN };
        let what = format!("messages/s, {in_flight} in flight");
        compare(&what, servers, |_, server| {
            let rounds: Vec<_> = numbers.by_ref().take(CONNECTIONS).map(socket_round).collect();
            load.run(server.address, &rounds)
        })?;
    }
    Ok(())
}

/// Locks that no request takes: what a round ended in the middle of stays with its session.
fn socket_round(socket: usize) -> Vec<String> {
    let of = |number: usize| {
        let resource = format!("lock-s{socket}-{number}");
        [(10 + 2 * number, "lock"), (11 + 2 * number, "unlock")]
            .map(|(id, op)| format!(r#"{{"id":{id},"op":"{op}","resource":"{resource}"}}"#))
    };
    (0..16).flat_map(of).collect()
}

/// The rates of both, in turns, and their ratio; what a request takes of the servers' processor,
/// which others who are busy on this machine disturb less.
fn compare(
    what: &str,
    servers: &[&Server; 2],
    mut run: impl FnMut(usize, &Server) -> Outcome<f64>,
) -> Outcome {
    let (mut rates, mut costs) = ([Vec::new(), Vec::new()], [0.0, 0.0]);
    for _ in 0..TURNS {
        for (at, server) in servers.iter().enumerate() {
            let cpu = server.cpu()?;
            let rate = run(at, server)?;
            costs[at] += (server.cpu()? - cpu).as_secs_f64();
            rates[at].push(rate);
        }
    }
    let [asked, open] = &rates;
    figure(what, median(asked), "", Target::None);
    figure("  without access", median(open), "", Target::None);
    figure("  ratio", median(&ratios(asked, open)), "x", Target::AtLeast(0.97));
    for (what, at) in [("  processor time of each", 0), ("    without access", 1)] {
        let requests = rates[at].iter().sum::<f64>() * (WARM_UP + TURN).as_secs_f64();
        figure(what, costs[at] * 1e6 / requests, "µs", Target::None);
    }
    Ok(())
}
