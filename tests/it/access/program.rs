//! The program with an access file: what it refuses to start with, SIGHUP, and what it warns of.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use rustix::process::Signal;
use ticketd::access::{Token, first_file};
use ticketd::machine::Name;

use crate::support::{Client, Dir, Program, in_time, program};

/// A file that lets one principal in.
fn good(name: &str) -> String {
    let name = Name::parse(name).expect("a name");
    first_file(&name, &Token::from_random([7; 32]).hash(), true)
}

/// Writes an access file, which only its owner may read, and tells where.
fn write(dir: &Dir, text: &str) -> String {
    let path = dir.join("access.toml");
    fs::write(&path, text).expect("is written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("is ours");
    path.to_str().expect("is text").to_owned()
}

#[tokio::test]
async fn a_file_that_is_not_good_ends_the_start_and_says_where() {
    let dir = Dir::new();
    let signer = "[[signer]]\nname = \"web\"\nissuer = \"i\"\naudience = \"a\"\n";
    let hash = "0".repeat(64);
    for (file, says) in [
        ("[[principal]\n", "access.toml: line 1: "),
        (
            &format!("{}\n[[principal]]\nname = \"one\"\nwho = 1\n", good("one")),
            "line 9: unknown field `who`",
        ),
        (&format!("{}\n{}", good("one"), good("two")), "line 10: the same `token-sha256` a second"),
        (
            &format!("{}[[principal]]\nname = \"one\"\ntoken-sha256 = [\"{hash}\"]\n", good("one")),
            "line 7: the name \"one\" a second time",
        ),
        (
            &format!("{signer}algorithm = \"EdDSA\"\nkey-file = \"missing.pem\"\n"),
            "line 6: missing.pem: No such file",
        ),
    ] {
        let path = write(&dir, file);
        let mut command = program(&[], &["-l", "127.0.0.1:0"]);
        command.env("TICKETD_ACCESS", &path).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = in_time(command.output()).await.expect("the program");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!((output.status.code(), output.stdout), (Some(2), vec![]), "{said}");
        assert!(said.contains(&format!("{path}: line ")) && said.contains(says), "{says}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[tokio::test]
async fn a_hang_up_has_it_read_again_and_what_is_bad_changes_nothing() {
    let dir = Dir::new();
    let path = write(&dir, &good("one"));
    let mut server = Program::start(&["-l", "127.0.0.1:0", "--access", &path]).await;
    let told = format!("{path}: who may come in, and what each may do");
    server.until_says(&told).await;
    write(&dir, "[[principal]]\nname = 1\n");
    server.signal(Signal::HUP);
    server.until_says(&format!("the old access file stays: {path}: line 2: ")).await;
    fs::remove_file(&path).expect("was there");
    server.signal(Signal::HUP);
    server.until_says(&format!("the old access file stays: {path}: No such file")).await;
    write(&dir, &good("two"));
    server.signal(Signal::HUP);
    server.until_says(&told).await;
    assert_eq!(Client::connect(server.address).await.ask_at("GET /healthz").await.status, 200);
    server.signal(Signal::TERM);
    let (status, said) = server.ended().await;
    assert!(status.success(), "{said}");
}

/// The test waits for two looks, which are 5 s apart.
#[tokio::test]
async fn it_is_read_again_by_itself() {
    let dir = Dir::new();
    let path = write(&dir, &good("one"));
    let mut server = Program::start(&["-l", "127.0.0.1:0", "--access", &path]).await;
    let told = format!("{path}: who may come in, and what each may do");
    server.until_says(&told).await;
    write(&dir, &good("two"));
    server.until_finds(&told).await;
    server.signal(Signal::TERM);
    assert!(server.ended().await.0.success());
}

/// What the program warns of that is given these options.
async fn warnings(options: &[&str]) -> Vec<String> {
    let server = Program::start(options).await;
    server.signal(Signal::TERM);
    let said = server.ended().await.1;
    said.lines().filter(|line| line.contains("WARN")).map(str::to_owned).collect()
}

#[tokio::test]
async fn it_warns_of_what_was_hardly_meant() {
    let dir = Dir::new();
    let path = write(&dir, &good("one"));
    let access = ["--access", &path];
    let (far, near) = (["-l", "0.0.0.0:0"], ["-l", "127.0.0.1:0"]);
    let pages = ["--allow-origin", "*"];
    for (options, says) in [
        (&[&near[..], &access].concat(), &[][..]),
        (&[&near[..], &access, &pages].concat(), &[]),
        (&[&near[..], &pages].concat(), &["--allow-origin '*'"]),
        (&[&far[..], &access].concat(), &["there is no TLS (--tls-cert)"]),
        (&[&far[..]].concat(), &["no authentication (--access)"]),
    ] {
        let warnings = warnings(options).await;
        assert_eq!(warnings.len(), says.len(), "{options:?}: {warnings:?}");
        assert!(warnings.iter().zip(says).all(|(warning, says)| warning.contains(says)));
    }
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("is ours");
    let warnings = warnings(&[&near[..], &access].concat()).await;
    assert!(warnings[0].contains(&format!("{path}: others on this machine may read it")));
}
