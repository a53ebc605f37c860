//! `ticketd check DIR`: what is in a journal, and whether it is whole.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::journal;

use super::complain;

/// A random number, as the standard library seeds its hashes with.
fn drawn() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Ends with 0 when the journal is sound, else with 1.
pub(super) fn run(dir: &Path, repair: bool) -> ExitCode {
    if !dir.is_dir() {
        complain(&format!("{} is no directory", dir.display()));
        return ExitCode::FAILURE;
    }
    let found = if repair {
        journal::repair(dir, journal::Options { identity: drawn() })
    } else {
        journal::check(dir)
    };
    match found {
        Ok(findings) => {
            let _ = writeln!(std::io::stdout(), "{findings}");
            if findings.is_sound() || findings.repair.is_some() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(why) => {
            complain(&why.to_string());
            ExitCode::FAILURE
        }
    }
}
