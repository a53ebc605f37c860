//! Sockets under load, handing over, and idle, against bare axum: `cargo bench --bench socket`.

mod support;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use support::frames::{Client, Load, Socket, frame};
use support::servers::{self, Cores, Server};
use support::{
    Outcome, Target, bare, figure, heading, in_ms, median, now, paced, ratios, since, wanted,
};

const SOCKETS: usize = 64;
/// Turns that those who are compared take.
const TURNS: usize = 5;
const WARM_UP: Duration = Duration::from_millis(200);
const TURN: Duration = Duration::from_millis(1000);
/// Between two round trips that are looked at one by one.
const PERIOD: Duration = Duration::from_millis(4);
const TRIPS_A_TURN: u32 = 200;
/// Hand-overs whose processor time is taken together.
const HAND_OVERS_A_TURN: u32 = 3000;
/// Sockets whose memory is looked at, beyond the first few.
const IDLE: usize = 8000;
const FIRST_FEW: usize = 100;
/// Sockets that wait for one lock, or are silent.
const CROWD: usize = 10_000;
/// A little more than the longest time between two heartbeats.
const SILENCE: Duration = Duration::from_secs(26);

fn main() -> Outcome {
    if bare::ran_instead()? {
        return Ok(());
    }
    servers::raise_descriptor_limit()?;
    let cores = Cores::share_out()?;
    if wanted("throughput") {
        throughput(&cores)?;
    }
    if wanted("handover") {
        hand_over(&cores)?;
    }
    if wanted("crowd") {
        crowd(&cores)?;
    }
    Ok(())
}

fn throughput(cores: &Cores) -> Outcome {
    let servers = [Server::ticketd(cores)?, Server::bare(cores)?];
    let mut numbers = 0..;
    heading("64 sockets that lock and unlock, against bare axum that echoes");
    for (in_flight, least) in [(32, 0.7), (1, 0.8)] {
        for (client, by, target) in [
            (Client::Usual, "", Target::AtLeast(least)),
            (Client::Light, ", by a client that costs little", Target::None),
        ] {
            let load = Load { client, in_flight, warm_up: WARM_UP, length: TURN };
            let mut rates = [Vec::new(), Vec::new()];
            let mut costs = [Vec::new(), Vec::new()];
            for _ in 0..TURNS {
                let rounds: Vec<_> = numbers.by_ref().take(SOCKETS).map(round).collect();
                for (at, server) in servers.iter().enumerate() {
                    let cpu = server.cpu()?;
                    let rate = load.run(server.address, &rounds)?;
                    let used = (server.cpu()? - cpu).as_secs_f64();
                    costs[at].push(used * 1e6 / (rate * (WARM_UP + TURN).as_secs_f64()));
                    rates[at].push(rate);
                }
            }
            let [ours, theirs] = &rates;
            let what = format!("messages/s, {in_flight} in flight{by}");
            figure(&what, median(ours), "", Target::None);
            figure("  bare axum", median(theirs), "", Target::None);
            figure("  ratio", median(&ratios(ours, theirs)), "x", target);
            let [ours, theirs] = &costs;
            figure("  processor time a message", median(ours), "µs", Target::None);
            figure("  bare axum", median(theirs), "µs", Target::None);
        }
    }
    Ok(())
}

