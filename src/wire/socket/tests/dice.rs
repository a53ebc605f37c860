//! What is drawn for the messages: each of their parts, the odd as well as the plain.

use crate::machine::{
    Data, Fence, Figures, Kind, LockAsk, LockGrant, Mode, NUMBER_END, Name, Note, Parting,
    SessionId, SessionName, SessionRef, Sought, TicketTerms, Ttl, WAIT_MAX_MS, WaitTimeout,
};
use crate::wire::look::{Look, LookHolder, LookWaiter};
use crate::wire::socket::{ClaimWish, GivenTicket};
use crate::wire::{Holder, Holders};

/// Numbers that look random and are the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        (self.draw() >> 11) % end
    }

    pub(super) fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    /// A number of JSON's, large ones as well as small ones.
    pub(super) fn number(&mut self) -> u64 {
        let end = NUMBER_END >> self.below(53);
        self.below(end)
    }

    pub(super) fn small(&mut self) -> u32 {
        u32::try_from(self.draw() >> 32).unwrap() >> self.below(32)
    }

    pub(super) fn text(&mut self, least: u64) -> String {
        let characters = ['a', '"', '\\', '/', ' ', 'é', '\u{1f600}', '\u{2028}', '<'];
        let length = least + self.below(20);
        (0..length).map(|_| characters[usize::try_from(self.below(9)).unwrap()]).collect()
    }

    pub(super) fn name(&mut self) -> Name {
        Name::parse(&self.text(1)).unwrap()
    }

    pub(super) fn session_name(&mut self) -> SessionName {
        SessionName::parse(&self.text(0)).unwrap()
    }

    pub(super) fn id(&mut self) -> SessionId {
        SessionId(std::array::from_fn(|_| self.draw().to_le_bytes()[3]))
    }

    pub(super) fn ttl(&mut self) -> Ttl {
        Ttl::new(50 + i64::from(self.small() % 86_000_000)).unwrap()
    }

    /// Texts with control characters, and what is no text.
    pub(super) fn data(&mut self) -> Data {
        let length = self.below(40);
        let ends = [128, 256];
        let end = ends[usize::from(self.flag())];
        let bytes: Vec<u8> = (0..length).map(|_| u8::try_from(self.below(end)).unwrap()).collect();
        Data::new(&bytes).unwrap()
    }

    pub(super) fn wait(&mut self) -> Option<WaitTimeout> {
        match self.below(3) {
            0 => None,
            1 => Some(WaitTimeout::Session),
            _ => Some(WaitTimeout::Ms(1 + self.small() % WAIT_MAX_MS)),
        }
    }

    pub(super) fn maybe<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| draw(self))
    }

    pub(super) fn fence(&mut self) -> Fence {
        Fence(self.number())
    }

    pub(super) fn figures(&mut self) -> Figures {
        let kinds = [None, Some(Kind::Lock), Some(Kind::Tickets)];
        let kind = kinds[usize::try_from(self.below(3)).unwrap()];
        Figures {
            kind,
            free: self.small(),
            held: self.small(),
            waiting: self.small(),
            delayed: self.small(),
            dead: self.small(),
            paused: self.flag(),
        }
    }

    pub(super) fn mode(&mut self) -> Mode {
        if self.flag() { Mode::Shared } else { Mode::Exclusive }
    }

    pub(super) fn lock(&mut self) -> LockGrant {
        let (resource, fence) = (self.name(), self.fence());
        LockGrant { resource, fence, waiting: self.small(), mode: self.mode() }
    }

    pub(super) fn ticket(&mut self) -> GivenTicket {
        GivenTicket {
            resource: self.name(),
            ticket: self.name(),
            data: self.data(),
            fence: self.fence(),
            issuer: self.session_name(),
            attempt: self.maybe(Self::small),
            hold_ms: self.maybe(Self::small),
            left_ms: self.maybe(Self::small),
        }
    }

    pub(super) fn session_ref(&mut self) -> SessionRef {
        SessionRef(self.draw().to_le_bytes())
    }

    pub(super) fn note(&mut self) -> Note {
        Note::parse(&self.text(1)).unwrap()
    }

    pub(super) fn names(&mut self) -> Vec<Name> {
        let mut names: Vec<Name> = (0..=self.below(5)).map(|_| self.name()).collect();
        names.sort();
        names.dedup();
        names
    }

    pub(super) fn sought(&mut self) -> Sought {
        if self.flag() { Sought::One(self.name()) } else { Sought::FirstOf(self.names().into()) }
    }

    pub(super) fn holder(&mut self) -> Holder {
        Holder {
            session: self.maybe(|dice| (dice.session_name(), dice.session_ref())),
            fence: self.fence(),
            mode: self.mode(),
            data: self.maybe(Self::data),
            left_ms: self.maybe(Self::small),
        }
    }

    pub(super) fn holders(&mut self) -> Holders {
        let holder = |dice: &mut Self| Holder { left_ms: None, ..dice.holder() };
        let first = (0..self.below(5)).map(|_| holder(self)).collect();
        Holders { first, more: self.flag() }
    }

    pub(super) fn look(&mut self) -> Look {
        let holder = |dice: &mut Self| LookHolder {
            holder: dice.holder(),
            ticket: dice.maybe(Self::name),
            since_ms: dice.number(),
            attempt: dice.maybe(Self::small),
        };
        let waiter = |dice: &mut Self| LookWaiter {
            session: dice.session_name(),
            session_ref: dice.session_ref(),
            position: dice.small(),
            since_ms: dice.number(),
            kind: dice.kind(),
            mode: dice.mode(),
            ticket: dice.maybe(Self::name),
        };
        Look {
            resource: self.name(),
            figures: self.figures(),
            holders: (0..self.below(4)).map(|_| holder(self)).collect(),
            waiters: (0..self.below(4)).map(|_| waiter(self)).collect(),
            more: self.flag(),
        }
    }

    pub(super) fn kind(&mut self) -> Kind {
        if self.flag() { Kind::Lock } else { Kind::Tickets }
    }

    pub(super) fn ask(&mut self) -> LockAsk {
        let data = self.maybe(Self::data);
        if self.flag() {
            return LockAsk { data, steal: true, ..LockAsk::default() };
        }
        LockAsk { mode: self.mode(), data, fence: self.maybe(Self::fence), steal: false }
    }

    pub(super) fn wish(&mut self) -> ClaimWish {
        ClaimWish { wait: self.wait(), hold_ms: self.hold(), progress: self.flag() }
    }

    pub(super) fn hold(&mut self) -> Option<u32> {
        self.maybe(|dice| 100 + dice.small() % 86_000_000)
    }

    pub(super) fn terms(&mut self) -> TicketTerms {
        TicketTerms {
            stay: self.flag(),
            only_new: self.flag(),
            priority: u8::try_from(self.below(10)).unwrap(),
            delay_ms: self.small() % 2_592_000_000,
            attempts: self.maybe(|dice| 1 + u16::try_from(dice.below(1000)).unwrap()),
            hold_ms: self.hold(),
        }
    }

    pub(super) fn parting(&mut self) -> Parting {
        Parting {
            delay_ms: self.small() % 2_592_000_000,
            note: self.maybe(Self::note),
            dead: self.flag(),
            untried: self.flag(),
        }
    }
}
