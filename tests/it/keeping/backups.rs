//! Backups under load: each opens, and has all that was acknowledged before it was begun. New
//! epochs come into charge all the time meanwhile, and the server is not disturbed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::process::Signal;
use ticketd::journal::{Journal, JournalOptions, Sqlite};
use tokio::task::JoinSet;

use crate::support::{Client, Dir, Program, SessionInfo, in_time, program};

const WRITERS: usize = 6;
/// Backups at least, and epochs that come meanwhile.
const BACKUPS: usize = 8;
const EPOCHS: u64 = 4;

/// How many tickets each writer was told of.
type Told = [AtomicUsize; WRITERS];

async fn start(dir: &Dir, policy: &str) -> Program {
    let options = ["-l", "127.0.0.1:0", "--snappath", dir.text(), "--durability", policy];
    let more = ["--snapshot", "20", "--image-after", "16384", "--loglevel", "0"];
    Program::start(&[&options[..], &more].concat()).await
}

/// Issues one ticket after the other, and revokes the one before. Tells how many were acknowledged.
async fn write(mut info: SessionInfo, writer: usize, told: Arc<Told>, stop: Arc<AtomicBool>) {
    let mut last: Option<String> = None;
    while !stop.load(Ordering::SeqCst) {
        let number = told[writer].load(Ordering::SeqCst);
        let ticket = format!("job-{writer}-{number}");
        info.issue("work", &ticket, "what is to be done").await;
        told[writer].store(number + 1, Ordering::SeqCst);
        if let Some(last) = last.replace(ticket) {
            let revoke = format!("DELETE /tickets/work?name={last}");
            assert_eq!(info.says(&revoke).await, "200 \"Ok\"");
        }
    }
}

/// How many tickets each writer had issued when a copy was made.
fn found(copy: &Path) -> [usize; WRITERS] {
    let store = Arc::new(Sqlite::open(copy).expect("can be opened"));
    let recovered = Journal::open(store, JournalOptions { identity: 7 }).expect("is sound");
    recovered.machine.check();
    let mut found = [0; WRITERS];
    for ticket in recovered.machine.snapshot().resources.iter().flat_map(|it| &it.tickets) {
        let mut parts = ticket.name.as_str().split('-').skip(1).map(str::parse);
        let mut part = || parts.next().and_then(Result::ok).expect("a number");
        let writer: usize = part();
        found[writer] = found[writer].max(part() + 1);
    }
    found
}

async fn epoch(server: &Program) -> u64 {
    let status = Client::connect(server.address).await.ask("GET /status").await.json();
    let file = status["JournalFile"].as_str().expect("a file").to_owned();
    file.split('.').next().and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_has_all_that_was_acknowledged_before_it() {
    for policy in ["always", "interval", "none"] {
        let (dir, above) = (Dir::new(), Dir::new());
        let server = start(&dir, policy).await;
        let (told, stop) = (Arc::new(Told::default()), Arc::new(AtomicBool::new(false)));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let info = SessionInfo::open(server.address, &format!("writer-{writer}")).await;
            writers.spawn(write(info, writer, told.clone(), stop.clone()));
        }
        let began = epoch(&server).await;
        let mut backups = 0;
        while backups < BACKUPS || epoch(&server).await < began + EPOCHS {
            let before: Vec<usize> = told.iter().map(|it| it.load(Ordering::SeqCst)).collect();
            let copy = above.join(&format!("copy-{backups}"));
            let words = ["backup", dir.text(), copy.to_str().expect("is text")];
            let made = in_time(program(&[], &words).output()).await.expect("the program");
            assert!(made.status.success(), "{made:?}");
            let found = found(&copy);
            for (writer, (before, found)) in before.into_iter().zip(found).enumerate() {
                assert!(found >= before, "{policy}: {found} of {before} of {writer}");
            }
            backups += 1;
        }
        stop.store(true, Ordering::SeqCst);
        while let Some(written) = writers.join_next().await {
            written.expect("is well");
        }
        assert_eq!(above.names().len(), backups, "nothing is left of the making");
        // It has its locks still.
        let second = program(&[], &["-l", "127.0.0.1:0", "--snappath", dir.text()]).output();
        let second = in_time(second).await.expect("the program");
        assert!(String::from_utf8_lossy(&second.stderr).contains("another server"), "{second:?}");
        server.signal(Signal::TERM);
        let (ended, stderr) = server.ended().await;
        assert_eq!((ended.code(), stderr.as_str()), (Some(0), ""));
        let all: Vec<usize> = told.iter().map(|it| it.load(Ordering::SeqCst)).collect();
        assert_eq!(found(dir.path()).as_slice(), all);
    }
}
