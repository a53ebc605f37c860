//! A queue of work whose workers are killed, cut and stopped, over a server that is killed: every
//! ticket is finished, none twice, and every attempt is counted.
//!
//! The producer exits before the first is claimed. `TICKETD_MISSION=n` issues so many tickets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::worker::{JOBS, Worker};
use crate::faults::Seed;
use crate::faults::line::{Heard, Line};
use crate::faults::proxy::Faults;
use crate::rng::Rng;
use crate::support::{Client, Dir, Program, in_time};

const TICKETS: usize = 20_000;
const WORKERS: usize = 50;
const KILLS: usize = 5;
/// What so many tickets take at most.
const MISSION_MAX: Duration = Duration::from_secs(100);
/// Requests of the producer that are under way together.
const BATCH: usize = 500;

/// How a claim ended, as its worker knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// In any of the ways that count.
    Counted,
    /// Given back untried.
    Untried,
    /// One of both: the answer did not come.
    Either,
    /// The ticket was revoked by it.
    Finished,
    /// It was revoked, or it ended in a way that counts: the answer did not come.
    PerhapsFinished,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    worker: usize,
    attempt: u64,
    ended: Ended,
}

/// All claims of a mission, as the workers tell of them.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// By the ticket and the fence.
    claims: Mutex<BTreeMap<String, BTreeMap<u64, Claim>>>,
}

