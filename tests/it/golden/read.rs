//! From the left-hand side of a story's line to what the machine is told or asked.

use std::str::SplitWhitespace;

use ticketd::machine::{
    Account, Command, Data, Fence, Name, Owner, Reach, RequestId, SessionId, SessionName, Ttl,
    WaitId, WaitOrigin, WaitRequest, WaitTimeout,
};

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

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| panic!("a number, not {word:?}"))
}

/// Sessions go by nickname; their ids are made from it.
fn session(nickname: &str) -> SessionId {
    let mut id = [0; 20];
    id[..nickname.len()].copy_from_slice(nickname.as_bytes());
    SessionId(id)
}

/// Reads one command or question. `forget all` means up to `mark`.
pub(super) fn line(text: &str, mark: u64) -> Line {
    let mut words = Words(text.split_whitespace());
    let line = match words.next() {
        "state" => Line::State(words.session()),
        "figures" => Line::Figures(words.next().to_owned()),
        "holds" => Line::Holds(words.session(), words.next().to_owned(), words.next().to_owned()),
        "session" => Line::Session(words.session()),
        "resource" => Line::Resource(words.next().to_owned()),
        "watchers" => Line::Watchers(words.next().to_owned()),
        "owner" => Line::Owner(words.session()),
        "account" => Line::Account(words.account()),
        "counts" => Line::Counts,
        "open" => Line::Opens(words.rest().map(|who| open(who, &mut Words::none())).collect()),
        "expire" => Line::Change(Command::Expire { sessions: words.rest().map(session).collect() }),
        "condemn" => {
            Line::Change(Command::Condemn { sessions: words.rest().map(session).collect() })
        }
        "boot" => Line::Change(Command::Boot { fence: Fence(words.number()) }),
        "timeout" => Line::Change(Command::TimeOut { wait: words.wait() }),
        "forbid" => Line::Change(Command::Forbid { wait: words.wait() }),
        "withdraw" => {
            let (wait, request) = (words.wait(), words.request());
            Line::Change(Command::Withdraw { wait, request })
        }
        "forget" => {
            let up_to = if words.eat("all") { mark } else { words.number() };
            Line::Change(Command::Forget { up_to })
        }
        who => Line::Change(of_session(who, &mut words)),
    };
    assert_eq!(words.0.next(), None, "a word too many: {text}");
    line
}

fn of_session(who: &str, words: &mut Words) -> Command {
    let session = session(who);
    match words.next() {
        "open" => open(who, words),
        "close" => Command::Close { session },
        "cancel" => Command::Cancel { session, wait: words.wait() },
        "watch" => {
            let (resource, changes) = (words.name(), words.eat("changes"));
            Command::Watch { session, resource, changes }
        }
        "blind" => Command::Blind { session, resource: words.name() },
        "adopt" => Command::Adopt { session, owner: words.owner() },
        "unwatch" => Command::Unwatch { session, resource: words.name() },
        "lock" => Command::Lock { session, resource: words.name(), wait_request: words.ask() },
        "unlock" => {
            let (resource, fence, by_socket) = (words.name(), words.fence(), words.by_socket());
            Command::Unlock { session, resource, fence, by_socket }
        }
        "issue" => {
            let (resource, ticket) = (words.name(), words.name());
            let data = if words.eat("data") { words.next() } else { "" };
            let data = Data::new(data.as_bytes()).expect("short data");
            Command::Issue { session, resource, ticket, data, notify: words.eat("notify") }
        }
        "revoke" => {
            let (resource, ticket, reach) = (words.name(), words.name(), words.reach());
            Command::Revoke { session, resource, ticket, reach }
        }
        "claim" => {
            let resource = words.name();
            let named = !matches!(words.peek(), None | Some("wait" | "again"));
            let ticket = named.then(|| words.name());
            let wait_request = words.ask();
            Command::Claim { session, resource, ticket, wait_request, again: words.eat("again") }
        }
        "release" => {
            let (resource, ticket) = (words.name(), words.name());
            let (fence, by_socket) = (words.fence(), words.by_socket());
            Command::Release { session, resource, ticket, fence, by_socket }
        }
        verb => panic!("no command: {verb:?}"),
    }
}

fn open(who: &str, words: &mut Words) -> Command {
    let ttl = if words.eat("ttl") { words.number() } else { 5000 };
    let name = if words.eat("name") { words.next() } else { who };
    let source = if words.eat("from") { words.next() } else { "host" };
    Command::Open {
        session: session(who),
        name: SessionName::parse(name).expect("a session's name"),
        ttl: i64::try_from(ttl).ok().and_then(Ttl::new).expect("a TTL"),
        source: source.into(),
    }
}

struct Words<'a>(SplitWhitespace<'a>);

impl<'a> Words<'a> {
    fn none() -> Self {
        Self("".split_whitespace())
    }

    fn peek(&self) -> Option<&'a str> {
        self.0.clone().next()
    }

    fn next(&mut self) -> &'a str {
        self.0.next().expect("one more word")
    }

    fn rest(&mut self) -> impl Iterator<Item = &'a str> {
        std::mem::replace(self, Self::none()).0
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        if found {
            self.next();
        }
        found
    }

    fn number(&mut self) -> u64 {
        number(self.next())
    }

    fn session(&mut self) -> SessionId {
        session(self.next())
    }

    fn name(&mut self) -> Name {
        Name::parse(self.next()).expect("a name")
    }

    /// `principal p`, `subject s of signer`.
    fn owner(&mut self) -> Owner {
        if self.eat("principal") {
            return Owner::Principal(self.name());
        }
        assert!(self.eat("subject"), "an owner");
        let sub = self.name();
        assert!(self.eat("of"), "subject S of SIGNER");
        Owner::Subject { signer: self.name(), sub }
    }

    /// An owner, `signer s`, `address a`, `nowhere`.
    fn account(&mut self) -> Account {
        match self.peek() {
            Some("signer") => {
                self.next();
                Account::Signer(self.name())
            }
            Some("address") => {
                self.next();
                Account::of(None, self.next())
            }
            Some("nowhere") => {
                self.next();
                Account::Nowhere
            }
            _ => Account::Owner(self.owner()),
        }
    }

    /// `if issued`, `if issued-or-claimed`, or nothing.
    fn reach(&mut self) -> Reach {
        if !self.eat("if") {
            return Reach::Any;
        }
        match self.next() {
            "issued" => Reach::Issued,
            "issued-or-claimed" => Reach::IssuedOrClaimed,
            other => panic!("no reach: {other:?}"),
        }
    }

    fn wait(&mut self) -> WaitId {
        WaitId(self.number())
    }

    fn request(&mut self) -> RequestId {
        assert!(self.eat("request"), "request N");
        RequestId::alone(self.number())
    }

    fn fence(&mut self) -> Option<Fence> {
        self.eat("fence").then(|| Fence(self.number()))
    }

    fn by_socket(&mut self) -> bool {
        let by_request = self.eat("by") && self.eat("request");
        !by_request
    }

    /// `wait`, `wait 500`, `wait by request 7`.
    fn ask(&mut self) -> Option<WaitRequest> {
        if !self.eat("wait") {
            return None;
        }
        let bounded = self.peek().is_some_and(|word| word.parse::<u32>().is_ok());
        let timeout = if bounded {
            WaitTimeout::Ms(u32::try_from(self.number()).expect("a wait in ms"))
        } else {
            WaitTimeout::Session
        };
        let origin =
            if self.eat("by") { WaitOrigin::Request(self.request()) } else { WaitOrigin::Socket };
        Some(WaitRequest { origin, timeout })
    }
}
