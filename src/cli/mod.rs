//! The command line: without a sub-command it is the server.

mod backup;
mod check;
mod healthcheck;
mod log;
mod options;
mod report;
mod serve;
mod systemd;
mod token;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;

use options::{Verb, Words};
use report::complain;

/// The program. Ends with 0 when all went well, 2 when it was called wrongly, else 1.
#[must_use]
pub fn main() -> ExitCode {
    match Words::read(std::env::args_os()) {
        Ok(Words { command: Some(Verb::Check { dir, repair }), .. }) => check::run(&dir, repair),
        Ok(Words { command: Some(Verb::Backup { dir, target }), .. }) => backup::run(&dir, &target),
        Ok(Words { command: Some(Verb::Token { name, admin }), .. }) => token::run(&name, admin),
        Ok(Words { command: Some(Verb::Healthcheck { url }), .. }) => healthcheck::run(&url),
        Ok(Words { command: Some(Verb::Serve(options)), .. }) => serve::run(&options),
        Ok(Words { command: None, options }) => serve::run(&options),
        Err(why) if matches!(why.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let _ = write!(std::io::stdout(), "{why}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            let why = why.to_string();
            complain(why.strip_prefix("error: ").unwrap_or(&why).trim_end());
            ExitCode::from(2)
        }
    }
}
