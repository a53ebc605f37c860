//! Golden transcripts: the short stories in `tests/golden/*.txt`, told to the machine line by line.
//!
//! A line reads `command -> reply ; event ; event`. A blank line or a `## title` starts a fresh
//! machine; `# text` is a remark. What does not fit a line of 100 columns stands one part a line:
//!
//! ```text
//! ## The next in line gets the lock of a dead holder.
//! open w1 w2 -> ok
//! w1 lock db -> granted fence 1 waiting 0
//! w2 lock db wait -> wait 1 position 1 ; w1 lock-wanted db waiting 1
//! expire w1 -> ok ; w2 lock-granted db fence 2 wait 1 waiting 0 ; w1 ended expired
//! ```
//!
//! What the driver's clocks follow is told as well: `time fence 1 of w1 for 500` (a claim ends by
//! itself), `lost fence 1 for 500` (a hold stays as nobody's), `untime fence 1` (that is over),
//! `delay 1 for 500 until 900`, `undelay 1` (a ticket is free later). Delays go by the order in
//! which they began in the story. What is as usual goes without saying.
//!
//! `{1..9}` in a command, or `repeat 9` before it, tells it many times; the right-hand sides are
//! then summed up. Every story is told twice, the second time to a machine that is taken through
//! its image after each line. `UPDATE_GOLDEN=1` rewrites the right-hand sides.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ticketd::machine::{AccountCounts, Command, Event, Grant, Machine, Refusal, Reply};

mod events;
mod read;
mod shown;
mod words;
mod write;

use crate::model::Delays;
use read::Line;

const COLUMNS: usize = 100;
/// Up to so many commands of one line are checked one by one, of longer lines only the last.
const CHECKED_EACH: usize = 100;
/// Up to so many events of one command are told one by one.
const TOLD_EACH: usize = 100;

macro_rules! stories {
    ($($topic:ident)*) => {
        $(
            #[test]
            fn $topic() {
                check_file(stringify!($topic));
            }
        )*

        #[test]
        fn every_file_is_told() {
            let told = [$(concat!(stringify!($topic), ".txt")),*];
            let entries = fs::read_dir(folder()).expect("the stories' folder");
            for entry in entries {
                let name = entry.expect("a file").file_name();
                assert!(told.iter().any(|told| *told == name), "nobody tells {}", name.display());
            }
        }
    };
}

stories!(
    accounts attempts deadlocks delays elections endings force kinds limits locks looking looks
    losses nodes pauses priorities requests restart several shared staying steal tickets touching
    values waits watches
);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn check_file(topic: &str) {
    let path = folder().join(topic).with_extension("txt");
    let text = fs::read_to_string(&path).expect("a file of stories");
    let told = tell(&text, false);
    assert_eq!(told, tell(&text, true), "{topic}: a machine and its image tell different stories");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, told).expect("a file of stories to rewrite");
        return;
    }
    assert!(told == text, "{topic}.txt tells otherwise:\n{}", differences(&text, &told));
}

/// All stories as commands alone, each with its title. A story that sums up is told in full.
pub(crate) fn stories() -> Vec<(String, Vec<Command>)> {
    let mut files: Vec<_> = fs::read_dir(folder())
        .expect("the stories' folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let mut stories = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a file of stories");
        let (mut stage, mut story) = (Stage::new(), Vec::new());
        let mut title = file.display().to_string();
        for line in text.lines().chain([""]) {
            if line.is_empty() || line.starts_with("## ") {
                if !story.is_empty() {
                    stories.push((title.clone(), std::mem::take(&mut story)));
                }
                stage = Stage::new();
                title = format!("{}: {line}", file.display());
            }
            if line.is_empty() || line.starts_with(['#', ' ']) {
                continue;
            }
            let command = line.split_once("->").map_or(line, |(command, _)| command).trim_end();
            for text in read::expand(command) {
                let commands = match stage.read(&text) {
                    Line::Change(command) => vec![command],
                    Line::Opens(commands) => commands,
                    _ => vec![],
                };
                for command in commands {
                    let _ = stage.apply(&command);
                    story.push(command);
                }
            }
        }
    }
    stories
}

