//! The machine against the model: long random histories, in which both must answer, announce and
//! show the same, step by step; and what else must hold of any history, such as that an image
//! brings all of it back.
//!
//! A history is a seed. When one fails, its seed and its last commands are printed;
//! `TICKETD_SEED=n` makes every test here play that history alone.

mod draw;
mod limits;
mod mixes;
mod seen;
mod targets;
mod wishes;

use std::collections::{BTreeSet, VecDeque};

use ticketd::machine::{Command, Machine};

use crate::model::{Delays, Model};
use draw::Draw;
use mixes::{ENDS, EVERYTHING, LOCKS, Mix, PAUSES, QUEUES, TAKEN, TICKETS, WORK};
use seen::assert_same;

const HISTORIES: u64 = 100;
/// Of 16 tests it makes a million.
const STEPS: usize = 630;
/// So many commands are printed when a history fails.
const TAIL: usize = 30;

macro_rules! histories {
    ($($name:ident $again:ident $mix:ident)*) => {
        $(
            #[test]
            fn $name() {
                play(&$mix, 1);
            }

            #[test]
            fn $again() {
                play(&$mix, 10_001);
            }
        )*
    };
}

histories!(
    locks locks_again LOCKS
    taken taken_again TAKEN
    tickets tickets_again TICKETS
    work work_again WORK
    queues queues_again QUEUES
    pauses pauses_again PAUSES
    ends ends_again ENDS
    everything everything_again EVERYTHING
);

/// The comparison is worth something only if the histories go everywhere.
#[test]
fn histories_reach_every_answer_and_event() {
    let mut seen = BTreeSet::new();
    for mix in [&TICKETS, &TAKEN, &WORK, &PAUSES, &EVERYTHING] {
        for seed in 1..=10 {
            let (mut model, mut draw) = (Model::new(), Draw::new(mix, seed));
            for _ in 0..STEPS {
                let (answer, events) = model.apply(&draw.command(&model));
                seen.insert(match answer {
                    Ok(reply) => format!("{reply:?}"),
                    Err(refusal) => format!("{refusal:?}"),
                });
                seen.extend(events.into_iter().map(|event| format!("{event:?}")));
            }
        }
    }
    let replies = "Done Granted NotGranted Queued Released Cancelled Watching Forgotten Deadlock \
                   Touched(None) Touched(Some Revived(0) Revived(2) Served";
    let refusals = "SessionNotFound ResourceNotFound WrongKind TicketNotFound NotLocked NotHolder \
                    TicketHeld TicketExists";
    let owned = "Adopted(true) Adopted(false) Forbidden WatchEnded";
    let events = "Answered Orphaned WaitEnded TicketUpdated TicketRevoked TicketClaimed \
                  TicketReleased TicketTaken LockWanted LockLost Changed SessionEnded HoldTimed \
                  HoldLost HoldEnded DelayBegan DelayEnded";
    let details = ["Granted { to", "reason: Revoked", "reason: IssuerGone", "reason: Released"];
    let details = details.into_iter().chain(["why: Closed", "why: Expired", "fresh: false"]);
    let losses = ["TimedOut, attempt", "Gone, attempt", "Forced, attempt", "Forced(None)"];
    let details = details.chain(losses).chain(["Forced(Some", "dead: true", "note: Some"]);
    let grants = ["mode: Shared", "issuer: Gone", "FirstOf", "attempt: Some(3)", "hold_ms: Some"];
    let details = details.chain(grants).chain(["holders: true", "paused: true", "freed: true"]);
    let words = [replies, refusals, owned, events].into_iter().flat_map(str::split_whitespace);
    for wanted in words.chain(details) {
        assert!(seen.iter().any(|one| one.contains(wanted)), "{wanted} never came");
    }
}

/// The same commands make the same machine, to the byte; and so do those that were accepted
/// alone, which is all that a journal keeps, with an image taken and restored on the way.
#[test]
fn same_commands_same_image() {
    for seed in seeds(1, 20) {
        let mut pair = Pair::new(2 * seed);
        let mut accepted = Vec::new();
        let mut commands = Vec::new();
        for _ in 0..STEPS {
            let (command, is_accepted) = pair.step();
            accepted.extend(is_accepted.then(|| command.clone()));
            commands.push(command);
        }
        let apply = |machine: &mut Machine, commands: &[Command]| {
            let mut events = Vec::new();
            let answers = commands.iter().map(|command| machine.apply(command, &mut events).reply);
            (answers.filter_map(Result::ok).collect::<Vec<_>>(), events)
        };
        let (mut one, mut other, mut replayed) = (Machine::new(), Machine::new(), Machine::new());
        let said = apply(&mut one, &commands);
        assert_eq!(said, apply(&mut other, &commands), "seed {seed}");
        let (first, last) = accepted.split_at(accepted.len() / 2);
        let mut said_again = apply(&mut replayed, first);
        let mut replayed = Machine::restore(&replayed.snapshot()).expect("an image is sound");
        let (answers, events) = apply(&mut replayed, last);
        said_again.0.extend(answers);
        said_again.1.extend(events);
        assert_same(&said.0, &said_again.0);
        assert_eq!(said.1.len(), said_again.1.len(), "seed {seed}");

        let image = one.snapshot();
        for machine in [&other, &replayed] {
            assert_eq!(image, machine.snapshot(), "seed {seed}");
            let (this, that) = (format!("{image:?}"), format!("{:?}", machine.snapshot()));
            assert_eq!(this.as_bytes(), that.as_bytes(), "seed {seed}");
        }
    }
}

