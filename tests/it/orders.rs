//! Applied first or ordered first, it is the same: all golden stories and the random histories are
//! told to a driver over the journal and to one over a log that orders first. What they answer and
//! announce is equal, to each other and to the machine by itself, and each log replayed gives the
//! state.

mod doors;
mod side;

use std::collections::BTreeSet;

use ticketd::machine::{Command, Machine, RequestId, SessionId, WaitOrigin};

use crate::{golden, random};
use side::{Side, Sided};

const HISTORIES: u64 = 40;
const STEPS: usize = 250;

/// Tells a story to both, so many commands in one batch.
fn tell(story: &[Command], batch: usize, what: &str) {
    let (mut journal, mut ordered) = (Side::journal(), Side::ordered());
    let mut machine = Machine::new();
    let _ = machine.apply(&Command::Boot { fence: side::FENCE }, &mut Vec::new());
    for commands in story.chunks(batch) {
        let (told, told_too) = (journal.tell(commands), ordered.tell(commands));
        assert_eq!(told, told_too, "{what}: {commands:?}");
        let replies: Vec<_> = commands
            .iter()
            .map(|command| machine.apply(command, &mut Vec::new()).reply)
            .map(|reply| format!("{reply:?}"))
            .collect();
        assert_eq!(told.replies, replies, "{what}: {commands:?}");
    }
    let state = machine.snapshot();
    for side in [&mut journal as &mut dyn Sided, &mut ordered] {
        assert_eq!(side.state(), state, "{what}");
        assert_eq!(side.replayed(), state, "{what}");
    }
}

/// A driver gives each of its requests a number of its own, so that none is used twice. And a log
/// begins a run with its start, before there is a driver.
fn drivable(story: Vec<Command>) -> Vec<Command> {
    let mut story: Vec<_> =
        story.into_iter().filter(|command| !matches!(command, Command::Boot { .. })).collect();
    let mut seen = BTreeSet::new();
    for (command, number) in story.iter_mut().zip(1000..) {
        if let Command::Lock { wait_request: Some(wait), .. }
        | Command::Claim { wait_request: Some(wait), .. } = command
            && let WaitOrigin::Request(request) = &mut wait.origin
        {
            // Its own, or one that is free.
            *request = if seen.insert(*request) { *request } else { RequestId::alone(number) };
        }
    }
    story
}

#[tokio::test(start_paused = true)]
async fn golden_stories() {
    let mut told = 0;
    for (title, story) in golden::stories() {
        let story = drivable(story);
        // Limits are reached by ten thousands of commands.
        let batches: &[usize] = if story.len() > 1000 { &[5000] } else { &[1, 3, 1000] };
        for &batch in batches {
            tell(&story, batch, &title);
        }
        told += 1;
    }
    assert!(told > 50, "{told}");
}

#[tokio::test(start_paused = true)]
async fn random_histories() {
    for seed in 0..HISTORIES {
        let boot = Command::Boot { fence: side::FENCE };
        let story = drivable(random::drawn(seed, &boot, STEPS));
        for batch in [1, 2, 7, STEPS] {
            tell(&story, batch, &format!("seed {seed}"));
        }
    }
}

/// In whose name a command comes.
fn asker(command: &Command) -> SessionId {
    match command {
        Command::Open { session, .. } | Command::Lock { session, .. } => *session,
        _ => SessionId([0; 20]),
    }
}