/// The lines in which the file (`-`) and the machine (`+`) differ, under the titles of their
/// stories. Only right-hand sides can differ, so the commands keep both texts in step.
fn differences(text: &str, told: &str) -> String {
    let (old, new) = (paragraphs(text), paragraphs(told));
    let mut title = "";
    let mut found = String::new();
    for (old, new) in old.iter().zip(&new) {
        if old.starts_with("## ") {
            title = old;
        }
        if old != new {
            let (old, new) = (old.replace('\n', "\n- "), new.replace('\n', "\n+ "));
            writeln!(found, "{title}\n- {old}\n+ {new}").expect("a string takes it");
            title = "";
        }
    }
    found
}

/// The lines of a text, each with those that go on with it.
fn paragraphs(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in text.lines() {
        match all.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.push('\n');
                last.push_str(line);
            }
            _ => all.push(line.to_owned()),
        }
    }
    all
}

/// The stories of `text` as the machine tells them; `reload`: by way of an image after each line.
fn tell(text: &str, reload: bool) -> String {
    let mut stage = Stage::new();
    let mut told = String::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with(' ') {
            continue;
        }
        if line.is_empty() || line.starts_with("## ") {
            restored(&stage.machine);
            stage = Stage::new();
        }
        if line.is_empty() || line.starts_with('#') {
            told.push_str(line);
            told.push('\n');
            continue;
        }
        let _place = Place { number: number + 1, line };
        let command = line.split_once("->").map_or(line, |(command, _)| command).trim_end();
        let answer = tell_line(&mut stage, command);
        told.push_str(&layout(command, &answer));
        if reload {
            stage.machine = restored(&stage.machine);
        }
    }
    restored(&stage.machine);
    told
}

/// Says which line was being told when a test panics inside the machine.
struct Place<'a> {
    number: usize,
    line: &'a str,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in line {}: {}", self.number, self.line);
        }
    }
}

fn restored(machine: &Machine) -> Machine {
    let image = machine.snapshot();
    let again = Machine::restore(&image).expect("an image that was just taken");
    again.check();
    assert_eq!(again.snapshot(), image, "an image of the restored machine");
    again
}

fn layout(command: &str, answer: &[String]) -> String {
    let line = format!("{command} -> {}\n", answer.join(" ; "));
    if line.chars().count() <= COLUMNS + 1 {
        return line;
    }
    format!("{command} -> {}\n", answer.join("\n    ; "))
}

/// A machine in the middle of a story.
struct Stage {
    machine: Machine,
    delays: Delays,
}

impl Stage {
    fn new() -> Self {
        Self { machine: Machine::new(), delays: Delays::default() }
    }

    fn read(&self, text: &str) -> Line {
        match read::line(text, self.machine.emptied_mark()) {
            Line::Change(command) => Line::Change(self.delays.command(command)),
            other => other,
        }
    }

    /// What a command answers, and what it announces.
    fn apply(&mut self, command: &Command) -> (Result<Reply, Refusal>, Vec<Event>) {
        let mut events = Vec::new();
        let reply = self.machine.apply(command, &mut events).reply;
        self.delays.follow(&mut events);
        // What the driver's tables of sessions, waits and the emptied follow is no part of a story.
        events.retain(|event| !event.is_internal() || follows_a_clock(event));
        (reply, events)
    }
}

/// Whether the driver is told by it what to time.
pub(crate) fn follows_a_clock(event: &Event) -> bool {
    use Event as E;
    matches!(
        event,
        E::HoldTimed { .. }
            | E::HoldLost { .. }
            | E::HoldEnded { .. }
            | E::DelayBegan { .. }
            | E::DelayEnded { .. }
            | E::Serving { .. }
    )
}

/// The right-hand side of a line in its parts: the reply, then the events.
fn tell_line(stage: &mut Stage, line: &str) -> Vec<String> {
    let mut commands = read::expand(line);
    if commands.len() == 1 {
        return tell_command(stage, &commands.remove(0), true);
    }
    let each = commands.len() <= CHECKED_EACH;
    let answers: Vec<String> =
        commands.iter().map(|command| tell_command(stage, command, each).join(" ; ")).collect();
    stage.machine.check();
    vec![write::sum_up(&answers)]
}

