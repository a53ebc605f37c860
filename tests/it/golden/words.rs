//! The words of a story's line, from the left to the right.

use std::fmt::Debug;
use std::str::{FromStr, SplitWhitespace};

use ticketd::machine::{
    Account, Data, DelayId, Fence, LockAsk, Mode, Name, NodeId, Note, Owner, Parting, Reach,
    RequestId, SessionId, TicketTerms, WaitId, WaitOrigin, WaitRequest, WaitTimeout,
};

pub(super) fn number<N: FromStr<Err: Debug>>(word: &str) -> N {
    word.parse().unwrap_or_else(|_| panic!("a number, not {word:?}"))
}

/// Sessions go by nickname; their ids are made from it.
pub(super) fn session(nickname: &str) -> SessionId {
    let mut id = [0; 20];
    id[..nickname.len()].copy_from_slice(nickname.as_bytes());
    SessionId(id)
}

/// What is left of a line.
pub(super) struct Words<'a>(SplitWhitespace<'a>);

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self(text.split_whitespace())
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        self.0.clone().next()
    }

    pub(super) fn next(&mut self) -> &'a str {
        self.0.next().expect("one more word")
    }

    pub(super) fn rest(&mut self) -> impl Iterator<Item = &'a str> + use<'a> {
        std::mem::replace(self, Self::of("")).0
    }

    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn number(&mut self) -> u64 {
        number(self.next())
    }

    /// The number that stands behind `word`, if that comes next.
    pub(super) fn number_behind<N: FromStr<Err: Debug>>(&mut self, word: &str) -> Option<N> {
        self.eat(word).then(|| number(self.next()))
    }

    pub(super) fn ms_behind(&mut self, word: &str) -> Option<u32> {
        self.number_behind(word)
    }

    pub(super) fn word_behind(&mut self, word: &str) -> Option<String> {
        self.eat(word).then(|| self.next().to_owned())
    }

    pub(super) fn session(&mut self) -> SessionId {
        session(self.next())
    }

    pub(super) fn name(&mut self) -> Name {
        Name::parse(self.next()).expect("a name")
    }

    /// A name, unless nothing comes or one of these words.
    pub(super) fn name_unless(&mut self, words: &[&str]) -> Option<Name> {
        let is_name = self.peek().is_some_and(|next| !words.contains(&next));
        is_name.then(|| self.name())
    }

    /// Names, until nothing comes or one of these words.
    pub(super) fn names_until(&mut self, words: &[&str]) -> Vec<Name> {
        std::iter::from_fn(|| self.name_unless(words)).collect()
    }

    /// `principal p`, `subject s of signer`.
    pub(super) fn owner(&mut self) -> Owner {
        if self.eat("principal") {
            return Owner::Principal(self.name());
        }
        assert!(self.eat("subject"), "an owner");
        let sub = self.name();
        assert!(self.eat("of"), "subject S of SIGNER");
        Owner::Subject { signer: self.name(), sub }
    }

    /// An owner, `signer s`, `address a`, `nowhere`.
    pub(super) fn account(&mut self) -> Account {
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
    pub(super) fn reach(&mut self) -> Reach {
        if !self.eat("if") {
            return Reach::Any;
        }
        match self.next() {
            "issued" => Reach::Issued,
            "issued-or-claimed" => Reach::IssuedOrClaimed,
            other => panic!("no reach: {other:?}"),
        }
    }

    pub(super) fn wait(&mut self) -> WaitId {
        WaitId(self.number())
    }

    pub(super) fn node(&mut self) -> NodeId {
        NodeId(self.number())
    }

    /// `request 7`, `request 7 of 3`: of another node.
    pub(super) fn request(&mut self) -> RequestId {
        let n = self.number_behind("request").expect("request N");
        let node = if self.eat("of") { self.node() } else { NodeId::ALONE };
        RequestId { node, n }
    }

    pub(super) fn fence(&mut self) -> Option<Fence> {
        self.number_behind("fence").map(Fence)
    }

    pub(super) fn fences(&mut self) -> Vec<Fence> {
        self.rest().map(|word| Fence(number(word))).collect()
    }

    pub(super) fn delays(&mut self) -> Vec<DelayId> {
        self.rest().map(|word| DelayId(number(word))).collect()
    }

    pub(super) fn by_socket(&mut self) -> bool {
        let by_request = self.eat("by") && self.eat("request");
        !by_request
    }

    /// `data x`, `empty`, or nothing.
    pub(super) fn data(&mut self) -> Option<Data> {
        if self.eat("empty") {
            return Data::new(b"");
        }
        self.eat("data").then(|| Data::new(self.next().as_bytes()).expect("short data"))
    }

    /// `wait`, `wait 500`, `wait by request 7`.
    pub(super) fn ask(&mut self) -> Option<WaitRequest> {
        if !self.eat("wait") {
            return None;
        }
        let bounded = self.peek().is_some_and(|word| word.parse::<u32>().is_ok());
        let timeout =
            if bounded { WaitTimeout::Ms(number(self.next())) } else { WaitTimeout::Session };
        let origin =
            if self.eat("by") { WaitOrigin::Request(self.request()) } else { WaitOrigin::Socket };
        Some(WaitRequest { origin, timeout })
    }

    /// `shared`, `steal`, `fence 1`, `data x`.
    pub(super) fn lock_ask(&mut self) -> LockAsk {
        let mode = if self.eat("shared") { Mode::Shared } else { Mode::Exclusive };
        let steal = self.eat("steal");
        LockAsk { mode, steal, fence: self.fence(), data: self.data() }
    }

    /// `stay new priority 5 delay 500 attempts 3 hold 1000`, or some of it.
    pub(super) fn terms(&mut self) -> TicketTerms {
        TicketTerms {
            stay: self.eat("stay"),
            only_new: self.eat("new"),
            priority: self.number_behind("priority").unwrap_or(0),
            delay_ms: self.ms_behind("delay").unwrap_or(0),
            attempts: self.number_behind("attempts"),
            hold_ms: self.ms_behind("hold"),
        }
    }

    /// `delay 500 note why dead untried`, or some of it.
    pub(super) fn parting(&mut self) -> Parting {
        Parting {
            delay_ms: self.ms_behind("delay").unwrap_or(0),
            note: self.eat("note").then(|| Note::parse(self.next()).expect("a note")),
            dead: self.eat("dead"),
            untried: self.eat("untried"),
        }
    }
}
