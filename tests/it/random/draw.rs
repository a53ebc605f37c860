//! Draws the random commands: few names, so that they meet, and mostly sensible ones, so that
//! something comes of them; but every field is also drawn stale, foreign or unknown now and then.

use ticketd::machine::{
    Command, Data, Fence, Kind, Name, Owner, Reach, RequestId, SessionId, SessionName, Ttl, WaitId,
    WaitOrigin, WaitRequest, WaitTimeout,
};

use crate::model::{Model, Place, Ticket};
use crate::rng::Rng;

const RESOURCES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];
const TICKETS: [&str; 4] = ["one", "two", "three", "four"];

/// What a command does, before it is drawn with whom and with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Boot,
    Open,
    Adopt,
    Close,
    Condemn,
    Expire,
    Issue,
    Revoke,
    ClaimNamed,
    ClaimAny,
    Release,
    Lock,
    Unlock,
    Cancel,
    TimeOut,
    Forbid,
    Withdraw,
    Watch,
    Unwatch,
    Blind,
    Forget,
}

/// How often each verb comes, and how many sessions are alive at most.
pub(super) struct Mix {
    pub(super) alive: usize,
    pub(super) verbs: &'static [(usize, Verb)],
}

/// Draws one history.
pub(super) struct Draw {
    pub(super) rng: Rng,
    mix: &'static Mix,
    /// Every session there ever was.
    opened: Vec<SessionId>,
    /// Emptied marks read so far.
    marks: Vec<u64>,
    requests: u64,
    boot_fence: u64,
}

impl Draw {
    pub(super) fn new(mix: &'static Mix, seed: u64) -> Self {
        let (opened, marks) = (Vec::new(), vec![0]);
        Self { rng: Rng::new(seed), mix, opened, marks, requests: 0, boot_fence: 0 }
    }

    /// The next command, for a machine that stands as `model` does.
    pub(super) fn command(&mut self, model: &Model) -> Command {
        match self.verb(model) {
            Verb::Boot => self.boot(),
            Verb::Open => self.open(),
            Verb::Adopt => Command::Adopt { session: self.session(model), owner: self.owner() },
            Verb::Close => Command::Close { session: self.session(model) },
            Verb::Condemn => Command::Condemn { sessions: self.some_sessions(model) },
            Verb::Expire => Command::Expire { sessions: self.some_sessions(model) },
            Verb::Issue => Command::Issue {
                session: self.session(model),
                resource: self.resource(model, Kind::Tickets),
                ticket: self.ticket(),
                data: self.data(),
                notify: self.rng.chance(1, 2),
            },
            Verb::Revoke => {
                let (resource, ticket) = self.ticket_of(model, |_| true);
                let (session, reach) = (self.session(model), self.reach());
                Command::Revoke { session, resource, ticket, reach }
            }
            Verb::ClaimNamed => {
                let ticket = Some(self.ticket());
                self.claim(model, ticket)
            }
            Verb::ClaimAny => self.claim(model, None),
            Verb::Release => self.release(model),
            Verb::Lock => Command::Lock {
                session: self.session(model),
                resource: self.resource(model, Kind::Lock),
                wait_request: self.ask(),
            },
            Verb::Unlock => self.unlock(model),
            Verb::Cancel => {
                let (session, wait, _) = self.wait(model);
                Command::Cancel { session, wait }
            }
            Verb::TimeOut => Command::TimeOut { wait: self.wait(model).1 },
            Verb::Forbid => Command::Forbid { wait: self.wait(model).1 },
            Verb::Withdraw => {
                let (_, wait, request) = self.wait(model);
                Command::Withdraw { wait, request }
            }
            Verb::Watch => Command::Watch {
                session: self.session(model),
                resource: self.any_resource(),
                changes: self.rng.chance(1, 2),
            },
            Verb::Unwatch => {
                let session = self.session(model);
                Command::Unwatch { session, resource: self.any_resource() }
            }
            Verb::Blind => {
                let session = self.session(model);
                Command::Blind { session, resource: self.any_resource() }
            }
            Verb::Forget => self.forget(model),
        }
    }

