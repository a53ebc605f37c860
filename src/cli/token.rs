//! `ticketd token --name NAME`: a new token and its hash, and on standard output a first access
//! file that has it.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use crate::access::{Token, first_file};
use crate::machine::Name;

use super::report::complain;

/// Ends with 0 when it has told a token, with 2 when the name is none, else with 1.
pub(super) fn run(name: &str, admin: bool) -> ExitCode {
    let name = match Name::parse(name) {
        Ok(name) => name,
        Err(why) => {
            complain(&format!("--name {why}"));
            return ExitCode::from(2);
        }
    };
    let mut random = [0; 32];
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        return failed("there are no random numbers to be had");
    }
    let token = Token::from_random(random);
    let (text, hash) = (token.as_str(), token.hash());
    let file = first_file(&name, &hash, admin);
    // The token goes to who sits there, the file to where it is sent: what is redirected is a whole
    // file, and does not have the token.
    let token = write!(
        std::io::stderr(),
        "The token, which is told only here. Whoever shows it comes in by that name:\n\n\
         {text}\n\n\
         Its SHA-256, which is what the access file has of it:\n\n\
         {hash}\n\n"
    );
    // A token that nobody has read is of no use.
    let told = token.and_then(|()| std::io::stdout().write_all(file.as_bytes()));
    told.map_or_else(failed, |()| ExitCode::SUCCESS)
}

fn failed(why: impl Display) -> ExitCode {
    complain(&format!("no token: {why}"));
    ExitCode::FAILURE
}
