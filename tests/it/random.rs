//! The machine against the model: long random histories, in which both must answer, announce and
//! show the same, step by step; and what else must hold of any history, such as that an image
//! brings all of it back.
//!
//! A history is a seed. When one fails, its seed and its last commands are printed;
//! `TICKETD_SEED=n` makes every test here play that history alone.

mod draw;
mod limits;
mod mixes;

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Debug;

use ticketd::machine::{Command, Event, Machine, Name, SessionId};

use crate::model::Model;
use draw::{Draw, Mix};
use mixes::{ENDS, EVERYTHING, LOCKS, QUEUES, TICKETS};

const HISTORIES: u64 = 100;
const STEPS: usize = 600;
/// So many commands are printed when a history fails.
const TAIL: usize = 30;

#[test]
fn locks() {
    play(&LOCKS, 1);
}

#[test]
fn locks_again() {
    play(&LOCKS, 10_001);
}

#[test]
fn tickets() {
    play(&TICKETS, 1);
}

#[test]
fn tickets_again() {
    play(&TICKETS, 10_001);
}

#[test]
fn queues() {
    play(&QUEUES, 1);
}

#[test]
fn queues_again() {
    play(&QUEUES, 10_001);
}

#[test]
fn ends() {
    play(&ENDS, 1);
}

#[test]
fn ends_again() {
    play(&ENDS, 10_001);
}

#[test]
fn everything() {
    play(&EVERYTHING, 1);
}

#[test]
fn everything_again() {
    play(&EVERYTHING, 10_001);
}

/// The comparison is worth something only if the histories go everywhere.
#[test]
fn histories_reach_every_answer_and_event() {
    let mut seen = BTreeSet::new();
    for mix in [&TICKETS, &EVERYTHING] {
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
    let replies = "Done Granted NotGranted Queued Released Cancelled Watching Forgotten";
    let refusals = "SessionNotFound ResourceNotFound WrongKind TicketNotFound NotLocked NotHolder \
                    TicketHeld";
    let owned = "Adopted(true) Adopted(false) Forbidden WatchEnded";
    let events = "Answered Orphaned WaitEnded TicketUpdated TicketRevoked TicketClaimed \
                  TicketReleased TicketTaken LockWanted LockLost Changed SessionEnded";
    let details = ["Granted { to", "reason: Revoked", "reason: IssuerGone", "reason: Released"];
    let details = details.into_iter().chain(["why: Closed", "why: Expired", "fresh: false"]);
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
        let (mut model, mut draw) = (Model::new(), Draw::new(&EVERYTHING, seed));
        let mut commands = Vec::new();
        let mut accepted = Vec::new();
        for _ in 0..STEPS {
            let command = draw.command(&model);
            if model.apply(&command).0.is_ok() {
                accepted.push(command.clone());
            }
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
    let mix = if seed.is_multiple_of(2) { &EVERYTHING } else { &ENDS };
    let (mut model, mut draw) = (Model::new(), Draw::new(mix, seed));
    let mut accepted = Vec::new();
    while accepted.len() < commands {
        let command = draw.command(&model);
        if model.apply(&command).0.is_ok() {
            accepted.push(command);
        }
    }
    accepted
}

/// The commands of a history that begins with `first`, refused ones among them.
pub(crate) fn drawn(seed: u64, first: &Command, commands: usize) -> Vec<Command> {
    let mix = if seed.is_multiple_of(2) { &EVERYTHING } else { &ENDS };
    let (mut model, mut draw) = (Model::new(), Draw::new(mix, seed));
    let _ = model.apply(first);
    let next = |_| {
        let command = draw.command(&model);
        let _ = model.apply(&command);
        command
    };
    (0..commands).map(next).collect()
}

/// A history under way.
struct History {
    machine: Machine,
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
        let answer = self.machine.apply(&command, &mut events).reply;
        events.retain(|event| !event.is_internal());
        self.machine.check();
        let (expected, expected_events) = self.model.apply(&command);
        assert_same(&answer, &expected);
        assert_same(&in_order(events), &in_order(expected_events));
        if let (Err(_), Some(image)) = (answer, image) {
            assert_eq!(image, self.machine.snapshot(), "a refusal changed something");
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
    }

    fn compare_views(&mut self) {
        let (machine, model) = (&self.machine, &self.model);
        for name in draw::resources() {
            let resource = name.as_str();
            assert_same(&machine.figures(resource), &model.figures(&name));
            assert_same(&machine.watchers(resource).collect(), &model.watchers(&name));
            assert_same(&machine.resource_view(resource), &model.resource_view(&name));
        }
        let mut names = machine.resource_names();
        names.sort_unstable();
        assert_same(&names, &model.resource_names());
        assert_same(&machine.next_fence(), &model.next_fence());
        let mut sessions: Vec<SessionId> = model.sessions.keys().copied().collect();
        let mut ids = machine.session_ids();
        ids.sort_unstable();
        assert_same(&ids, &sessions);
        // May be an ended one.
        sessions.push(self.draw.session(model));
        for &session in &sessions {
            assert_same(&machine.state(&session), &model.state(session));
            assert_same(&machine.session_view(&session), &model.session_view(session));
            assert_same(&machine.has_session(&session), &model.sessions.contains_key(&session));
        }
        let ended = SessionId([7; 20]);
        assert_same(&machine.state(&ended), &None);
        for _ in 0..10 {
            let session = self.draw.session(model);
            let (resource, ticket) = (self.draw.any_resource(), self.draw.ticket());
            let holds = machine.holds(&session, resource.as_str(), ticket.as_str());
            assert_same(&holds, &model.holds(session, &resource, &ticket));
        }
    }
}

#[track_caller]
fn assert_same<T: Debug + PartialEq>(machine: &T, model: &T) {
    assert!(machine == model, "they differ.\nmachine: {machine:#?}\nmodel: {model:#?}");
}

/// Events as they came, with the `Changed` ones, which must come last, in order of resources.
fn in_order(mut events: Vec<Event>) -> Vec<Event> {
    let resource = |event: &Event| -> Option<Name> {
        if let Event::Changed { resource, .. } = event { Some(resource.clone()) } else { None }
    };
    let others = events.iter().take_while(|event| resource(event).is_none()).count();
    let changed = &mut events[others..];
    assert!(changed.iter().all(|event| resource(event).is_some()), "Changed comes last");
    changed.sort_by_key(resource);
    events
}
