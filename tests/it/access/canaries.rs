//! Secrets that are planted, and everything that the program says, searched for them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use super::served::{everybody, token};
use crate::support::{Client, Dir, Program};

/// What nobody may read in a log, however much of it there is.
#[tokio::test]
async fn no_secret_is_told_at_any_log_level() {
    let dir = Dir::new();
    let path = dir.join("access.toml");
    fs::write(&path, everybody()).expect("is written");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("is ours");
    let path = path.to_str().expect("is text").to_owned();
    let options = ["-l", "127.0.0.1:0", "--loglevel", "3", "--access", &path];
    let mut server = Program::start(&options).await;
    let mut secrets = Vec::new();
    let mut plant = |secret: &str| {
        secrets.push(secret.to_owned());
        secret.to_owned()
    };
    // Bad tokens: of our shape, of a JWT's, and of none; and as a password.
    for (scheme, bad) in [
        ("Bearer", format!("tkd_CANARY{}", "A".repeat(37))),
        ("Bearer", "eyJhbGciOiJub25lIn0.eyJjYW5hcnkiOjF9.CANARYsignature".to_owned()),
        ("Bearer", "CANARY-of-no-shape".to_owned()),
        ("Basic", "eDpDQU5BUlk=".to_owned()),
    ] {
        let header = format!("Authorization: {scheme} {}", plant(&bad));
        let mut client = Client::connect(server.address).await.with(&header);
        assert_eq!(client.ask("GET /status").await.status, 401);
    }
    plant("x:CANARY");
    let open = async |who: &str, secrets: &mut Vec<String>| {
        let token = token(who);
        secrets.push(token.as_str().to_owned());
        let bearer = format!("Authorization: Bearer {}", token.as_str());
        let mut client = Client::connect(server.address).await.with(&bearer);
        let id = client.ask("POST /sessions?name=n&ttl=60000").await.json();
        let id = id.as_str().expect("an id").to_owned();
        secrets.push(id.clone());
        (client, id)
    };
    let (mut issuer, issuing) = open("issue", &mut secrets).await;
    let (mut worker, working) = open("work", &mut secrets).await;
    let (mut locker, locking) = open("lock", &mut secrets).await;
    let issue = format!("POST /tickets/r%2Fjobs?name=t1&sessid={issuing}");
    assert_eq!(issuer.ask_with(&issue, "CANARY-data").await.status, 200);
    secrets.extend(["CANARY-data".to_owned(), "Q0FOQVJZLWRhdGE".to_owned()]);
    let claim = worker.ask(&format!("POST /claims/r%2Fjobs?sessid={working}")).await;
    assert_eq!(claim.json()["Claimed"], true);
    assert_eq!(locker.ask(&format!("POST /locks/r%2Fdb?sessid={locking}")).await.status, 200);
    assert_eq!(locker.ask(&format!("POST /locks/x?sessid={locking}")).await.status, 403);
    assert_eq!(locker.ask(&format!("PUT /sessions/{working}")).await.status, 404);
    for (client, id) in [(&mut locker, &locking), (&mut worker, &working)] {
        assert_eq!(client.ask(&format!("DELETE /sessions/{id}")).await.status, 200);
    }
    // What an administrator is shown has no ids and no tokens either.
    let bearer = format!("Authorization: Bearer {}", token("admin").as_str());
    let mut admin = Client::connect(server.address).await.with(&bearer);
    let mut shown = String::new();
    for page in ["GET /status", "GET /sessions", "GET /dump/sessions"] {
        shown += &admin.ask(page).await.said();
    }
    server.signal(Signal::HUP);
    server.until_says("who may come in").await;
    server.signal(Signal::TERM);
    let (status, said) = server.ended().await;
    assert!(status.success(), "{said}");
    assert!(said.lines().count() > 10, "a log of level 3 says more: {said}");
    for secret in &secrets {
        assert!(!said.contains(&secret[..]), "the log tells {secret}: {said}");
        let is_data = secret.starts_with("Q0FO");
        assert!(is_data || !shown.contains(&secret[..]), "an administrator is shown {secret}");
    }
}
