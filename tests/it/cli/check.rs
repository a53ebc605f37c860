//! `ticketd check`, and what a server says of a directory that it cannot use.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use super::{is_refused, run};
use crate::support::{Client, Dir, Program, SessionInfo};

/// A server over a directory.
async fn serve(dir: &Dir) -> Program {
    let options = ["-l", "127.0.0.1:0", "--snappath", dir.text(), "--loglevel", "0"];
    Program::start(&options).await
}

/// A directory in which a server has worked. It was killed: there is no last image.
pub(super) async fn used() -> Dir {
    let dir = Dir::new();
    let server = serve(&dir).await;
    for number in 0..20 {
        let mut info = SessionInfo::open(server.address, &format!("info-{number}")).await;
        info.issue("work", &format!("job-{number}"), "what is to be done").await;
    }
    server.signal(Signal::KILL);
    server.ended().await;
    dir
}

async fn check(dir: &Dir) -> (Option<i32>, String, String) {
    run(&["check", dir.text()], &[]).await
}

#[tokio::test]
async fn a_sound_journal_is_said_to_be_and_left_as_it_is() {
    let dir = used().await;
    let before = dir.names();
    let (code, stdout, stderr) = check(&dir).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("00000001.ticketd: active"), "{stdout}");
    assert!(stdout.contains("then 20 sessions and 1 resources"), "{stdout}");
    assert!(stdout.ends_with("\nsound\n"), "{stdout}");
    assert_eq!(dir.names(), before);
    // What is set for servers is not its business.
    let variables = [
        ("TICKETD_LISTEN", "127.0.0.1:0"),
        ("TICKETD_EXPIRE", "100"),
        ("TICKETD_SNAPPATH", "/nowhere"),
        ("TICKETD_ALLOW_ORIGIN", "*"),
    ];
    let (code, again, stderr) = run(&["check", dir.text()], &variables).await;
    assert_eq!((code, again, stderr.as_str()), (Some(0), stdout, ""));
    let (code, stdout, stderr) = run(&["check", "--repair", dir.text()], &variables).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.ends_with("\nnothing to repair\n"), "{stdout}");
}

#[tokio::test]
async fn a_torn_end_is_told_and_a_server_starts_over_it() {
    let dir = used().await;
    let log = dir.join("00000001.ticketd-wal");
    let mut bytes = fs::read(&log).expect("can be read");
    let end = bytes.len();
    bytes.extend_from_within(end - 1500..end - 200);
    fs::write(&log, bytes).expect("can be written");
    let (code, stdout, _) = check(&dir).await;
    assert_eq!(code, Some(0), "{stdout}");
    let tail = format!("1300 bytes of 00000001.ticketd-wal from byte {end}");
    assert!(stdout.contains(&tail), "{stdout}");
    let options = ["-l", "127.0.0.1:0", "--snappath", dir.text(), "--loglevel", "1"];
    let server = Program::start(&options).await;
    let status = Client::connect(server.address).await.ask("GET /status").await.json();
    assert_eq!((&status["Sessions"], &status["Tickets"]), (&20.into(), &20.into()));
    server.signal(Signal::TERM);
    let (status, stderr) = server.ended().await;
    assert!(status.success() && stderr.contains(&tail), "{stderr}");
}