/// Locks and unlocks of one socket's own. Sockets of later turns have others: the sessions of
/// earlier ones may still hold theirs.
fn round(socket: usize) -> Vec<String> {
    let mut requests = Vec::new();
    for number in 0..16 {
        let (lock, unlock) = (10 + 2 * number, 11 + 2 * number);
        let resource = format!("lock-{socket}-{number}");
        for (id, op) in [(lock, "lock"), (unlock, "unlock")] {
            requests.push(format!(r#"{{"id":{id},"op":"{op}","resource":"{resource}"}}"#));
        }
    }
    requests
}

/// Sockets of which the first holds a lock and the others wait for it.
struct Queue {
    sockets: VecDeque<Socket>,
    lock: Vec<u8>,
    unlock: Vec<u8>,
}

impl Queue {
    fn new(address: SocketAddr, waiters: usize) -> Outcome<Self> {
        let sockets = (0..=waiters).map(|_| Socket::open(address)).collect::<Outcome<_>>()?;
        Self::of(sockets)
    }

    fn of(sockets: VecDeque<Socket>) -> Outcome<Self> {
        let resource = format!("printer-{}", sockets.len());
        let lock = format!(r#"{{"id":1,"op":"lock","resource":"{resource}","wait":true}}"#);
        let unlock = format!(r#"{{"id":2,"op":"unlock","resource":"{resource}"}}"#);
        let mut queue = Self { sockets, lock: frame(&lock), unlock: frame(&unlock) };
        for socket in &mut queue.sockets {
            socket.send(&queue.lock)?;
            socket.until("{\"id\":1,")?;
        }
        Ok(queue)
    }

    /// The holder unlocks and joins again at the end. The time from when its request was sent
    /// until the next one was told that the lock is its.
    fn hand_over(&mut self) -> Outcome<Duration> {
        let mut holder = self.sockets.pop_front().ok_or("nobody holds the lock")?;
        let next = self.sockets.front_mut().ok_or("nobody waits for the lock")?;
        let start = now();
        holder.send(&self.unlock)?;
        next.until("{\"event\":\"lock-granted\",")?;
        let time = since(start);
        holder.until("{\"id\":2,")?;
        holder.send(&self.lock)?;
        holder.until("{\"id\":1,")?;
        self.sockets.push_back(holder);
        Ok(time)
    }

    /// Processor time that the server takes for a hand-over, joining again included.
    fn cost_us(&mut self, server: &Server) -> Outcome<f64> {
        let cpu = server.cpu()?;
        for _ in 0..HAND_OVERS_A_TURN {
            self.hand_over()?;
        }
        Ok((server.cpu()? - cpu).as_secs_f64() * 1e6 / f64::from(HAND_OVERS_A_TURN))
    }
}

fn hand_over(cores: &Cores) -> Outcome {
    let (ours, theirs) = (Server::ticketd(cores)?, Server::bare(cores)?);
    let mut one = Queue::new(ours.address, 1)?;
    let mut hundred = Queue::new(ours.address, 100)?;
    let mut echo = Socket::open(theirs.address)?;
    let request = frame(r#"{"id":2,"op":"unlock","resource":"printer-100"}"#);
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let mut costs = Vec::new();
    for _ in 0..TURNS {
        let cpu = theirs.cpu()?;
        let turns = [
            paced(PERIOD, TRIPS_A_TURN, |_| {
                let start = now();
                echo.send(&request)?;
                echo.until("{\"id\":2,")?;
                Ok(since(start))
            })?,
            paced(PERIOD, TRIPS_A_TURN, |_| one.hand_over())?,
            paced(PERIOD, TRIPS_A_TURN, |_| hundred.hand_over())?,
        ];
        costs.push((theirs.cpu()? - cpu).as_secs_f64() * 1e6 / f64::from(TRIPS_A_TURN));
        for (times, turn) in times.iter_mut().zip(turns) {
            times.push(median(&in_ms(&turn)));
        }
    }
    let [echo, one, hundred] = &times;
    heading("hand-over: unlock sent until the next waiter has lock-granted, p50");
    figure("round trip of a bare echo", median(echo), "ms", Target::None);
    figure("  processor time of one", median(&costs), "µs", Target::None);
    for (waiters, times) in [("1 waiter", one), ("100 waiters", hundred)] {
        figure(waiters, median(times), "ms", Target::None);
        figure("  ratio", median(&ratios(times, echo)), "x", Target::AtMost(1.2));
    }
    Ok(())
}

fn crowd(cores: &Cores) -> Outcome {
    heading("many sockets");
    let theirs = Server::bare(cores)?;
    let bare_bytes = open_idle(&theirs)?.1;
    drop(theirs);
    let ours = Server::ticketd(cores)?;
    let (mut sockets, bytes) = open_idle(&ours)?;
    figure("resident bytes an idle socket, 8000 of them", bytes, "B", Target::AtMost(8192.0));
    figure("  bare axum", bare_bytes, "B", Target::None);
    while sockets.len() < CROWD + 1 {
        sockets.push_back(Socket::open(ours.address)?);
    }
    let percent = silence(&ours, &mut sockets)?;
    figure("processor used by 10 000 silent sockets", percent, "%", Target::AtMost(1.0));
    let mut queues =
        [Queue::new(ours.address, 1)?, Queue::new(ours.address, 2)?, Queue::of(sockets)?];
    let mut costs = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..3 {
        for (costs, queue) in costs.iter_mut().zip(&mut queues) {
            costs.push(queue.cost_us(&ours)?);
        }
    }
    let [one, two, many] = &costs;
    figure("processor time a hand-over, 1 waiter", median(one), "µs", Target::None);
    figure("processor time a hand-over, 2 waiters", median(two), "µs", Target::None);
    figure("processor time a hand-over, 10 000 waiters", median(many), "µs", Target::None);
    let ratio = median(&ratios(many, one));
    figure("  10 000 against 1", ratio, "x", Target::AtMost(1.5));
    figure("  10 000 against 2", median(&ratios(many, two)), "x", Target::None);
    Ok(())
}

/// Opens sockets that do nothing, and tells how many resident bytes each has added.
fn open_idle(server: &Server) -> Outcome<(VecDeque<Socket>, f64)> {
    let mut sockets = VecDeque::new();
    for _ in 0..FIRST_FEW {
        sockets.push_back(Socket::open(server.address)?);
    }
    let before = server.resident()?;
    for _ in 0..IDLE {
        sockets.push_back(Socket::open(server.address)?);
    }
    let bytes = (server.resident()? - before) / f64::from(u32::try_from(IDLE)?);
    Ok((sockets, bytes))
}

/// The share of a processor that the server uses while its clients do no more than they must, in
/// percent.
fn silence(server: &Server, sockets: &mut VecDeque<Socket>) -> Outcome<f64> {
    let (start, cpu) = (now(), server.cpu()?);
    while since(start) < SILENCE {
        std::thread::sleep(Duration::from_millis(250));
        sockets.iter_mut().try_for_each(Socket::answer_heartbeats)?;
    }
    Ok((server.cpu()? - cpu).as_secs_f64() * 100.0 / since(start).as_secs_f64())
}
