//! `ticketd check DIR`: what is in a journal, and whether it is whole.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::journal;

use super::report::{complain, drawn, is_directory};

/// Ends with 0 when the journal is sound, else with 1.
pub(super) fn run(dir: &Path, repair: bool) -> ExitCode {
    if !is_directory(dir) {
        return ExitCode::FAILURE;
    }
    let found = if repair {
        journal::repair(dir, journal::JournalOptions { identity: drawn() })
    } else {
        journal::check(dir)
    };
    match found {
        // A server would begin one, but who asks means one that is there.
        Ok(report) if report.segments.is_empty() => {
            complain(&format!("{} holds no journal", dir.display()));
            ExitCode::FAILURE
        }
        Ok(report) => {
            let _ = writeln!(std::io::stdout(), "{report}");
            if report.is_sound() || report.repair.is_some() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(why) => {
            let hint = match why {
                journal::StorageFailure::InUse(_) => {
                    "; a copy can be checked: ticketd backup DIR TARGET makes one"
                }
                _ => "",
            };
            complain(&format!("{why}{hint}"));
            ExitCode::FAILURE
        }
    }
}