fn seeds(first: u64, count: u64) -> Vec<u64> {
    match std::env::var("TICKETD_SEED") {
        Ok(seed) => vec![seed.parse().expect("TICKETD_SEED is a number")],
        Err(_) => (first..first + count).collect(),
    }
}

fn play(mix: &'static Mix, first: u64) {
    for seed in seeds(first, HISTORIES) {
        let mut history = History::new(mix, seed);
        for _ in 0..STEPS {
            history.step();
        }
        history.compare_views();
    }
}

/// The accepted commands of a history.
pub(crate) fn accepted(seed: u64, commands: usize) -> Vec<Command> {
    let (mut pair, mut accepted) = (Pair::new(seed), Vec::new());
    while accepted.len() < commands {
        let (command, is_accepted) = pair.step();
        accepted.extend(is_accepted.then_some(command));
    }
    accepted
}

/// The commands of a history that begins with `first`, refused ones among them.
pub(crate) fn drawn(seed: u64, first: &Command, commands: usize) -> Vec<Command> {
    let mut pair = Pair::new(seed);
    pair.apply(first);
    (0..commands).map(|_| pair.step().0).collect()
}

/// A model that draws, beside a machine that knows the numbers of delays.
struct Pair {
    machine: Machine,
    delays: Delays,
    model: Model,
    draw: Draw,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mix = if seed.is_multiple_of(2) { &EVERYTHING } else { &ENDS };
        Self {
            machine: Machine::new(),
            delays: Delays::default(),
            model: Model::new(),
            draw: Draw::new(mix, seed),
        }
    }

    /// The next command, and whether it is accepted.
    fn step(&mut self) -> (Command, bool) {
        let command = self.draw.command(&self.model);
        let as_machine = self.delays.command(command.clone());
        (as_machine, self.apply(&command))
    }

    fn apply(&mut self, command: &Command) -> bool {
        let mut events = Vec::new();
        let _ = self.machine.apply(&self.delays.command(command.clone()), &mut events);
        self.delays.follow(&mut events);
        self.model.apply(command).0.is_ok()
    }
}

/// A history under way.
struct History {
    machine: Machine,
    delays: Delays,
    model: Model,
    draw: Draw,
    tail: Tail,
}

/// The latest commands; printed when the history panics.
struct Tail {
    seed: u64,
    steps: usize,
    commands: VecDeque<Command>,
}

impl Drop for Tail {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "TICKETD_SEED={} fails at step {}; the last commands:",
                self.seed, self.steps
            );
            for command in &self.commands {
                eprintln!("  {command:?}");
            }
        }
    }
}

impl History {
    fn new(mix: &'static Mix, seed: u64) -> Self {
        let (steps, commands) = (0, VecDeque::new());
        Self {
            machine: Machine::new(),
            delays: Delays::default(),
            model: Model::new(),
            draw: Draw::new(mix, seed),
            tail: Tail { seed, steps, commands },
        }
    }

    fn step(&mut self) {
        let command = self.draw.command(&self.model);
        self.tail.steps += 1;
        self.tail.commands.push_back(command.clone());
        if self.tail.commands.len() > TAIL {
            self.tail.commands.pop_front();
        }
        let image = self.draw.rng.chance(1, 16).then(|| self.machine.snapshot());
        let mut events = Vec::new();
        let applied = self.machine.apply(&self.delays.command(command.clone()), &mut events);
        self.delays.follow(&mut events);
        self.machine.check();
        let (expected, expected_events) = self.model.apply(&command);
        assert_same(&applied.reply, &expected);
        seen::assert_same_events(events, expected_events);
        assert!(applied.reply.is_ok() || !applied.changed, "a refusal changes nothing");
        if let (false, Some(image)) = (applied.changed, image) {
            assert_eq!(image, self.machine.snapshot(), "it said that it changed nothing");
        }
        assert_same(&self.machine.counts(), &self.model.counts());
        assert_same(&self.machine.emptied_mark(), &self.model.emptied_mark());
        if self.draw.rng.chance(1, 5) {
            self.compare_views();
        }
        if self.draw.rng.chance(1, 50) {
            self.restore();
        }
    }

    /// Goes on with a machine that is made from the image of this one.
    fn restore(&mut self) {
        let image = self.machine.snapshot();
        self.machine = Machine::restore(&image).expect("an image is sound");
        self.machine.check();
        assert_eq!(image, self.machine.snapshot(), "an image changes by restoring it");
        self.compare_views();
        self.compare_announced();
    }
}
