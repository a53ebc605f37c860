//! What may be said of locks, tickets and sessions beyond what must be, and between which bounds:
//! the same by REST and by socket.

use crate::machine::{
    ATTEMPTS_MAX, DELAY_MAX_MS, HOLD_MAX_MS, HOLD_MIN_MS, LOSS_DELAY_MAX_MS, LockAsk, Mode, Note,
    PRIORITY_MAX, Parting,
};

use super::problem::Problem;

/// An integer that a request may have, and its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Bounded {
    /// What it is called.
    pub name: &'static str,
    least: u32,
    most: u32,
}

/// How long a claim lasts, in ms.
pub const HOLD: Bounded = Bounded { name: "hold", least: HOLD_MIN_MS, most: HOLD_MAX_MS };
/// After how long a ticket is free, in ms.
pub const DELAY: Bounded = Bounded { name: "delay", least: 0, most: DELAY_MAX_MS };
/// How long the holds of a lost session stay, in ms.
pub const LOSS_DELAY: Bounded = Bounded { name: "delay", least: 0, most: LOSS_DELAY_MAX_MS };
/// A ticket's priority.
pub const PRIORITY: Bounded = Bounded { name: "priority", least: 0, most: PRIORITY_MAX as u32 };
/// After how many attempts a ticket is dead.
pub const ATTEMPTS: Bounded = Bounded { name: "attempts", least: 1, most: ATTEMPTS_MAX as u32 };
/// How many a list has at most.
pub const LIMIT: Bounded = Bounded { name: "limit", least: 1, most: 1000 };

/// How many a list has if nothing else is asked for.
pub const LIMIT_DEFAULT: usize = 100;

impl Bounded {
    /// Checks it; `None` is no integer.
    ///
    /// # Errors
    /// `bad-request` when it is none or out of bounds.
    pub fn check(self, number: Option<u64>) -> Result<u32, Problem> {
        let Self { name, least, most } = self;
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            Problem::bad(format!("{name} must be an integer from {least} to {most}"))
        })
    }
}

/// Reads a lock's mode; `None` is no text.
///
/// # Errors
/// `bad-request` when it is none.
pub fn mode(text: Option<&str>) -> Result<Mode, Problem> {
    match text {
        Some("exclusive") => Ok(Mode::Exclusive),
        Some("shared") => Ok(Mode::Shared),
        _ => Err(Problem::bad("mode must be \"exclusive\" or \"shared\"")),
    }
}

/// Checks how a lock is asked for.
///
/// # Errors
/// `bad-request` when that makes no sense together.
pub fn lock_ask(ask: LockAsk) -> Result<LockAsk, Problem> {
    match ask {
        LockAsk { steal: true, mode: Mode::Shared, .. } => {
            Err(Problem::bad("steal takes a lock exclusively"))
        }
        LockAsk { steal: true, fence: Some(_), .. } => {
            Err(Problem::bad("steal takes a lock anew, and fence confirms it"))
        }
        ask => Ok(ask),
    }
}

/// Checks that nothing is said of how a claim ends, for it is ended by force.
///
/// # Errors
/// `bad-request` when something is.
pub fn no_parting(parting: &Parting) -> Result<(), Problem> {
    if *parting == Parting::default() {
        Ok(())
    } else {
        Err(Problem::bad("force goes without delay, note, dead and untried"))
    }
}

/// A priority within its bounds.
#[must_use]
pub fn priority(number: Option<u32>) -> u8 {
    number.and_then(|number| u8::try_from(number).ok()).unwrap_or_default()
}

/// So many attempts, within their bounds.
#[must_use]
pub fn attempts(number: Option<u32>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok())
}

/// Reads a note. An empty one is none.
///
/// # Errors
/// `bad-request` when it is too long.
pub fn note(text: &str) -> Result<Option<Note>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let note = Note::parse(text).map_err(|why| Problem::bad(format!("note {why}")))?;
    Ok(Some(note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_said() {
        let said = |number| HOLD.check(number).map_err(|problem| problem.detail);
        assert_eq!((said(Some(100)), said(Some(86_400_000))), (Ok(100), Ok(86_400_000)));
        let why = "hold must be an integer from 100 to 86400000".to_owned();
        for number in [None, Some(99), Some(86_400_001), Some(u64::MAX)] {
            assert_eq!(said(number), Err(why.clone()));
        }
        assert_eq!(PRIORITY.check(Some(0)), Ok(0));
        assert_eq!(DELAY.check(Some(2_592_000_000)), Ok(2_592_000_000));
        assert!(ATTEMPTS.check(Some(0)).is_err());
    }
}