fn tell_command(stage: &mut Stage, text: &str, checked: bool) -> Vec<String> {
    let line = stage.read(text);
    let machine = &stage.machine;
    match line {
        Line::Change(command) => apply(stage, &command, checked),
        Line::Opens(commands) => {
            for command in &commands {
                assert_eq!(apply(stage, command, checked), ["ok"], "{text}");
            }
            vec!["ok".to_owned()]
        }
        Line::State(session) => shown::state(machine.state(&session)),
        Line::Figures(resource) => vec![write::figures(machine.figures(&resource))],
        Line::Holds(session, resource, ticket) => {
            vec![shown::holds(machine.holds(&session, &resource, &ticket))]
        }
        Line::Session(session) => shown::session(machine.session_view(&session)),
        Line::Resource(resource) => shown::resource(machine.resource_view(&resource)),
        Line::Look(resource, limit) => shown::look(&machine.look(&resource, limit)),
        Line::Good(resource, ticket, fence) => {
            let good = machine.is_good(&resource, ticket.as_deref(), fence);
            vec![if good { "yes" } else { "no" }.to_owned()]
        }
        Line::Timed(fence) => vec![shown::timed(machine.timed_claim(fence).as_ref())],
        Line::Tickets { resource, state, after, limit } => {
            let all = machine.tickets_page(&resource, None, 0, usize::MAX);
            let after = after.map(|name| {
                all.iter().find(|view| view.ticket.as_str() == name).expect("it is there").number
            });
            shown::tickets(&machine.tickets_page(&resource, state, after.unwrap_or(0), limit))
        }
        Line::Resources { prefix, after, limit } => {
            shown::resources(&machine.resources_page(&prefix, after.as_deref(), limit))
        }
        Line::Watchers(resource) => shown::watchers(machine.watchers(&resource)),
        Line::Owner(session) => vec![shown::owner(machine.owner(&session))],
        Line::Account(account) => {
            let AccountCounts { sessions, issued } = machine.account_counts(&account);
            vec![format!("sessions {sessions} issued {issued}")]
        }
        Line::Counts => vec![shown::counts(machine.counts())],
    }
}

fn apply(stage: &mut Stage, command: &Command, checked: bool) -> Vec<String> {
    let before = checked.then(|| stage.machine.snapshot());
    let (reply, events) = stage.apply(command);
    let machine = &stage.machine;
    if checked {
        machine.check();
    }
    let mut answer = vec![match command {
        Command::ClaimFirst { .. } => write::reply_of_first(&reply),
        _ => write::reply(&reply),
    }];
    let told: Vec<String> = events.iter().map(events::event).collect();
    answer.extend(if told.len() > TOLD_EACH { write::runs(&told) } else { told });
    match reply {
        Ok(Reply::Granted { grant, .. }) => check_grant(command, &grant),
        Ok(_) => {}
        Err(_) => {
            assert_eq!(events, [], "a refusal announces nothing");
            assert!(
                before.is_none_or(|before| before == machine.snapshot()),
                "a refusal changed it"
            );
        }
    }
    answer
}

/// A reply's short form leaves out what the command said already: it must be the same.
fn check_grant(command: &Command, grant: &Grant) {
    match (command, grant) {
        (Command::Lock { resource, .. }, Grant::Lock(grant)) => {
            assert_eq!(grant.resource, *resource);
        }
        (Command::Claim { session, resource, ticket, .. }, Grant::Ticket(grant)) => {
            assert_eq!(grant.resource, *resource);
            assert_eq!(grant.claimant.id, *session);
            assert!(ticket.as_ref().is_none_or(|ticket| *ticket == grant.ticket));
        }
        (Command::ClaimFirst { session, resources, .. }, Grant::Ticket(grant)) => {
            assert_eq!(grant.claimant.id, *session);
            assert!(resources.contains(&grant.resource));
        }
        (_, Grant::Lock(_) | Grant::Ticket(_)) => panic!("{grant:?} answers {command:?}"),
    }
}
