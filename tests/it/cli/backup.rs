//! `ticketd backup`, and directories that are no journals.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::check::used;
use super::{is_refused, run};
use crate::support::{Client, Dir, Program};

fn text(path: &Path) -> &str {
    path.to_str().expect("is text")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("is there").permissions().mode() & 0o777
}

/// Names, bytes and times of the files of a directory.
fn state(dir: &Dir) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let file = |name: String| {
        let path = dir.join(&name);
        let modified = fs::metadata(&path).and_then(|found| found.modified());
        (name, fs::read(&path).expect("can be read"), modified.expect("has a time"))
    };
    dir.names().into_iter().map(file).collect()
}

#[tokio::test]
async fn a_stopped_servers_journal_is_copied_and_checked() {
    let (dir, above) = (used().await, Dir::new());
    let target = above.join("copy");
    let before = state(&dir);
    let (code, stdout, stderr) = run(&["backup", dir.text(), text(&target)], &[]).await;
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("then 20 sessions and 1 resources"), "{stdout}");
    let last = format!("\nsound\n{} is a backup of {}\n", target.display(), dir.text());
    assert!(stdout.ends_with(&last), "{stdout}");
    assert_eq!(state(&dir), before, "nothing in it changes");
    assert_eq!(above.names(), ["copy"], "and nothing else is left");
    assert_eq!(mode(&target), 0o700, "sessions' ids are secrets");
    for name in ["00000001.ticketd", "00000001.ticketd-wal"] {
        assert_eq!(mode(&target.join(name)), 0o600);
        assert_eq!(fs::read(target.join(name)).ok(), fs::read(dir.join(name)).ok(), "{name}");
    }
    assert_eq!(fs::read_dir(&target).expect("is one").count(), 2, "only what is needed");
    let options = ["-l", "127.0.0.1:0", "--snappath", text(&target), "--loglevel", "0"];
    let server = Program::start(&options).await;
    let status = Client::connect(server.address).await.ask("GET /status").await.json();
    assert_eq!((&status["Sessions"], &status["Tickets"]), (&20.into(), &20.into()));
}

/// The documented `cp -r A B`, done twice, once made `B/A`, and `check B` looked at the old copy.
#[tokio::test]
async fn an_older_backup_is_neither_written_to_nor_replaced() {
    let (dir, above) = (used().await, Dir::new());
    let target = above.join("copy");
    let words = ["backup", dir.text(), text(&target)];
    // An empty directory will do.
    fs::create_dir(&target).expect("is new");
    assert_eq!(run(&words, &[]).await.0, Some(0));
    assert_eq!(mode(&target), 0o700);
    is_refused(&words, &[], "is there already").await;
    let (file, link) = (above.join("file"), above.join("link"));
    fs::write(&file, "text").expect("can be written");
    symlink(above.join("nowhere"), &link).expect("is new");
    for taken in [&file, &link] {
        is_refused(&["backup", dir.text(), text(taken)], &[], "is there already").await;
    }
    assert_eq!(above.names(), ["copy", "file", "link"]);
}

#[tokio::test]
async fn where_no_backup_can_be_made_nothing_is() {
    let (dir, above) = (used().await, Dir::new());
    let before = dir.names();
    for (from, target, what) in [
        (dir.path(), dir.join("copy"), "lies in"),
        (dir.path(), above.join("none/copy"), "No such file"),
        (dir.path(), above.join(".."), "no name"),
        (&above.join("none"), above.join("copy"), "is no directory"),
        (above.path(), dir.join("copy"), "holds no journal"),
    ] {
        is_refused(&["backup", text(from), text(&target)], &[], what).await;
        assert_eq!((dir.names(), above.names().len()), (before.clone(), 0), "{what}");
    }
    for words in [&["backup"][..], &["backup", dir.text()], &["backup", "a", "b", "c"]] {
        assert_eq!(run(words, &[]).await.0, Some(2), "{words:?}");
    }
}

#[tokio::test]
async fn a_damaged_journal_is_not_backed_up() {
    let (dir, above) = (used().await, Dir::new());
    let log = dir.join("00000001.ticketd-wal");
    let mut bytes = fs::read(&log).expect("can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    fs::write(&log, &bytes).expect("can be written");
    let target = above.join("copy");
    let words = ["backup", dir.text(), text(&target)];
    let (code, stdout, stderr) = run(&words, &[]).await;
    assert_eq!(code, Some(1));
    assert!(stdout.contains("  DAMAGED: 00000001.ticketd is damaged at record "), "{stdout}");
    assert!(stderr.contains("damaged") && stderr.lines().count() == 1, "{stderr}");
    assert_eq!(above.names().len(), 0);
    // Nor is one that lacks its database, or its log.
    for lost in ["00000001.ticketd-wal", "00000001.ticketd"] {
        let part = dir.copy();
        fs::remove_file(part.join(lost)).expect("was there");
        assert_eq!(run(&["backup", part.text(), words[2]], &[]).await.0, Some(1), "{lost}");
        assert_eq!(above.names().len(), 0);
    }
}

/// `ticketd check /etc/nginx` once was "sound", and `--repair` left a file there.
#[tokio::test]
async fn a_directory_of_something_else_is_no_sound_journal() {
    let dir = Dir::new();
    is_refused(&["check", dir.text()], &[], "holds no journal").await;
    for name in ["nginx.conf", "notes.ticketd", "x.draft"] {
        fs::write(dir.join(name), "text").expect("can be written");
    }
    let before = state(&dir);
    for words in [&["check", dir.text()][..], &["check", "--repair", dir.text()]] {
        let (code, stdout, stderr) = run(words, &[]).await;
        let line = format!("ticketd: {} holds no journal\n", dir.text());
        assert_eq!((code, stdout, stderr), (Some(1), String::new(), line));
        assert_eq!(state(&dir), before);
    }
}
