//! From the left-hand side of a story's line to what the machine is told or asked.

use ticketd::machine::{
    Account, Command, Conduct, Data, Fence, SessionId, SessionName, TicketStateKind, Ttl,
};

use super::words::{Words, number, session};

/// What one line wants of the machine.
pub(super) enum Line {
    /// A command.
    Change(Command),
    /// Several sessions open at once, to keep stories short.
    Opens(Vec<Command>),
    /// All that a session has.
    State(SessionId),
    /// A resource in figures.
    Figures(String),
    /// Whether a session holds a ticket.
    Holds(SessionId, String, String),
    /// A session as dumps show it.
    Session(SessionId),
    /// A resource as dumps show it.
    Resource(String),
    /// A resource as those who look see it, so many of each at most.
    Look(String, usize),
    /// Whether a grant is in force.
    Good(String, Option<String>, Fence),
    /// Whose claim has its time.
    Timed(Fence),
    /// Tickets of a resource that stand so, behind that one.
    Tickets {
        resource: String,
        state: Option<TicketStateKind>,
        after: Option<String>,
        limit: usize,
    },
    /// Resources with such names, behind that one.
    Resources { prefix: String, after: Option<String>, limit: usize },
    /// Who watches a resource.
    Watchers(String),
    /// Whose a session is.
    Owner(SessionId),
    /// What an account has.
    Account(Account),
    /// How many there are of everything.
    Counts,
}

/// The commands that `repeat N` and `{a..b}` stand for; several braces count in step.
pub(super) fn expand(line: &str) -> Vec<String> {
    let (rounds, line) = match line.strip_prefix("repeat ").and_then(|rest| rest.split_once(' ')) {
        Some((rounds, rest)) => (number(rounds), rest),
        None => (1, line),
    };
    let mut once = vec![line.to_owned()];
    while let Some((range, from, to)) = first_range(&once[0]) {
        if once.len() == 1 {
            once = vec![once[0].clone(); usize::try_from(to - from + 1).expect("a short range")];
        }
        assert_eq!(once.len() as u64, to - from + 1, "braces of one length: {line}");
        for (text, value) in once.iter_mut().zip(from..) {
            *text = text.replacen(&range, &value.to_string(), 1);
        }
    }
    (0..rounds).flat_map(|_| once.iter().cloned()).collect()
}

fn first_range(text: &str) -> Option<(String, u64, u64)> {
    let (_, rest) = text.split_once('{')?;
    let (inside, _) = rest.split_once('}').expect("a brace that ends");
    let (from, to) = inside.split_once("..").expect("{from..to}");
    Some((format!("{{{inside}}}"), number(from), number(to)))
}

/// Reads one command or question. `forget all` means up to `mark`; `ripen 2` is about the delay
/// that began as the second.
pub(super) fn line(text: &str, mark: u64) -> Line {
    let mut words = Words::of(text);
    let first = words.next();
    let question = question(first, &mut words);
    let line = question.unwrap_or_else(|| match first {
        "open" => Line::Opens(words.rest().map(|who| open(who, &mut Words::of(""))).collect()),
        _ => {
            let of_nobody = of_nobody(first, &mut words, mark);
            Line::Change(of_nobody.unwrap_or_else(|| of_session(first, &mut words)))
        }
    });
    assert_eq!(words.peek(), None, "a word too many: {text}");
    line
}

fn question(first: &str, words: &mut Words) -> Option<Line> {
    let line = match first {
        "state" => Line::State(words.session()),
        "figures" => Line::Figures(words.next().to_owned()),
        "holds" => Line::Holds(words.session(), words.next().to_owned(), words.next().to_owned()),
        "session" => Line::Session(words.session()),
        "resource" => Line::Resource(words.next().to_owned()),
        "look" => {
            let (resource, limit) = (words.next().to_owned(), words.number_behind("limit"));
            Line::Look(resource, limit.unwrap_or(100))
        }
        "good" => {
            let resource = words.next().to_owned();
            let ticket = (words.peek() != Some("fence")).then(|| words.next().to_owned());
            Line::Good(resource, ticket, words.fence().expect("fence N"))
        }
        "timed" => Line::Timed(Fence(words.number())),
        "tickets" => Line::Tickets {
            resource: words.next().to_owned(),
            state: words.eat("state").then(|| state_kind(words.next())),
            after: words.word_behind("after"),
            limit: words.number_behind("limit").unwrap_or(100),
        },
        "resources" => Line::Resources {
            prefix: words.word_behind("prefix").unwrap_or_default(),
            after: words.word_behind("after"),
            limit: words.number_behind("limit").unwrap_or(100),
        },
        "watchers" => Line::Watchers(words.next().to_owned()),
        "owner" => Line::Owner(words.session()),
        "account" => Line::Account(words.account()),
        "counts" => Line::Counts,
        _ => return None,
    };
    Some(line)
}

fn state_kind(word: &str) -> TicketStateKind {
    match word {
        "free" => TicketStateKind::Free,
        "held" => TicketStateKind::Held,
        "delayed" => TicketStateKind::Delayed,
        "dead" => TicketStateKind::Dead,
        other => panic!("no state: {other:?}"),
    }
}