#[tokio::test]
async fn damage_is_named_and_can_be_repaired() {
    let dir = used().await;
    let log = dir.join("00000001.ticketd-wal");
    let mut bytes = fs::read(&log).expect("can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    fs::write(&log, &bytes).expect("can be written");

    let serving = ["-l", "127.0.0.1:0", "--snappath", dir.text()];
    is_refused(&serving, &[], "00000001.ticketd is damaged at record ").await;
    is_refused(&serving, &[], "`ticketd check --repair DIR`").await;
    let (code, stdout, stderr) = check(&dir).await;
    assert_eq!((code, stderr.as_str()), (Some(1), ""), "{stdout}");
    assert!(stdout.contains("  DAMAGED: 00000001.ticketd is damaged at record "), "{stdout}");
    assert!(stdout.ends_with("\ndamaged\n"), "{stdout}");
    assert_eq!(fs::read(&log).expect("can be read"), bytes);

    let (code, stdout, stderr) = run(&["check", "--repair", dir.text()], &[]).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("\nquarantined: 00000001.ticketd.damaged\n"), "{stdout}");
    assert!(stdout.contains("\nrepaired: 00000002.ticketd goes on with "), "{stdout}");
    let server = serve(&dir).await;
    let status = Client::connect(server.address).await.ask("GET /status").await.json();
    let sessions = status["Sessions"].as_u64().expect("a figure");
    assert!((1..20).contains(&sessions), "{status}");
    assert_eq!(status["JournalFile"], "00000002.ticketd");
}

#[tokio::test]
async fn a_second_server_is_refused_and_the_first_goes_on() {
    let dir = Dir::new();
    let first = serve(&dir).await;
    let mut info = SessionInfo::open(first.address, "info").await;
    let serving = ["-l", "127.0.0.1:0", "--snappath", dir.text()];
    let in_use = format!("another server uses {}", dir.text());
    is_refused(&serving, &[], &in_use).await;
    is_refused(&["check", dir.text()], &[], &format!("{in_use}; a copy can be checked")).await;
    is_refused(&["check", "--repair", dir.text()], &[], &in_use).await;
    assert_eq!(info.says("POST /locks/db").await, "200 true");
}

#[tokio::test]
async fn a_directory_that_is_none_or_not_ours_is_one_clear_line() {
    let dir = Dir::new();
    let file = dir.join("file");
    fs::write(&file, "no journal").expect("can be written");
    let none = dir.join("none");
    let (file, none) = (file.to_str().expect("is text"), none.to_str().expect("is text"));
    let no_directory = format!("{file} is no directory");
    is_refused(&["-l", "127.0.0.1:0", "--snappath", file], &[], &no_directory).await;
    for place in [file, &format!("{file}/below"), "/proc/ticketd"] {
        is_refused(&["-l", "127.0.0.1:0", "--snappath", place], &[], "/").await;
        is_refused(&["check", place], &[], "/").await;
    }
    is_refused(&["check", none], &[], none).await;
    assert!(!dir.names().contains(&"none".to_owned()), "looking creates nothing");

    // To root nothing is forbidden.
    let shut = dir.join("shut");
    fs::create_dir(&shut).expect("is new");
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o500)).expect("is ours");
    if fs::write(shut.join("probe"), "").is_err() {
        let shut = shut.to_str().expect("is text");
        is_refused(&["-l", "127.0.0.1:0", "--snappath", shut], &[], "denied").await;
    }
}

#[tokio::test]
async fn a_directory_is_created_and_shut_to_others() {
    let dir = Dir::new();
    let deep = dir.join("a/b");
    let options = ["-l", "127.0.0.1:0", "--snappath", deep.to_str().expect("is text")];
    let server = Program::start(&options).await;
    let mode = fs::metadata(&deep).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    server.signal(Signal::TERM);
    assert!(server.ended().await.0.success());
}

/// A log was copied without its database, or that was lost: once this was "sound", and the next
/// start threw the log away.
#[tokio::test]
async fn a_log_without_its_database_is_not_passed_over() {
    let dir = used().await;
    fs::remove_file(dir.path().join("00000001.ticketd")).expect("was there");
    let before = dir.names();
    for words in [&["check", dir.text()][..], &["-l", "127.0.0.1:0", "--snappath", dir.text()]] {
        let (code, stdout, stderr) = run(words, &[]).await;
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(stderr.contains("00000001.ticketd is missing"), "{stderr}");
    }
    assert_eq!(dir.names(), before);
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_not_made_by_a_repair() {
    let dir = Dir::new();
    let typo = dir.path().join("typo");
    let (code, _, stderr) = run(&["check", "--repair", typo.to_str().expect("is text")], &[]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("is no directory"), "{stderr}");
    assert!(!typo.exists());
}
