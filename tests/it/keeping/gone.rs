//! The journal's directory goes away under the server. Once the server went on in the deleted
//! files: 6132 operations were acknowledged after `rm -rf`, a second server could take the
//! directory, and SIGTERM ended the first with 0, saying nothing.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::json;
use ticketd::driver::{Cycle, Unavailable};
use ticketd::journal::{Fault, StorageFailure};

use super::support::{House, heard, later, lock, pass, request};
use crate::faults::line::{Heard, Line};
use crate::support::{Client, Dir, Program, SessionInfo, in_time};

/// A server below a directory of the test's, so that its own may go.
async fn start(above: &Dir, policy: &str) -> Program {
    let dir = above.join("journal");
    let dir = dir.to_str().expect("is text");
    let options = ["-l", "127.0.0.1:0", "--snappath", dir, "--durability", policy];
    Program::start(&[&options[..], &["--loglevel", "0"]].concat()).await
}

fn remove(dir: &Path) {
    fs::remove_dir_all(dir).expect("is removed");
}

/// Somebody puts another directory in its place, be it with the same files.
fn replace(dir: &Path) {
    let aside = dir.with_file_name("aside");
    fs::rename(dir, &aside).expect("is renamed");
    fs::create_dir(dir).expect("is new");
    for entry in fs::read_dir(&aside).expect("can be read") {
        let entry = entry.expect("can be read");
        fs::copy(entry.path(), dir.join(entry.file_name())).expect("is copied");
    }
}

fn move_away(dir: &Path) {
    fs::rename(dir, dir.with_file_name("aside")).expect("is renamed");
}

/// It ended by itself, with 1 and one line that says why.
async fn assert_ended(server: Program) {
    let (ended, stderr) = server.ended().await;
    assert_eq!(ended.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("ticketd: ") && stderr.contains("/journal/"), "{stderr}");
    assert!(stderr.contains("removed, moved or replaced"), "{stderr}");
}

#[tokio::test]
async fn nothing_is_acknowledged_into_files_that_are_gone() {
    for policy in ["always", "interval", "none"] {
        let above = Dir::new();
        let server = start(&above, policy).await;
        let mut info = SessionInfo::open(server.address, "info").await;
        let mut waiter = SessionInfo::open(server.address, "waiter").await;
        let (mut line, _) = Line::open(server.address, "line").await;
        assert_eq!(info.says("POST /locks/db").await, "200 true");
        waiter.send("POST /locks/db?wait=60000").await;

        remove(&above.join("journal"));
        let mut acknowledged = 0;
        // Between two requests the connection may end without one, as any that is idle.
        let refusal = in_time(async {
            loop {
                let request = format!("POST /tickets/work?name=job-{acknowledged}");
                match info.try_ask(&request, b"data").await {
                    Some(answer) if answer.status == 200 => acknowledged += 1,
                    refusal => break refusal,
                }
            }
        })
        .await;
        if policy == "always" {
            assert_eq!(acknowledged, 0, "what is synced after that is lost");
        }
        assert!(refusal.is_none_or(|refusal| refusal.status == 503));
        assert_eq!(waiter.answer().await.status, 503);
        let Heard::Json(event) = in_time(line.hear()).await else { panic!("no event") };
        assert_eq!(event["event"], "going-away");
        assert_eq!(line.end().await, Some(1012));
        drop((info, waiter, line));
        assert_ended(server).await;
        assert!(!above.join("journal").exists(), "it is not made anew");
    }
}

#[tokio::test]
async fn a_server_whose_files_go_ends_though_nobody_asks_it() {
    for go in [remove, replace, move_away] {
        let above = Dir::new();
        let server = start(&above, "always").await;
        let mut info = SessionInfo::open(server.address, "info").await;
        info.issue("work", "job", "data").await;
        drop(info);
        go(&above.join("journal"));
        assert_ended(server).await;
    }
}

/// Files one by one: what a name leads to is not what is written to.
#[tokio::test]
async fn each_file_counts() {
    for name in ["lock", "00000001.ticketd", "00000001.ticketd-wal", "00000001.ticketd-shm"] {
        let above = Dir::new();
        let server = start(&above, "interval").await;
        fs::remove_file(above.join("journal").join(name)).expect("was there");
        let (ended, stderr) = server.ended().await;
        assert_eq!(ended.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.contains(&format!("/journal/{name} ")), "{name}: {stderr}");
    }
}

