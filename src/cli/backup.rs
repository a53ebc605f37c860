//! `ticketd backup DIR TARGET`: a checked copy of a journal, while its server runs.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::journal::{self, JournalOptions, NotBackedUp};

use super::report::{complain, drawn, is_directory};

/// Ends with 0 when there is a sound copy, else with 1.
pub(super) fn run(dir: &Path, target: &Path) -> ExitCode {
    if !is_directory(dir) {
        return ExitCode::FAILURE;
    }
    match journal::backup(dir, target, JournalOptions { identity: drawn() }) {
        Ok(report) => {
            let (dir, target) = (dir.display(), target.display());
            let _ = writeln!(std::io::stdout(), "{report}\n{target} is a backup of {dir}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            if let NotBackedUp::Damaged(report) = &why {
                let _ = writeln!(std::io::stdout(), "{report}");
            }
            complain(&why.to_string());
            ExitCode::FAILURE
        }
    }
}
