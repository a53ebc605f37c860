//! What TLS costs: handshakes, requests behind them, idle sockets: `cargo bench --bench tls`.

mod support;

use std::net::TcpStream;
use std::time::Duration;

use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use support::frames::Socket;
use support::http::{Line, load_by, open_sessions, request};
use support::servers::{self, Cores, Server};
use support::tls::{Certificate, Dialer, TlsLine};
use support::{Outcome, Target, bare, figure, heading, median, ratios, wanted};

/// Connections whose processor time is taken together.
const DIALS_A_TURN: u32 = 1500;
/// Turns that those who are compared take.
const TURNS: usize = 5;
const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_millis(200);
const TURN: Duration = Duration::from_millis(1000);
/// Nobody expires while this benchmark runs.
const TTL_MS: u32 = 3_600_000;
/// Connections whose memory is looked at, beyond the first few.
const IDLE: usize = 4000;
const FIRST_FEW: usize = 100;

fn main() -> Outcome {
    if bare::ran_instead()? {
        return Ok(());
    }
    servers::raise_descriptor_limit()?;
    let cores = Cores::share_out()?;
    if wanted("handshakes") {
        handshakes(&cores)?;
    }
    if wanted("throughput") {
        throughput(&cores)?;
    }
    if wanted("idle") {
        idle(&cores)?;
    }
    Ok(())
}

fn secured(cores: &Cores, certificate: &Certificate) -> Outcome<Server> {
    let options = certificate.options();
    Server::ticketd_with(cores, &options.each_ref().map(String::as_str))
}

/// Processor time that a server takes for a connection with one request.
fn cost_us(server: &Server, mut dial: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    let cpu = server.cpu()?;
    for _ in 0..DIALS_A_TURN {
        dial()?;
    }
    Ok((server.cpu()? - cpu).as_secs_f64() * 1e6 / f64::from(DIALS_A_TURN))
}

fn handshakes(cores: &Cores) -> Outcome {
    heading(
        "connections with one request each: processor time of the server, and handshakes in it",
    );
    let ask = request("GET", "/healthz");
    let server = Server::ticketd(cores)?;
    let mut plain = Vec::new();
    for _ in 0..TURNS {
        plain.push(cost_us(&server, || {
            Line::connect(server.address)?.exchange(&ask)?;
            Ok(())
        })?);
    }
    let plain = median(&plain);
    figure("without TLS", plain, "µs", Target::None);
    for (what, algorithm, resumes) in [
        ("ECDSA P-256", &PKCS_ECDSA_P256_SHA256, false),
        ("ECDSA P-256, resumed", &PKCS_ECDSA_P256_SHA256, true),
        ("RSA 2048", &PKCS_RSA_SHA256, false),
        ("RSA 2048, resumed", &PKCS_RSA_SHA256, true),
    ] {
        let certificate = Certificate::new(algorithm)?;
        let server = secured(cores, &certificate)?;
        let dialer = Dialer::new(&certificate, resumes)?;
        let mut costs = Vec::new();
        for _ in 0..TURNS {
            costs.push(cost_us(&server, || {
                Line::over(dialer.dial(server.address)?).exchange(&ask)?;
                Ok(())
            })?);
        }
        let cost = median(&costs);
        figure(&format!("TLS 1.3, {what}"), cost, "µs", Target::None);
        figure("  handshakes/s of one processor", 1e6 / (cost - plain), "", Target::None);
    }
    Ok(())
}

fn throughput(cores: &Cores) -> Outcome {
    heading("REST, 64 connections with one request each at a time, with and without TLS");
    let certificate = Certificate::new(&PKCS_ECDSA_P256_SHA256)?;
    let dialer = Dialer::new(&certificate, false)?;
    let (plain, tls) = (Server::ticketd(cores)?, secured(cores, &certificate)?);
    let sessions = [
        open_sessions(&mut Line::connect(plain.address)?, CONNECTIONS, TTL_MS)?,
        open_sessions(&mut Line::over(dialer.dial(tls.address)?), CONNECTIONS, TTL_MS)?,
    ];
    let (mut rates, mut costs) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..TURNS {
        for (at, (server, dialer)) in
            [(&plain, None), (&tls, Some(&dialer))].into_iter().enumerate()
        {
            let rounds: Vec<_> = sessions[at].iter().enumerate().map(lock_round).collect();
            let cpu = server.cpu()?;
            let rate = load_by(dialer, server.address, &rounds, WARM_UP, TURN)?;
            let used = (server.cpu()? - cpu).as_secs_f64();
            costs[at].push(used * 1e6 / (rate * (WARM_UP + TURN).as_secs_f64()));
            rates[at].push(rate);
        }
    }
    let [without, with] = &rates;
    figure("lock+unlock requests/s, TLS", median(with), "", Target::None);
    figure("  without TLS", median(without), "", Target::None);
    figure("  ratio", median(&ratios(with, without)), "x", Target::AtLeast(0.7));
    let [without, with] = &costs;
    figure("  processor time a request, TLS", median(with), "µs", Target::None);
    figure("  without TLS", median(without), "µs", Target::None);
    Ok(())
}

/// Locks and unlocks of one connection's own.
fn lock_round((connection, id): (usize, &String)) -> Vec<Vec<u8>> {
    let targets = (0..8).map(|n| format!("/api/v1/locks/lock-{connection}-{n}?sessid={id}"));
    targets.flat_map(|target| [request("POST", &target), request("DELETE", &target)]).collect()
}

fn idle(cores: &Cores) -> Outcome {
    heading("resident bytes that an idle connection adds, of 4000");
    let certificate = Certificate::new(&PKCS_ECDSA_P256_SHA256)?;
    let dialer = Dialer::new(&certificate, false)?;
    let (plain, tls) = (Server::ticketd(cores)?, secured(cores, &certificate)?);
    let bytes = each_of(&tls, || Socket::<TlsLine>::over(dialer.dial(tls.address)?, tls.address))?;
    figure("socket, TLS", bytes, "B", Target::AtMost(24.0 * 1024.0));
    let bytes = each_of(&plain, || Socket::<TcpStream>::open(plain.address))?;
    figure("  without TLS", bytes, "B", Target::None);
    let ask = request("GET", "/healthz");
    let server = secured(cores, &certificate)?;
    let bytes = each_of(&server, || {
        let mut line = Line::over(dialer.dial(server.address)?);
        line.exchange(&ask)?;
        Ok(line)
    })?;
    figure("REST, TLS", bytes, "B", Target::None);
    Ok(())
}

fn each_of<T>(server: &Server, mut open: impl FnMut() -> Outcome<T>) -> Outcome<f64> {
    let _first = (0..FIRST_FEW).map(|_| open()).collect::<Outcome<Vec<_>>>()?;
    let before = server.resident()?;
    let _idle = (0..IDLE).map(|_| open()).collect::<Outcome<Vec<_>>>()?;
    Ok((server.resident()? - before) / f64::from(u32::try_from(IDLE)?))
}