impl Book {
    fn claims(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<u64, Claim>>> {
        self.claims.lock().expect("nobody panics with it")
    }

    /// A worker was told of a claim of its own, for the first time or again.
    pub(super) fn claimed(&self, worker: usize, ticket: &str, fence: u64, attempt: u64) {
        let mut claims = self.claims();
        let claim = claims.entry(ticket.to_owned()).or_default().entry(fence);
        let claim = claim.or_insert(Claim { worker, attempt, ended: Ended::Counted });
        let told = (claim.worker, claim.attempt);
        assert_eq!(told, (worker, attempt), "{ticket} at {fence} was given twice");
        claim.ended = Ended::Counted;
    }

    /// A claim has ended.
    pub(super) fn ended(&self, ticket: &str, fence: u64, ended: Ended) {
        let mut claims = self.claims();
        let of_it = claims.get_mut(ticket).expect("it was claimed");
        of_it.get_mut(&fence).expect("it was claimed").ended = ended;
    }

    /// What a mission came to, if it was one.
    fn check(&self, tickets: usize) -> String {
        let claims = self.claims();
        let (mut grants, mut unsure, mut most) = (0, 0, 0);
        for number in 0..tickets {
            let name = format!("job-{number}");
            let of_it = claims.get(&name).unwrap_or_else(|| panic!("{name} was never claimed"));
            let mut least = 1;
            let mut greatest = 1;
            for (fence, claim) in of_it {
                let fits = (least..=greatest).contains(&claim.attempt);
                assert!(fits, "{name} at {fence}: {least} to {greatest}, of {of_it:?}");
                let counts = match claim.ended {
                    Ended::Untried => (0, 0),
                    Ended::Either => (0, 1),
                    _ => (1, 1),
                };
                (least, greatest) = (claim.attempt + counts.0, claim.attempt + counts.1);
                unsure += usize::from(claim.ended == Ended::Either);
                most = most.max(claim.attempt);
                grants += 1;
            }
            let is_last = |fence: &u64| of_it.last_key_value().is_some_and(|it| it.0 == fence);
            let finished = of_it.iter().filter(|(_, claim)| claim.ended == Ended::Finished);
            let finished: Vec<_> = finished.map(|(fence, _)| *fence).collect();
            let perhaps = of_it.last_key_value().map(|(_, claim)| claim.ended);
            assert!(finished.len() <= 1 && finished.iter().all(is_last), "{name}: {of_it:?}");
            let is_finished = finished.len() == 1 || perhaps == Some(Ended::PerhapsFinished);
            assert!(is_finished, "{name} is gone, and nobody finished it: {of_it:?}");
        }
        assert_eq!(claims.len(), tickets);
        format!("{tickets} tickets by {grants} claims, {most} of one at most, {unsure} unsure")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_ticket_is_finished_once_and_every_attempt_is_counted() {
    let tickets = std::env::var("TICKETD_MISSION").ok();
    let tickets = tickets.map_or(TICKETS, |it| it.parse().expect("TICKETD_MISSION is a number"));
    let seed = Seed::or(1);
    let patience = MISSION_MAX * u32::try_from(1 + tickets / TICKETS).expect("is small");
    let told = timeout(patience, mission(seed.0, tickets)).await.expect("it ends in time");
    println!("{told}");
}

async fn start(dir: &Dir, listen: &str) -> Program {
    let keep = ["--snappath", dir.text(), "--durability", "always", "--expire", "100"];
    Program::start(&[&["--listen", listen, "--loglevel", "1"], &keep[..]].concat()).await
}

async fn mission(seed: u64, tickets: usize) -> String {
    let dir = Dir::new();
    let mut server = start(&dir, "127.0.0.1:0").await;
    let address = server.address;
    let (mut producer, _) = Line::open(address, "producer").await;
    produce(&mut producer, tickets).await;
    producer.ask(json!({"op": "bye"})).await.expect("it exits");
    let mut rng = Rng::new(seed);
    let (book, faults) = (Arc::new(Book::default()), Arc::new(Faults::elsewhere()));
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        let worker = Worker::new(number, rng.next(), address, book.clone());
        workers.spawn(worker.work(faults.clone()));
    }
    for kill in 1..=KILLS {
        let left = tickets - tickets * kill / (KILLS + 1);
        until_left(address, left, &mut workers).await;
        server.signal(Signal::KILL);
        let said = server.ended().await.1;
        assert!(!said.contains("panicked"), "{said}");
        server = start(&dir, &address.to_string()).await;
    }
    until_left(address, 0, &mut workers).await;
    faults.end();
    while let Some(ended) = workers.join_next().await {
        ended.unwrap_or_else(|why| std::panic::resume_unwind(why.into_panic()));
    }
    drop(server);
    book.check(tickets)
}

/// Issues all tickets, in batches.
async fn produce(producer: &mut Line, tickets: usize) {
    for first in (0..tickets).step_by(BATCH) {
        let batch = first..tickets.min(first + BATCH);
        for number in batch.clone() {
            let issue = json!({
                "id": number + 1000, "op": "issue", "resource": JOBS,
                "ticket": format!("job-{number}"),
                "stay": true, "new": true, "attempts": 1000, "hold": 1500,
            });
            producer.feed(issue.to_string()).await.expect("sent");
        }
        futures::SinkExt::flush(&mut producer.socket).await.expect("sent");
        for number in batch {
            match in_time(producer.hear()).await {
                Heard::Json(value) => {
                    assert_eq!(value, json!({"id": number + 1000, "ok": {}}));
                }
                end => panic!("{end:?}"),
            }
        }
    }
}

/// Until there are at most so many tickets left.
async fn until_left(address: std::net::SocketAddr, most: usize, workers: &mut JoinSet<()>) {
    loop {
        // A panic of a worker is the test's at once.
        if let Some(ended) = workers.try_join_next() {
            ended.unwrap_or_else(|why| std::panic::resume_unwind(why.into_panic()));
        }
        if let Some(mut client) = Client::try_connect(address).await
            && let Some(answer) = client.try_ask(&format!("GET /resources/{JOBS}"), b"").await
        {
            let look = answer.json();
            let count = |name: &str| look[name].as_u64().unwrap_or(0);
            assert_eq!(count("dead"), 0, "{look}");
            if count("free") + count("held") + count("delayed") <= most as u64 {
                return;
            }
        }
        sleep(Duration::from_millis(20)).await;
    }
}