/// A second server takes the directory that was emptied under the first; the first, told to stop,
/// writes no snapshot into it.
#[tokio::test]
async fn a_server_that_stops_leaves_its_successors_files_alone() {
    let above = Dir::new();
    let first = start(&above, "none").await;
    let mut info = SessionInfo::open(first.address, "info").await;
    info.issue("work", "job", "data").await;
    remove(&above.join("journal"));
    first.signal(Signal::TERM);
    let second = start(&above, "always").await;
    drop(info);
    assert_ended(first).await;
    let mut other = SessionInfo::open(second.address, "other").await;
    other.issue("work", "another", "data").await;
    let mut names: Vec<String> = fs::read_dir(above.join("journal"))
        .expect("can be read")
        .map(|entry| entry.expect("can be read").file_name().into_string().expect("is text"))
        .collect();
    names.sort();
    let expected = ["00000001.ticketd", "00000001.ticketd-shm", "00000001.ticketd-wal", "lock"];
    assert_eq!(names, expected);
    second.signal(Signal::KILL);
    second.ended().await;
    let third = start(&above, "always").await;
    let status = Client::connect(third.address).await.ask("GET /status").await.json();
    assert_eq!(status["Tickets"], json!(1), "{status}");
}

/// Each look in turn: at the next round, though the disk is full, and before an image.
#[tokio::test(start_paused = true)]
async fn gone_is_final_as_a_failed_sync_is() {
    let gone = StorageFailure::Gone("the journal is gone".to_owned());
    for when in ["idle", "full", "snapshot"] {
        let mut house = House::new();
        let session = house.open_session("one", 60_000);
        let socket = house.connect("two", 60_000);
        let mut asked = None;
        if when == "full" {
            let call = house.memory.calls() + 1;
            for call in call..call + 5 {
                house.memory.fail(Fault { call, failure: StorageFailure::Full, is_done: false });
            }
            asked = Some(later(request(&house.driver, session, lock(session, "db"))));
            assert!(asked.as_mut().expect("was asked").is_open());
            assert_eq!(house.keeper.cycle(), Ok(Cycle::Full));
        }
        house.memory.set_sight(Some(gone.clone()));
        if when == "snapshot" {
            assert_eq!(house.keeper.snapshot(), Err(gone.clone()));
        } else {
            // It was looked at a moment ago.
            let round = if when == "full" { Cycle::Full } else { Cycle::Idle };
            assert_eq!(house.keeper.cycle(), Ok(round));
            pass(1000).await;
            let calls = house.memory.calls();
            assert_eq!(house.keeper.cycle(), Err(gone.clone()), "{when}");
            assert_eq!(house.memory.calls(), calls, "nothing is written any more");
        }
        if let Some(asked) = asked {
            assert_eq!(asked.now(), Err(Unavailable::Failed));
        }
        assert_eq!(heard(&socket), ["going away", "end GoingAway"]);
        let late = later(request(&house.driver, session, lock(session, "new"))).now();
        assert_eq!(late, Err(Unavailable::Failed));
        assert!(house.driver.failed().await.contains("is gone"));
        house.memory.set_sight(None);
        assert_eq!(house.keeper.cycle(), Err(gone.clone()), "it stays so");
    }
}

/// What cannot be seen may be there: the next look tells.
#[tokio::test(start_paused = true)]
async fn not_to_be_seen_is_not_gone() {
    let mut house = House::new();
    let session = house.open_session("one", 60_000);
    house.memory.set_sight(Some(StorageFailure::Denied("may not be looked at".to_owned())));
    for _ in 0..3 {
        pass(1000).await;
        house.done(session, lock(session, "db"));
    }
    house.keeper.snapshot().expect("the journal works");
    house.assert_kept();
    house.memory.set_sight(Some(StorageFailure::Gone("is gone".to_owned())));
    pass(1000).await;
    assert!(house.keeper.cycle().is_err());
}
