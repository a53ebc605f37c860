//! Draws what commands are about: which session, resource, ticket, grant, wait.

use ticketd::machine::{Command, DelayId, Fence, Kind, Name, RequestId, SessionId, WaitId};

use super::draw::Draw;
use crate::model::{Hold, Model, Place, Standing};

const RESOURCES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];
const TICKETS: [&str; 4] = ["one", "two", "three", "four"];

impl Draw {
    /// None, several, the same twice, unknown ones, condemned ones.
    pub(super) fn some_sessions(&mut self, model: &Model) -> Vec<SessionId> {
        let drawn = self.rng.below(5);
        let mut sessions: Vec<_> = (0..drawn).map(|_| self.session(model)).collect();
        let some = self.rng.below(3);
        sessions.extend(model.condemned.keys().copied().take(some));
        sessions
    }

    /// None, several, the same twice, unknown ones, and now and then such as do not suit.
    pub(super) fn some_fences(&mut self, model: &Model, suits: fn(&Hold) -> bool) -> Vec<Fence> {
        let all: Vec<&Hold> = model.holds.iter().collect();
        let due: Vec<&Hold> = model.holds.iter().filter(|hold| suits(hold)).collect();
        let drawn = self.rng.below(4);
        let pick = |_| {
            let from = if self.rng.chance(7, 8) { &due } else { &all };
            self.rng.pick(from).map_or(Fence(self.any_number()), |hold| hold.fence)
        };
        (0..drawn).map(pick).collect()
    }

    /// None, several, the same twice, some that are over.
    pub(super) fn some_delays(&mut self, model: &Model) -> Vec<DelayId> {
        let delay = |standing| match standing {
            Standing::Delayed { delay, .. } => Some(delay),
            _ => None,
        };
        let due: Vec<DelayId> =
            model.tickets.iter().filter_map(|ticket| delay(ticket.standing)).collect();
        let drawn = self.rng.below(4);
        let pick = |_| {
            let over = DelayId(self.any_number());
            if self.rng.chance(7, 8) { self.rng.pick(&due).copied().unwrap_or(over) } else { over }
        };
        (0..drawn).map(pick).collect()
    }

    pub(super) fn claim(&mut self, model: &Model, ticket: Option<Name>) -> Command {
        Command::Claim {
            session: self.session(model),
            resource: self.resource(model, Kind::Tickets),
            ticket,
            wait_request: self.ask(),
            again: self.rng.chance(1, 3),
            hold_ms: self.hold_ms(),
        }
    }

    pub(super) fn claim_first(&mut self, model: &Model) -> Command {
        let session = self.session(model);
        let mut resources: Vec<Name> = Vec::new();
        for _ in 0..=self.rng.below(4) {
            let resource = self.resource(model, Kind::Tickets);
            if !resources.contains(&resource) {
                resources.push(resource);
            }
        }
        let wait = self.rng.chance(3, 4).then(|| self.timeout());
        Command::ClaimFirst { session, resources, wait, hold_ms: self.hold_ms() }
    }

    pub(super) fn release(&mut self, model: &Model) -> Command {
        let (resource, ticket, claim) = self.claimed(model);
        let session = self.mostly(model, claim.and_then(|(session, _)| session));
        let fence = self.fence(claim.map(|(_, fence)| fence));
        let (by_socket, parting) = (self.rng.chance(1, 2), self.parting());
        Command::Release { session, resource, ticket, fence, by_socket, parting }
    }

    pub(super) fn touch(&mut self, model: &Model) -> Command {
        let (resource, ticket, claim) = self.claimed(model);
        let session = self.mostly(model, claim.and_then(|(session, _)| session));
        let fence = self.fence(claim.map(|(_, fence)| fence));
        Command::Touch { session, resource, ticket, fence, hold_ms: self.hold_ms() }
    }

    pub(super) fn revoke(&mut self, model: &Model) -> Command {
        let (resource, ticket, claim) = self.claimed(model);
        let session = match claim {
            // That is how work is finished.
            Some((Some(session), _)) if self.rng.chance(1, 2) => session,
            _ => self.session(model),
        };
        let only = self.rng.chance(1, 3);
        let fence = self.fence(claim.map(|(_, fence)| fence)).filter(|_| only);
        Command::Revoke { session, resource, ticket, reach: self.reach(), fence }
    }

