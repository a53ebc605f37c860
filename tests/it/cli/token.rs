//! `ticketd token`: what it prints is good for an access file, and for who shows it.

use std::collections::HashSet;

use ticketd::access::{Gate, Moment, Policy, Right, Shown, TokenHash, read_policy};

use super::{is_wrong, run};

/// What it prints with these options: the token, its hash, the file.
async fn printed(options: &[&str]) -> (String, String, String) {
    let (code, stdout, stderr) = run(&[&["token"], options].concat(), &[]).await;
    assert_eq!(code, Some(0), "{stderr}");
    let part = |number: usize| stderr.split("\n\n").nth(number).expect("a part").to_owned();
    (part(1), part(3), stdout)
}

fn policy(file: &str) -> Policy {
    read_policy(file.as_bytes(), |path| panic!("names {path}")).policy.expect("a good file")
}

#[tokio::test]
async fn the_file_lets_in_who_shows_the_token_and_nobody_else() {
    for (options, admin) in [(&["--name", "one \"1\""][..], false), (&["-name=a", "-admin"], true)]
    {
        let (token, hash, file) = printed(options).await;
        assert_eq!(TokenHash::of(&token).to_string(), hash);
        assert!(file.contains(&hash) && !file.contains(&token[4..]), "{file}");
        let gate = Gate::new(policy(&file));
        let here = "127.0.0.1".parse().expect("an address");
        let now = Moment { unix_s: 1_800_000_000, steady_ms: 0 };
        let subject = gate.prove(&Shown::in_message(&token), here, now).expect("it is let in");
        assert_eq!(subject.rules().may_at_all(Right::Admin), admin);
        let other = printed(options).await.0;
        assert!(gate.prove(&Shown::in_message(&other), here, now).is_err());
    }
}

#[tokio::test]
async fn no_two_are_alike() {
    let mut tokens = HashSet::new();
    for _ in 0..20 {
        let (token, ..) = printed(&["--name", "one"]).await;
        assert!(token.starts_with("tkd_") && token.len() == 47, "{token}");
        assert!(tokens.insert(token));
    }
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    is_wrong(&["token"], &[], "--name").await;
    is_wrong(&["token", "--name", ""], &[], "must not be empty").await;
    is_wrong(&["token", "--name", "a\nb"], &[], "--name").await;
    is_wrong(&["token", "--name", "one", "two"], &[], "two").await;
}