/// Commands that are no session's: the driver's, and those by REST that need none.
fn of_nobody(first: &str, words: &mut Words, mark: u64) -> Option<Command> {
    let command = match first {
        "expire" => Command::Expire { sessions: words.rest().map(session).collect() },
        "condemn" => Command::Condemn { sessions: words.rest().map(session).collect() },
        "close" => Command::Close { session: words.session(), by_other: true },
        "boot" => Command::Boot { fence: Fence(words.number()) },
        "join" => Command::Join { node: words.node() },
        "leave" => Command::Leave { node: words.node() },
        "bury" => Command::Bury { node: words.node() },
        "clock" => Command::Clock { ms: words.number() },
        "timeout" => Command::TimeOut { wait: words.wait() },
        "forbid" => Command::Forbid { wait: words.wait() },
        "withdraw" => {
            let (wait, request) = (words.wait(), words.request());
            Command::Withdraw { wait, request }
        }
        "ripen" => Command::Ripen { delays: words.delays() },
        "end-holds" => Command::EndHolds { fences: words.fences() },
        "end-lost" => Command::EndLost { fences: words.fences() },
        "serve" => Command::Serve { resource: words.name() },
        "forget" => {
            let up_to = if words.eat("all") { mark } else { words.number() };
            Command::Forget { up_to }
        }
        "force" | "revive" | "pause" | "unpause" => of_anybody(None, first, words),
        _ => return None,
    };
    Some(command)
}

/// What one does as a session or without one.
fn of_anybody(who: Option<SessionId>, verb: &str, words: &mut Words) -> Command {
    let resource = words.name();
    match verb {
        "force" => {
            let ticket = words.name_unless(&["fence"]);
            Command::Force { by: who, resource, ticket, fence: words.fence() }
        }
        "revive" => Command::Revive { session: who, resource, ticket: words.name_unless(&[]) },
        _ => Command::Pause { session: who, resource, paused: verb == "pause" },
    }
}

fn of_session(who: &str, words: &mut Words) -> Command {
    let session = session(who);
    match words.next() {
        "open" => open(who, words),
        "close" => Command::Close { session, by_other: false },
        "cancel" => Command::Cancel { session, wait: words.wait() },
        "watch" => {
            let (resource, changes) = (words.name(), words.eat("changes"));
            Command::Watch { session, resource, changes }
        }
        "blind" => Command::Blind { session, resource: words.name() },
        "adopt" => Command::Adopt { session, owner: words.owner() },
        "unwatch" => Command::Unwatch { session, resource: words.name() },
        "lock" => {
            let (resource, ask) = (words.name(), words.lock_ask());
            Command::Lock { session, resource, ask, wait_request: words.ask() }
        }
        "unlock" => {
            let (resource, fence, by_socket) = (words.name(), words.fence(), words.by_socket());
            Command::Unlock { session, resource, fence, by_socket }
        }
        verb @ ("force" | "revive" | "pause" | "unpause") => of_anybody(Some(session), verb, words),
        verb => with_tickets(session, verb, words),
    }
}

fn with_tickets(session: SessionId, verb: &str, words: &mut Words) -> Command {
    if verb == "claim-first" {
        let resources = words.names_until(&["hold", "wait"]);
        let (hold_ms, wait) = (words.ms_behind("hold"), words.ask());
        return Command::ClaimFirst {
            session,
            resources,
            wait: wait.map(|wait| wait.timeout),
            hold_ms,
        };
    }
    let resource = words.name();
    match verb {
        "issue" => {
            let (ticket, data) = (words.name(), words.data());
            let data = data.unwrap_or_else(|| Data::new(b"").expect("is short"));
            let (notify, terms) = (words.eat("notify"), words.terms());
            Command::Issue { session, resource, ticket, data, notify, terms }
        }
        "revoke" => {
            let (ticket, fence, reach) = (words.name(), words.fence(), words.reach());
            Command::Revoke { session, resource, ticket, reach, fence }
        }
        "claim" => {
            let ticket = words.name_unless(&["hold", "wait", "again"]);
            let (hold_ms, wait_request) = (words.ms_behind("hold"), words.ask());
            let again = words.eat("again");
            Command::Claim { session, resource, ticket, wait_request, again, hold_ms }
        }
        "touch" => {
            let (ticket, fence, hold_ms) = (words.name(), words.fence(), words.ms_behind("hold"));
            Command::Touch { session, resource, ticket, fence, hold_ms }
        }
        "release" => {
            let ticket = words.name();
            let (fence, by_socket) = (words.fence(), words.by_socket());
            let parting = words.parting();
            Command::Release { session, resource, ticket, fence, by_socket, parting }
        }
        "take-back" => {
            let ticket = words.name_unless(&["fence"]);
            let fence = words.fence().expect("fence N");
            Command::TakeBack { session, resource, ticket, fence }
        }
        verb => panic!("no command: {verb:?}"),
    }
}

fn open(who: &str, words: &mut Words) -> Command {
    let ttl = words.number_behind::<i64>("ttl").unwrap_or(5000);
    let name = if words.eat("name") { words.next() } else { who };
    let source = if words.eat("from") { words.next() } else { "host" };
    let delay_ms = words.ms_behind("delay").unwrap_or(0);
    Command::Open {
        session: session(who),
        name: SessionName::parse(name).expect("a session's name"),
        ttl: Ttl::new(ttl).expect("a TTL"),
        source: source.into(),
        conduct: Conduct { delay_ms, blocking: words.eat("blocking") },
    }
}