    /// Mostly a ticket that is claimed, with who has it, and by which grant.
    fn claimed(&mut self, model: &Model) -> (Name, Name, Option<(Option<SessionId>, Fence)>) {
        let claims: Vec<&Hold> = model.holds.iter().filter(|hold| hold.ticket.is_some()).collect();
        let (resource, ticket) = match self.rng.pick(&claims) {
            Some(Hold { resource, ticket: Some(ticket), .. }) if self.rng.chance(7, 8) => {
                (resource.clone(), ticket.clone())
            }
            _ => match self.rng.pick(&model.tickets) {
                Some(ticket) if self.rng.chance(7, 8) => {
                    (ticket.resource.clone(), ticket.name.clone())
                }
                _ => (self.any_resource(), self.ticket()),
            },
        };
        let claim = model.claim(&resource, &ticket);
        let claim = claim.map(|claim| (claim.holder.session(), claim.fence));
        (resource, ticket, claim)
    }

    pub(super) fn unlock(&mut self, model: &Model) -> Command {
        let (resource, hold) = self.locked(model);
        let session = self.mostly(model, hold.and_then(|hold| hold.holder.session()));
        let fence = self.fence(hold.map(|hold| hold.fence));
        Command::Unlock { session, resource, fence, by_socket: self.rng.chance(1, 2) }
    }

    /// Mostly a lock that is held, with one of its grants.
    fn locked<'a>(&mut self, model: &'a Model) -> (Name, Option<&'a Hold>) {
        let locks: Vec<&Hold> = model.holds.iter().filter(|hold| hold.ticket.is_none()).collect();
        match self.rng.pick(&locks) {
            Some(hold) if self.rng.chance(7, 8) => (hold.resource.clone(), Some(hold)),
            _ => {
                let resource = self.any_resource();
                let hold = locks.into_iter().find(|hold| hold.resource == resource);
                (resource, hold)
            }
        }
    }

    pub(super) fn force(&mut self, model: &Model) -> Command {
        let by = self.who(model);
        if self.rng.chance(1, 2) {
            let (resource, hold) = self.locked(model);
            let fence = self.fence(hold.map(|hold| hold.fence));
            return Command::Force { by, resource, ticket: None, fence };
        }
        let (resource, ticket, claim) = self.claimed(model);
        let fence = self.fence(claim.map(|(_, fence)| fence));
        Command::Force { by, resource, ticket: Some(ticket), fence }
    }

    pub(super) fn take_back(&mut self, model: &Model) -> Command {
        let hold = self.rng.pick(&model.holds);
        let session = self.mostly(model, hold.and_then(|hold| hold.holder.session()));
        let (resource, ticket, right) = match hold {
            Some(hold) => (hold.resource.clone(), hold.ticket.clone(), Some(hold.fence)),
            None => (self.any_resource(), None, None),
        };
        let ticket = if self.rng.chance(1, 16) { Some(self.ticket()) } else { ticket };
        let fence = self.fence(right).or(right).unwrap_or(Fence(1));
        Command::TakeBack { session, resource, ticket, fence }
    }

    /// What stands still goes on again soon.
    pub(super) fn pause(&mut self, model: &Model) -> Command {
        let session = self.who(model);
        let still: Vec<&Name> = model.pauses.keys().collect();
        match self.rng.pick(&still) {
            Some(&resource) if self.rng.chance(3, 4) => {
                Command::Pause { session, resource: resource.clone(), paused: false }
            }
            _ => {
                let (resource, paused) = (self.any_resource(), self.rng.chance(7, 8));
                Command::Pause { session, resource, paused }
            }
        }
    }

    /// A session, or nobody: a request without one.
    pub(super) fn who(&mut self, model: &Model) -> Option<SessionId> {
        self.rng.chance(2, 3).then(|| self.session(model))
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
    pub(super) fn resource(&mut self, model: &Model, kind: Kind) -> Name {
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

    /// No fence, that one, or a wrong one.
    pub(super) fn fence(&mut self, right: Option<Fence>) -> Option<Fence> {
        let right = right.unwrap_or(Fence(1));
        match self.rng.below(8) {
            0 => Some(Fence(right.0.saturating_sub(1))),
            1 => Some(Fence(right.0 + 1)),
            2..=4 => Some(right),
            _ => None,
        }
    }

    /// A wait with its session and one of its requests, or seldom one of another's, or none's.
    pub(super) fn wait(&mut self, model: &Model) -> (SessionId, WaitId, RequestId) {
        let any = self.any_number();
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
