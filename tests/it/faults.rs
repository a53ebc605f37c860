//! Fault stories: many sessions over lines that are cut at any byte, go dumb or delay. What each
//! session thinks it has is what the server says, however often it had to come back, and nothing
//! ever has two holders.
//!
//! A story is a seed, which is printed when it fails; `TICKETD_SEED=n` tells that one again (the
//! same faults and requests, but what meets what is up to the machine).

pub(crate) mod ledger;
pub(crate) mod line;
pub(crate) mod party;
pub(crate) mod proxy;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::rng::Rng;
use crate::support::{Client, Served};
use ledger::{Ledger, Thing};
use line::Line;
use party::{KEPT, Party, TICKETS};

const PARTIES: usize = 50;
const FAULTS: usize = 1000;
/// What the whole story takes at most.
const STORY_MAX: Duration = Duration::from_secs(55);

/// A seed that is printed when its test fails.
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    /// The one that was asked for, or the test's own.
    pub(crate) fn or(own: u64) -> Self {
        let asked = std::env::var("TICKETD_SEED").ok();
        Self(asked.map_or(own, |seed| seed.parse().expect("TICKETD_SEED is a number")))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("TICKETD_SEED={}", self.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cuts_lose_nothing_and_grant_nothing_twice() {
    let seed = Seed::or(1);
    let told = timeout(STORY_MAX, story(seed.0)).await.expect("the story ends in time");
    println!("{told}");
}

/// Tells a story; what there was of everything.
async fn story(seed: u64) -> String {
    let server = Served::start().await;
    let (mut keeper, keeper_id) = Line::open(server.address, "keeper").await;
    for resource in TICKETS {
        for ticket in KEPT {
            let issue = json!({"op": "issue", "resource": resource, "ticket": ticket});
            keeper.ask(issue).await.expect("issued");
        }
    }
    let mut rng = Rng::new(seed);
    let (proxy, faults) = proxy::start(server.address, rng.next(), FAULTS).await;
    let ledger = Arc::new(Ledger::default());
    let mut lives = JoinSet::new();
    for number in 0..PARTIES {
        let mut party = Party::new(number, rng.next(), proxy, ledger.clone());
        let faults = faults.clone();
        lives.spawn(async move {
            party.come_back().await;
            party.live(faults).await
        });
    }
    let mut parties = all(lives).await;
    for party in &mut parties {
        party.compare().await;
    }
    check_dump(&dump(server.address).await, &parties, &keeper_id);
    let in_queues: usize = parties.iter().map(|party| party.view.waits.len()).sum();
    let held: usize = parties.iter().map(|party| party.view.holds.len()).sum();
    assert!(in_queues > 0 && held > 0, "nothing was going on");

    let mut ends = JoinSet::new();
    for party in parties {
        ends.spawn(party.wind_up());
    }
    let parties = all(ends).await;
    check_dump(&dump(server.address).await, &parties, &keeper_id);
    let mut http = Client::connect(server.address).await;
    let status = http.ask("GET /status").await.json();
    assert_eq!(
        (&status["Waits"], &status["Locks"], &status["Claims"]),
        (&json!(0), &json!(0), &json!(0))
    );
    let grants = ledger.check().unwrap_or_else(|why| panic!("{why}"));
    let resumed: usize = parties.iter().map(|party| party.resumed).sum();
    let (cuts, dumb) = (faults.cuts.load(Ordering::SeqCst), faults.dumb.load(Ordering::SeqCst));
    assert_eq!(cuts + dumb, FAULTS);
    format!(
        "{cuts} cuts, {dumb} dumb lines, {resumed} resumes, {grants} grants; \
         {held} holds and {in_queues} waits compared"
    )
}

/// What all tasks return; a panic in one is the test's.
pub(crate) async fn all(mut tasks: JoinSet<Party>) -> Vec<Party> {
    let mut parties = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok(party) => parties.push(party),
            Err(why) => std::panic::resume_unwind(why.into_panic()),
        }
    }
    parties
}

pub(crate) async fn dump(server: SocketAddr) -> Value {
    Client::connect(server).await.ask("GET /dump/resources").await.json()
}

/// Who holds what by the server's account is who thinks so; and queues have no gaps.
pub(crate) fn check_dump(dump: &Value, parties: &[Party], keeper: &str) {
    let mut by_server: BTreeMap<Thing, String> = BTreeMap::new();
    let mut issued: BTreeSet<(String, String)> = BTreeSet::new();
    for (name, resource) in dump.as_object().expect("an object") {
        for (ticket, entry) in resource["Tickets"].as_object().expect("an object") {
            let id = |member: &str| entry[member]["Id"].as_str().map(str::to_owned);
            if resource["IsLock"] == true {
                by_server.insert((name.clone(), None), id("Issuer").expect("a holder"));
                continue;
            }
            if id("Issuer").as_deref() != Some(keeper) {
                issued.insert((name.clone(), ticket.clone()));
            }
            if let Some(claimant) = id("Claimant") {
                by_server.insert((name.clone(), Some(ticket.clone())), claimant);
            }
        }
    }
    let mut by_parties = BTreeMap::new();
    let mut queues: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for party in parties {
        let session = party.session.as_ref().expect("a session");
        for thing in party.view.holds.keys() {
            let other = by_parties.insert(thing.clone(), session.clone());
            assert_eq!(other, None, "two hold {thing:?}");
        }
        for wait in party.view.waits.values() {
            queues.entry(&wait.resource).or_default().push(wait.position);
        }
        for ticket in &party.view.issued {
            assert!(issued.remove(ticket), "{ticket:?} is not there");
        }
    }
    assert_eq!(by_parties, by_server);
    assert_eq!(issued, BTreeSet::new(), "nobody issued these");
    for (resource, mut positions) in queues {
        positions.sort_unstable();
        let expected: Vec<u64> = (1..).take(positions.len()).collect();
        assert_eq!(positions, expected, "the queue of {resource}");
    }
}
