//! The program over a journal: what its status tells, and how it ends when the disk fails.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::faults::line::{Heard, Line};
use crate::support::{Client, Dir, Program, Served, SessionInfo, in_time, program};

async fn start(dir: &Dir, policy: &str) -> Program {
    let options = ["-l", "127.0.0.1:0", "--snappath", dir.text(), "--durability", policy];
    Program::start(&[&options[..], &["--snapshot", "50", "--loglevel", "0"]].concat()).await
}

async fn status(server: &Program) -> Value {
    Client::connect(server.address).await.ask("GET /status").await.json()
}

#[tokio::test]
async fn the_status_tells_what_is_kept() {
    let server = Served::start().await;
    let status_of_none = Client::connect(server.address).await.ask("GET /status").await.json();
    let none = json!({
        "Durability": "memory", "JournalFile": null, "JournalBytes": 0, "ImageBytes": 0,
        "JournalCommands": 0, "LastSync": null, "LastSnapshot": null, "DiskFull": false,
    });
    for (name, value) in none.as_object().expect("an object") {
        assert_eq!(&status_of_none[name], value, "{name}");
    }
    server.stop().await;

    for policy in ["always", "interval", "none"] {
        let dir = Dir::new();
        let server = start(&dir, policy).await;
        let first = status(&server).await;
        assert_eq!((&first["Durability"], &first["DiskFull"]), (&json!(policy), &json!(false)));
        assert_eq!(
            (&first["JournalFile"], &first["LastSnapshot"]),
            (&json!("00000001.ticketd"), &Value::Null)
        );
        assert_eq!(first["JournalCommands"], 1, "the start");
        let mut info = SessionInfo::open(server.address, "info").await;
        info.issue("work", "job", "data").await;
        // The figures come a moment behind the answer; a sync under `interval` later still.
        let is_told = |then: &Value| {
            let is_synced = policy == "none" || then["LastSync"] != first["LastSync"];
            // The session, the ticket, and what time it was.
            is_synced && then["JournalCommands"].as_u64() >= Some(4)
        };
        let then = in_time(async {
            loop {
                let then = status(&server).await;
                if is_told(&then) {
                    break then;
                }
            }
        })
        .await;
        let bytes = |status: &Value, name: &str| status[name].as_u64().expect("a figure");
        assert!(bytes(&then, "JournalBytes") > bytes(&first, "JournalBytes"));
        server.signal(Signal::TERM);
        assert!(server.ended().await.0.success());

        let server = start(&dir, policy).await;
        let again = status(&server).await;
        assert_eq!(again["JournalFile"], "00000002.ticketd", "a clean end writes an image");
        assert_eq!((&again["Sessions"], &again["Tickets"]), (&json!(1), &json!(1)));
        assert!(bytes(&again, "ImageBytes") > bytes(&first, "ImageBytes"));
        assert!(again["LastSync"].as_str().is_some_and(|at| at.ends_with('Z')), "{again}");
    }
}

/// A file may not grow any more, in the middle of work: the write fails.
#[tokio::test]
async fn a_disk_that_fails_ends_the_server_and_everybody_is_told() {
    let dir = Dir::new();
    let shell = ["sh", "-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\""];
    let options = ["-l", "127.0.0.1:0", "--snappath", dir.text(), "--loglevel", "0"];
    let server = Program::started(program(&shell, &options)).await;
    let mut waiter = SessionInfo::open(server.address, "waiter").await;
    let mut info = SessionInfo::open(server.address, "info").await;
    let (mut line, _) = Line::open(server.address, "line").await;
    assert_eq!(info.says("POST /locks/db").await, "200 true");
    waiter.send("POST /locks/db?wait=60000").await;
    let mut issued = 0;
    let refusal = loop {
        let request = format!("POST /tickets/work?name=job-{issued}");
        let answer = info.ask_with(&request, "what is to be done").await;
        if answer.status != 200 {
            break answer;
        }
        issued += 1;
    };
    assert!(issued > 20, "{issued}");
    assert_eq!(refusal.status, 503, "{}", refusal.said());
    assert_eq!(waiter.answer().await.status, 503);
    let Heard::Json(event) = in_time(line.hear()).await else { panic!("no event") };
    assert_eq!(event["event"], "going-away");
    assert_eq!(line.end().await, Some(1012));
    drop((waiter, info, line));
    let (ended, stderr) = server.ended().await;
    assert_eq!(ended.code(), Some(1));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("ticketd: 00000001.ticketd: "), "{stderr}");

    // What was acknowledged is there, and of what was not, no more than was asked.
    let server = start(&dir, "always").await;
    let tickets = status(&server).await["Tickets"].as_u64().expect("a figure");
    assert!(tickets == issued || tickets == issued + 1, "{tickets} of {issued}");
}

/// An orderly stop whose last snapshot could not be written once ended with 0.
#[tokio::test]
async fn a_last_image_that_fails_is_told_at_the_end() {
    let dir = Dir::new();
    let server = start(&dir, "always").await;
    SessionInfo::open(server.address, "info").await.issue("work", "job", "data").await;
    // It is where the image is to be made.
    let hurdle = dir.join("00000002.draft");
    std::fs::create_dir(&hurdle).expect("is new");
    server.signal(Signal::TERM);
    let (ended, stderr) = server.ended().await;
    assert_eq!(ended.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("the last snapshot could not be written"), "{stderr}");
    assert!(stderr.contains("00000002.draft"), "{stderr}");

    std::fs::remove_dir(&hurdle).expect("is empty");
    let server = start(&dir, "always").await;
    assert_eq!(status(&server).await["Tickets"], 1, "all that was said is kept");
}

/// A backup by `cp` under load, put back.
#[tokio::test]
async fn a_copy_of_a_running_server_is_a_backup() {
    let dir = Dir::new();
    let server = start(&dir, "always").await;
    let mut info = SessionInfo::open(server.address, "info").await;
    for number in 0..50 {
        info.issue("work", &format!("job-{number}"), "what is to be done").await;
    }
    let mut busy = info.again().await;
    let (copy, last) =
        tokio::join!(tokio::task::spawn_blocking(move || (dir.copy(), dir)), async {
            let mut last = 0;
            for number in 50..100 {
                busy.issue("work", &format!("job-{number}"), "what is to be done").await;
                busy.ask("POST /locks/db").await;
                last = busy.ask("POST /locks/db").await.fence();
                busy.ask("DELETE /locks/db").await;
            }
            last
        });
    let (copy, _dir) = copy.expect("can be copied");
    let check = in_time(program(&[], &["check", copy.text()]).output()).await.expect("a check");
    assert!(check.status.success(), "{check:?}");
    server.signal(Signal::KILL);
    server.ended().await;

    let server = start(&copy, "always").await;
    let tickets = status(&server).await["Tickets"].as_u64().expect("a figure");
    assert!((50..=100).contains(&tickets), "{tickets}");
    let mut info = info.again_at(server.address).await;
    assert!(info.ask("POST /locks/new").await.fence() > last, "fences grow");
}