    fn verb(&mut self, model: &Model) -> Verb {
        if model.sessions.is_empty() {
            return Verb::Open;
        }
        let full = model.sessions.len() >= self.mix.alive;
        let total = self.mix.verbs.iter().map(|(weight, _)| weight).sum();
        loop {
            let mut at = self.rng.below(total);
            for &(weight, verb) in self.mix.verbs {
                if at < weight {
                    if !(verb == Verb::Open && full) {
                        return verb;
                    }
                    break;
                }
                at -= weight;
            }
        }
    }

    fn boot(&mut self) -> Command {
        // Now behind what has been handed out since, now before it.
        self.boot_fence += u64::try_from(self.rng.below(100)).expect("is small");
        Command::Boot { fence: Fence(self.boot_fence) }
    }

    fn open(&mut self) -> Command {
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
        }
    }

    /// One of few, of whom some are alike in a part.
    fn owner(&mut self) -> Owner {
        match self.rng.below(4) {
            0 => Owner::Principal(name("alpha")),
            1 => Owner::Principal(name("beta")),
            n => {
                let sub = name(["alpha", "beta"][n - 2]);
                Owner::Subject { signer: name("alpha"), sub }
            }
        }
    }

    fn reach(&mut self) -> Reach {
        [Reach::Any, Reach::Any, Reach::IssuedOrClaimed, Reach::Issued][self.rng.below(4)]
    }

    /// None, several, the same twice, unknown ones, condemned ones.
    fn some_sessions(&mut self, model: &Model) -> Vec<SessionId> {
        let drawn = self.rng.below(5);
        let mut sessions: Vec<_> = (0..drawn).map(|_| self.session(model)).collect();
        let some = self.rng.below(3);
        sessions.extend(model.condemned.keys().copied().take(some));
        sessions
    }

    fn claim(&mut self, model: &Model, ticket: Option<Name>) -> Command {
        Command::Claim {
            session: self.session(model),
            resource: self.resource(model, Kind::Tickets),
            ticket,
            wait_request: self.ask(),
            again: self.rng.chance(1, 3),
        }
    }

    fn release(&mut self, model: &Model) -> Command {
        let (resource, ticket) = self.ticket_of(model, |ticket| ticket.claim.is_some());
        let here = |one: &&Ticket| one.resource == resource && one.name == ticket;
        let claim = model.tickets.iter().find(here).and_then(|ticket| ticket.claim);
        let session = self.mostly(model, claim.map(|(claimant, _)| claimant));
        let fence = self.fence(claim.map(|(_, fence)| fence));
        let by_socket = self.rng.chance(1, 2);
        Command::Release { session, resource, ticket, fence, by_socket }
    }

    fn unlock(&mut self, model: &Model) -> Command {
        let lock = self.rng.pick(&model.locks);
        let resource = match lock {
            Some(lock) if self.rng.chance(7, 8) => lock.resource.clone(),
            _ => self.any_resource(),
        };
        let lock = model.locks.iter().find(|lock| lock.resource == resource);
        let session = self.mostly(model, lock.map(|lock| lock.holder));
        let fence = self.fence(lock.map(|lock| lock.fence));
        Command::Unlock { session, resource, fence, by_socket: self.rng.chance(1, 2) }
    }

    fn forget(&mut self, model: &Model) -> Command {
        self.marks.push(model.emptied_mark());
        let earlier = *self.rng.pick(&self.marks).expect("has one at least");
        let up_to = if self.rng.chance(1, 2) { model.emptied_mark() } else { earlier };
        Command::Forget { up_to }
    }

    /// A living session, or seldom one that has ended, or never was.
    pub(super) fn session(&mut self, model: &Model) -> SessionId {
        let living: Vec<SessionId> = model.sessions.keys().copied().collect();
        let one = if self.rng.chance(1, 60) {
            self.rng.pick(&self.opened)
        } else {
            self.rng.pick(&living)
        };
        one.copied().unwrap_or(SessionId([7; 20]))
    }

    fn mostly(&mut self, model: &Model, session: Option<SessionId>) -> SessionId {
        match session {
            Some(session) if self.rng.chance(7, 8) => session,
            _ => self.session(model),
        }
    }

    /// Any resource.
    pub(super) fn any_resource(&mut self) -> Name {
        name(RESOURCES[self.rng.below(RESOURCES.len())])
    }

    /// Any resource, but seldom one of the other kind.
    fn resource(&mut self, model: &Model, kind: Kind) -> Name {
        loop {
            let resource = self.any_resource();
            let is = model.figures(&resource).kind;
            if is.is_none_or(|is| is == kind) || self.rng.chance(1, 12) {
                return resource;
            }
        }
    }

    /// Any ticket's name.
    pub(super) fn ticket(&mut self) -> Name {
        name(TICKETS[self.rng.below(TICKETS.len())])
    }

    /// Mostly a ticket that is there and that `suits`.
    fn ticket_of(&mut self, model: &Model, suits: fn(&&Ticket) -> bool) -> (Name, Name) {
        let tickets: Vec<&Ticket> = model.tickets.iter().filter(suits).collect();
        match self.rng.pick(&tickets) {
            Some(ticket) if self.rng.chance(7, 8) => (ticket.resource.clone(), ticket.name.clone()),
            _ => (self.any_resource(), self.ticket()),
        }
    }

    fn data(&mut self) -> Data {
        let bytes = self.rng.next().to_be_bytes();
        Data::new(&bytes[..self.rng.below(3)]).expect("is short")
    }

    /// No fence, that one, or a wrong one.
    fn fence(&mut self, right: Option<Fence>) -> Option<Fence> {
        let right = right.unwrap_or(Fence(1));
        match self.rng.below(8) {
            0 => Some(Fence(right.0.saturating_sub(1))),
            1 => Some(Fence(right.0 + 1)),
            2..=4 => Some(right),
            _ => None,
        }
    }

    fn ask(&mut self) -> Option<WaitRequest> {
        let origin = match self.rng.below(4) {
            0 => return None,
            1 => WaitOrigin::Request(self.request()),
            _ if self.rng.chance(1, 2) => WaitOrigin::Request(self.request()),
            _ => WaitOrigin::Socket,
        };
        let timeout = match self.rng.below(3) {
            0 => WaitTimeout::Session,
            _ => WaitTimeout::Ms(1 + u32::try_from(self.rng.below(5000)).expect("is small")),
        };
        Some(WaitRequest { origin, timeout })
    }

    /// A new request, or seldom one that has been seen.
    fn request(&mut self) -> RequestId {
        if self.rng.chance(5, 6) {
            self.requests += 1;
            return RequestId::alone(self.requests);
        }
        let few = u64::try_from(self.rng.below(6)).expect("is small");
        RequestId::alone(self.requests.saturating_sub(few))
    }

    /// A wait with its session and one of its requests, or seldom one of another's, or none's.
    fn wait(&mut self, model: &Model) -> (SessionId, WaitId, RequestId) {
        let any = self.rng.next() % (self.requests + 1);
        let place: Option<&Place> = self.rng.pick(&model.places);
        match place {
            Some(place) if self.rng.chance(15, 16) => {
                let request =
                    self.rng.pick(&place.requests).copied().unwrap_or(RequestId::alone(any));
                (self.mostly(model, Some(place.session)), place.wait, request)
            }
            _ => (self.session(model), WaitId(any), RequestId::alone(any)),
        }
    }
}

/// A name that is one.
pub(super) fn name(text: &str) -> Name {
    Name::parse(text).expect("is a name")
}

/// Every name there is, and one that nobody ever uses.
pub(super) fn resources() -> impl Iterator<Item = Name> {
    RESOURCES.into_iter().chain(["never"]).map(name)
}
