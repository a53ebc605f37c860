//! The program, killed again and again under load: nothing that was acknowledged is lost, nothing
//! undone, no fence comes twice, and sessions come back over their sockets to what they had.
//!
//! `TICKETD_KILLS=n` kills it so many times.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::killed::Killed;
use crate::faults::ledger::Ledger;
use crate::faults::line::Line;
use crate::faults::party::{KEPT, Party, TICKETS};
use crate::faults::proxy::Faults;
use crate::faults::{Seed, all, check_dump, dump};
use crate::rng::Rng;
use crate::support::{Dir, Program};

const KILLS: usize = 40;
const SOCKETS: usize = 10;
const REQUESTS: usize = 4;
/// What a kill takes at most, all in all.
const KILL_MAX: Duration = Duration::from_secs(5);
const POLICIES: [&str; 3] = ["always", "interval", "none"];

/// Snapshots and new epochs come all the time.
async fn start(dir: &Dir, listen: &str, durability: &str) -> Program {
    Program::start(&[
        "--listen",
        listen,
        "--snappath",
        dir.text(),
        "--durability",
        durability,
        "--snapshot",
        "20",
        "--image-after",
        "16384",
        "--loglevel",
        "1",
    ])
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_it_loses_nothing() {
    let kills = std::env::var("TICKETD_KILLS").ok();
    let kills = kills.map_or(KILLS, |kills| kills.parse().expect("TICKETD_KILLS is a number"));
    let seed = Seed::or(1);
    let most = KILL_MAX * u32::try_from(kills).expect("is small") + Duration::from_secs(30);
    let told = timeout(most, story(seed.0, kills)).await.expect("the story ends in time");
    println!("{told}");
}

async fn story(seed: u64, kills: usize) -> String {
    let dir = Dir::new();
    let mut server = start(&dir, "127.0.0.1:0", "always").await;
    let address = server.address;
    let (mut keeper, keeper_id) = Line::open(address, "keeper").await;
    for resource in TICKETS {
        for ticket in KEPT {
            let issue = json!({"op": "issue", "resource": resource, "ticket": ticket});
            keeper.ask(issue).await.expect("issued");
        }
    }
    let mut rng = Rng::new(seed);
    let (faults, ledger) = (Arc::new(Faults::elsewhere()), Arc::new(Ledger::default()));
    let mut parties = JoinSet::new();
    for number in 0..SOCKETS {
        let mut info = Party::new(number, rng.next(), address, ledger.clone());
        let faults = faults.clone();
        parties.spawn(async move {
            info.come_back().await;
            info.live(faults).await
        });
    }
    let mut requests = JoinSet::new();
    for number in 0..REQUESTS {
        let info = Killed::new(number, rng.next(), address, ledger.clone());
        requests.spawn(info.live(faults.clone()));
    }
    for kill in 0..kills {
        sleep(Duration::from_millis(rng.next() % 500)).await;
        server.signal(Signal::KILL);
        let said = server.ended().await.1;
        assert!(!said.contains("panicked"), "{said}");
        server = start(&dir, &address.to_string(), POLICIES[kill % 3]).await;
        // A panic in a info is the test's at once.
        if let Some(ended) = parties.try_join_next() {
            ended.map(drop).unwrap_or_else(|why| std::panic::resume_unwind(why.into_panic()));
        }
        if let Some(ended) = requests.try_join_next() {
            ended.map(drop).unwrap_or_else(|why| std::panic::resume_unwind(why.into_panic()));
        }
    }
    faults.end();
    let (mut answers, mut lost) = (0, 0);
    while let Some(ended) = requests.join_next().await {
        let info = ended.unwrap_or_else(|why| std::panic::resume_unwind(why.into_panic()));
        (answers, lost) = (answers + info.answers, lost + info.lost);
    }
    let mut parties = all(parties).await;
    for info in &mut parties {
        info.compare().await;
    }
    check_dump(&dump(address).await, &parties, &keeper_id);
    let resumed: usize = parties.iter().map(|info| info.resumed).sum();

    // It ends in order, and what is left is the same.
    let before = dump(address).await;
    drop(parties);
    server.signal(Signal::TERM);
    let (status, said) = server.ended().await;
    assert!(status.success(), "{said}");
    let server = start(&dir, &address.to_string(), "always").await;
    assert_eq!(dump(address).await, before);
    drop(server);
    let grants = ledger.check().unwrap_or_else(|why| panic!("{why}"));
    assert!(resumed >= kills, "only {resumed} came back");
    format!(
        "{kills} kills, {resumed} resumes, {grants} grants; by REST {answers} answers and {lost} \
         that did not come"
    )
}
