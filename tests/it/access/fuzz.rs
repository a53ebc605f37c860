//! Garbage that was good once: tokens, files and headers, each changed a little. `TICKETD_SEED=n`
//! repeats what failed.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use ticketd::access::{Gate, Shown, read_policy};

use super::signing::{ED, ES, HS};
use super::world::{World, after, claims, ed, signed, token};
use crate::faults::Seed;
use crate::rng::Rng;

/// Inputs of each kind.
const HEADERS: usize = 40_000;
const TOKENS: usize = 40_000;
const FILES: usize = 20_000;

/// Pieces that mean something somewhere.
const PIECES: [&str; 32] = [
    ".",
    "=",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "[[",
    "]]",
    ",",
    ":",
    " ",
    "\n",
    "\0",
    "\u{e9}",
    "*",
    "#",
    "tkd_",
    "Bearer ",
    "Basic ",
    "eyJ",
    "e30",
    "null",
    "-1",
    "1e999",
    "99999999999999999999",
    "to = []",
    "on = [\"*\"]",
    "[anonymous]",
    "crit",
    "'''",
];

/// Changes `bytes` in one to four places.
fn change(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        match rng.below(6) {
            0 => bytes.insert(at, rng.next().to_le_bytes()[0]),
            1 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            4 => {
                let end = at + rng.below((bytes.len() - at).min(20) + 1);
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => drop(bytes.splice(at..at, PIECES[rng.below(PIECES.len())].bytes())),
        }
    }
}

/// Whether what is shown lets somebody in; it must be one of the good ones then. Each comes from
/// an address of its own, so that none fails too often.
fn comes_in(gate: &Gate, shown: &Shown<'_>, good: &[String], n: usize) -> bool {
    let address = Ipv4Addr::from(u32::try_from(n).expect("small")).into();
    match gate.prove(shown, address, after(0)) {
        Ok(_) => match shown {
            Shown::Token(text) => {
                assert!(good.iter().any(|one| *one == **text), "{n}: {text} let somebody in");
                true
            }
            Shown::Nothing | Shown::Bad => panic!("{n}: {shown:?} let somebody in"),
        },
        Err(denied) => {
            assert_eq!(denied.detail(), "the token is not good");
            assert_eq!(denied.retry_after(), None);
            false
        }
    }
}

fn good_tokens() -> Vec<String> {
    vec![
        token("ops").as_str().to_owned(),
        ed(json!({})),
        ED.jwt(&claims("ed", json!({"allow": [{"to": ["lock"], "on": ["doc/1"]}], "nbf": 1}))),
        signed(&ES, "es"),
        signed(&HS, "hs"),
    ]
}

#[test]
fn changed_tokens_let_nobody_in() {
    let seed = Seed::or(5);
    let mut rng = Rng::new(seed.0);
    let (good, gate, mut unchanged) = (good_tokens(), World::new().gate(), 0);
    for n in 0..TOKENS {
        let mut bytes = good[rng.below(good.len())].clone().into_bytes();
        change(&mut rng, &mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        unchanged += usize::from(comes_in(&gate, &Shown::in_message(&text), &good, n));
    }
    println!("{TOKENS} tokens: {unchanged} came out as they were");
    assert!(unchanged < TOKENS / 20, "the changes change too little");
}

#[test]
fn changed_headers_let_nobody_in() {
    let seed = Seed::or(6);
    let mut rng = Rng::new(seed.0);
    let (good, gate) = (good_tokens(), World::new().gate());
    let mut let_in = 0;
    for n in 0..HEADERS {
        let token = &good[rng.below(good.len())];
        let mut value = if rng.chance(1, 2) {
            format!("Bearer {token}").into_bytes()
        } else {
            format!("Basic {}", STANDARD.encode(format!("x:{token}"))).into_bytes()
        };
        change(&mut rng, &mut value);
        let shown = Shown::in_headers([&value[..]]);
        let_in += usize::from(comes_in(&gate, &shown, &good, n));
    }
    println!("{HEADERS} headers: {let_in} said the same");
    assert!(0 < let_in && let_in < HEADERS / 3, "the draw is one-sided");
}

#[test]
fn a_changed_file_counts_whole_or_not_at_all() {
    let seed = Seed::or(7);
    let mut rng = Rng::new(seed.0);
    let world = World::new();
    let (mut good, mut bad) = (0, 0);
    for n in 0..FILES {
        let mut file = world.text.clone().into_bytes();
        let mut changed = String::new();
        if rng.chance(1, 4) {
            let names: BTreeSet<_> = world.files.keys().collect();
            changed.clone_from(names.into_iter().nth(rng.below(5)).expect("five"));
        } else {
            change(&mut rng, &mut file);
        }
        let read = read_policy(&file, |path| {
            let mut bytes = world.files.get(path).cloned().ok_or("no such file")?;
            if path == changed {
                change(&mut rng, &mut bytes);
            }
            Ok(bytes)
        });
        match read.policy {
            Ok(policy) => {
                good += 1;
                assert!(policy.by_token(token("stranger").hash()).is_none());
            }
            Err(fault) => {
                bad += 1;
                let lines = 1 + file.iter().filter(|&&byte| byte == b'\n').count();
                assert!((1..=lines).contains(&fault.line), "{n}: {fault}");
                assert!(!fault.to_string().contains('\n'), "{n}: {fault}");
            }
        }
    }
    println!("{FILES} files: {good} good, {bad} bad");
    assert!(good > FILES / 50 && bad > FILES / 2, "the draw is one-sided");
}
