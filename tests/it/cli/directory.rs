//! What a server says of the directory for its journal: who else may enter it, that it cannot be
//! written to, and what was found there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Stdio;

use rustix::process::{Signal, geteuid};

use super::run;
use crate::support::{Dir, Program, SessionInfo, in_time, program};

/// Whom nothing belongs to.
const NOBODY: u32 = 65534;

fn set_mode(dir: &Dir, mode: u32) {
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).expect("is ours");
}

fn options(dir: &Dir) -> [&str; 4] {
    ["-l", "127.0.0.1:0", "--snappath", dir.text()]
}

/// Ends it in order; what it said.
async fn stopped(server: Program) -> String {
    server.signal(Signal::TERM);
    let (status, stderr) = server.ended().await;
    assert!(status.success(), "{stderr}");
    stderr
}

#[tokio::test]
async fn a_directory_that_lets_others_in_is_warned_of() {
    let dir = Dir::new();
    for (mode, warns) in [(0o755, true), (0o710, true), (0o702, true), (0o700, false)] {
        set_mode(&dir, mode);
        let stderr = stopped(Program::start(&options(&dir)).await).await;
        let warning = format!("{} has the mode {mode:o}", dir.text());
        assert_eq!(stderr.contains(&warning), warns, "{mode:o}: {stderr}");
        assert_eq!(stderr.contains("WARN"), warns, "{mode:o}: {stderr}");
    }
}

/// Once a server started where it could write to the files that there were, and make none: it
/// served until its next image.
#[tokio::test]
async fn a_directory_in_which_no_file_can_be_made_is_refused() {
    let dir = Dir::new();
    let server = Program::start(&options(&dir)).await;
    SessionInfo::open(server.address, "info").await.issue("work", "job", "data").await;
    server.signal(Signal::KILL);
    server.ended().await;
    // To root nothing is forbidden.
    let mut nobody = Vec::new();
    if geteuid().is_root() {
        nobody = vec!["setpriv", "--reuid=65534", "--clear-groups"];
        for name in dir.names() {
            chown(dir.join(&name), Some(NOBODY), None).expect("is ours");
        }
        chown(dir.path(), Some(NOBODY), None).expect("is ours");
    }
    set_mode(&dir, 0o500);
    let before = dir.names();
    let mut command = program(&nobody, &options(&dir));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = in_time(command.output()).await;
    set_mode(&dir, 0o700);
    let output = match output {
        // There is no such program, or nobody may come here.
        Err(_) if !nobody.is_empty() => return,
        output => output.expect("the program"),
    };
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("denied") && stderr.contains(dir.text()), "{stderr}");
    assert_eq!(dir.names(), before);
    // It is only that.
    stopped(Program::start(&options(&dir)).await).await;
}

/// What looks like a draft, and is another's.
#[tokio::test]
async fn only_files_of_its_own_making_are_cleaned_away() {
    let dir = Dir::new();
    for name in ["letter.draft", "1.draft", "00000003.draft"] {
        fs::write(dir.join(name), "text").expect("can be written");
    }
    stopped(Program::start(&options(&dir)).await).await;
    let drafts: Vec<String> =
        dir.names().into_iter().filter(|name| name.ends_with(".draft")).collect();
    assert_eq!(drafts, ["1.draft", "letter.draft"]);
}

#[tokio::test]
async fn a_start_tells_what_it_restored() {
    let dir = Dir::new();
    set_mode(&dir, 0o700);
    let server = Program::start(&options(&dir)).await;
    let mut info = SessionInfo::open(server.address, "info").await;
    info.issue("work", "job", "data").await;
    info.ask("POST /locks/db").await;
    info.ask("POST /locks/other").await;
    server.signal(Signal::KILL);
    let said = server.ended().await.1;
    assert!(said.contains("a new journal begins: 00000001.ticketd"), "{said}");

    // A write that was never finished.
    let log = dir.join("00000001.ticketd-wal");
    let mut bytes = fs::read(&log).expect("can be read");
    bytes.extend_from_within(bytes.len() - 500..);
    fs::write(&log, bytes).expect("can be written");
    let said = stopped(Program::start(&options(&dir)).await).await;
    let figures = "sessions=1 resources=3 tickets=1 locks=2 commands=6 ms=";
    let line = said.lines().find(|line| line.contains("restored from 00000001.ticketd"));
    assert!(line.is_some_and(|line| line.contains(figures)), "{said}");
    assert!(said.contains("an unfinished write at record "), "{said}");

    let said = stopped(Program::start(&options(&dir)).await).await;
    let figures = "sessions=1 resources=3 tickets=1 locks=2 commands=0 ms=";
    let line = said.lines().find(|line| line.contains("restored from 00000002.ticketd"));
    assert!(line.is_some_and(|line| line.contains(figures)), "{said}");

    let (_, _, silent) = run(&["check", dir.text()], &[]).await;
    assert_eq!(silent, "");
}
