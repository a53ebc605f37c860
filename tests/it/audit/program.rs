//! The program with `--audit`: its file, SIGHUP, standard error.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use rustix::process::Signal;
use ticketd::access::first_file;
use ticketd::machine::Name;

use super::{Place, said};
use crate::access::served::token;
use crate::support::{Program, SessionInfo, in_time, program};

#[tokio::test]
async fn a_file_that_was_moved_away_is_left_behind_at_a_hang_up() {
    let place = Place::new();
    let path = place.path();
    let text = path.to_str().expect("is text");
    let server = Program::start(&["-l", "127.0.0.1:0", "--audit", text]).await;
    SessionInfo::open(server.address, "one").await;
    let moved = place.dir.join("audit.log.1");
    in_time(async {
        while place.text().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    fs::rename(&path, &moved).expect("moved");
    server.signal(Signal::HUP);
    in_time(async {
        while !path.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    SessionInfo::open(server.address, "two").await;
    server.signal(Signal::TERM);
    assert!(server.ended().await.0.success());
    let lines: Vec<_> = place.lines().iter().map(said).collect();
    assert_eq!(lines, ["two session-opened"]);
    assert_eq!(fs::read_to_string(&moved).expect("a file").lines().count(), 1);
}

#[tokio::test]
async fn files_that_are_read_again_are_told_of_good_or_bad() {
    let place = Place::new();
    let access = place.dir.join("access.toml");
    let good = first_file(&Name::parse("ops").expect("a name"), &token("ops").hash(), true);
    fs::write(&access, &good).expect("written");
    let (path, file) = (place.path(), access.to_str().expect("is text").to_owned());
    let audit = path.to_str().expect("is text");
    let options = ["-l", "127.0.0.1:0", "--audit", audit, "--access", &file];
    let mut server = Program::start(&options).await;
    server.until_says(&file).await;
    for (text, says) in [(&good[..], "who may come in"), ("[", "the old access file stays")] {
        fs::write(&access, text).expect("written");
        server.signal(Signal::HUP);
        server.until_says(says).await;
    }
    server.signal(Signal::TERM);
    assert!(server.ended().await.0.success());
    let lines = place.lines();
    assert_eq!(said(&lines[0]), format!("reloaded {file}"));
    assert!(said(&lines[1]).starts_with(&format!("reload-refused {file}: line 1: ")));
    assert_eq!(lines.len(), 2);
}

#[tokio::test]
async fn standard_error_will_do() {
    let server = Program::start(&["-l", "127.0.0.1:0", "--audit", "-", "--loglevel", "0"]).await;
    SessionInfo::open(server.address, "one").await;
    server.signal(Signal::TERM);
    let told = server.ended().await.1;
    assert!(told.contains(r#""what":"session-opened","session":"one""#), "{told}");
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_ends_the_start() {
    let mut command = program(&[], &["-l", "127.0.0.1:0"]);
    command.env("TICKETD_AUDIT", "/dev/null/audit").stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = in_time(command.output()).await.expect("the program");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]), "{told}");
    assert!(told.contains("cannot open the audit trail: Not a directory"), "{told}");
}
