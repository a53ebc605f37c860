//! Draws how commands are asked: how a session opens, a ticket is issued, a lock is wanted.

use ticketd::machine::{
    Command, Conduct, Data, LockAsk, Mode, Note, Owner, Parting, Reach, SessionId, SessionName,
    TicketTerms, Ttl, WaitTimeout,
};

use super::draw::Draw;
use super::targets::name;
use crate::model::Model;

impl Draw {
    pub(super) fn open(&mut self) -> Command {
        // Random in front, so that the order of ids is not that of opening.
        let mut id = [0; 20];
        id[..8].copy_from_slice(&self.rng.next().to_be_bytes());
        let number = u32::try_from(self.opened.len()).expect("is small");
        id[16..].copy_from_slice(&number.to_be_bytes());
        let session = SessionId(id);
        self.opened.push(session);
        // Names need not be unique.
        let name = ["", "worker", "worker", "page"][self.rng.below(4)];
        Command::Open {
            session,
            name: SessionName::parse(name).expect("is a name"),
            ttl: Ttl::new(if self.rng.chance(1, 2) { 50 } else { 5000 }).expect("is a ttl"),
            source: ["192.0.2.1:4711", "2001:db8::1", "somewhere"][self.rng.below(3)].into(),
            conduct: self.conduct(),
        }
    }

    fn conduct(&mut self) -> Conduct {
        let delay_ms = [0, 0, 1, 60_000][self.rng.below(4)];
        Conduct { delay_ms, blocking: self.rng.chance(1, 2) }
    }

    /// One of few, of whom some are alike in a part.
    pub(super) fn owner(&mut self) -> Owner {
        match self.rng.below(4) {
            0 => Owner::Principal(name("alpha")),
            1 => Owner::Principal(name("beta")),
            n => {
                let sub = name(["alpha", "beta"][n - 2]);
                Owner::Subject { signer: name("alpha"), sub }
            }
        }
    }

    pub(super) fn reach(&mut self) -> Reach {
        [Reach::Any, Reach::Any, Reach::IssuedOrClaimed, Reach::Issued][self.rng.below(4)]
    }

    pub(super) fn data(&mut self) -> Data {
        let bytes = self.rng.next().to_be_bytes();
        Data::new(&bytes[..self.rng.below(3)]).expect("is short")
    }

    /// How a ticket is issued: often as ever.
    pub(super) fn terms(&mut self) -> TicketTerms {
        if self.rng.chance(1, 3) {
            return TicketTerms::default();
        }
        TicketTerms {
            stay: self.rng.chance(1, 2),
            only_new: self.rng.chance(1, 8),
            priority: [0, 0, 1, 9][self.rng.below(4)],
            delay_ms: [0, 0, 0, 1000][self.rng.below(4)],
            attempts: [None, None, Some(1), Some(2), Some(3)][self.rng.below(5)],
            hold_ms: [None, None, Some(100), Some(5000)][self.rng.below(4)],
        }
    }

    /// How a ticket is given back: often as ever.
    pub(super) fn parting(&mut self) -> Parting {
        if self.rng.chance(1, 2) {
            return Parting::default();
        }
        let note = self.rng.chance(1, 3).then(|| Note::parse(["no ink", "jam"][self.rng.below(2)]));
        Parting {
            delay_ms: [0, 0, 500][self.rng.below(3)],
            note: note.map(|note| note.expect("is a note")),
            dead: self.rng.chance(1, 6),
            untried: self.rng.chance(1, 4),
        }
    }

    /// How a lock is wanted. Only what the wire lets pass: to steal is to have it alone.
    pub(super) fn lock_ask(&mut self, model: &Model) -> LockAsk {
        let data = self.rng.chance(1, 4).then(|| self.data());
        let (shared, confirms, steals) = (self.rng.chance(1, 2), 1, self.mix.steals);
        let mode = if shared { Mode::Shared } else { Mode::Exclusive };
        if self.rng.chance(confirms, 16) {
            let right = self.rng.pick(&model.holds).map(|hold| hold.fence);
            let fence = self.fence(right);
            return LockAsk { mode, data, fence, steal: false };
        }
        if self.rng.chance(steals, 16) {
            return LockAsk { mode: Mode::Exclusive, data, fence: None, steal: true };
        }
        LockAsk { mode, data, fence: None, steal: false }
    }

    pub(super) fn timeout(&mut self) -> WaitTimeout {
        match self.rng.below(3) {
            0 => WaitTimeout::Session,
            _ => WaitTimeout::Ms(1 + u32::try_from(self.rng.below(5000)).expect("is small")),
        }
    }

    /// How long a claim is to last, if it says so.
    pub(super) fn hold_ms(&mut self) -> Option<u32> {
        [None, None, Some(100), Some(30_000)][self.rng.below(4)]
    }
}
