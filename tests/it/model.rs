//! The machine again, in the plainest way there is: flat lists, searched from end to end, and
//! every figure counted anew. It is what `random` compares the real machine with, so it shares
//! nothing with it beyond the vocabulary. When the two differ, this one is easier to read.
//!
//! This file has the lists, what is counted over them, and what frames every command; the
//! commands themselves are in `commands` and `grants`, the ends of waits, sessions and all else in
//! `ends`, and what can be looked at in `views`.

mod commands;
mod ends;
mod grants;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ticketd::machine::{
    Command, Data, EndReason, Event, Fence, Figures, Kind, Name, Owner, Refusal, Reply, RequestId,
    SessionId, SessionInfo, WaitEndReason, WaitId, WaitOrigin, WaitTimeout,
};

/// What a command comes to.
pub(crate) type Answer = Result<Reply, Refusal>;

/// A ticket.
pub(crate) struct Ticket {
    /// Where.
    pub(crate) resource: Name,
    /// Its name.
    pub(crate) name: Name,
    /// What it carries.
    pub(crate) data: Data,
    /// Who issued it last.
    pub(crate) issuer: SessionId,
    /// Whether the issuer is told of claims and releases.
    pub(crate) notify: bool,
    /// Who holds it, and by which grant.
    pub(crate) claim: Option<(SessionId, Fence)>,
    /// When it came to its issuer: the order of the issuer's list.
    pub(crate) issued_at: u64,
    /// When it became free: the order in which free ones are handed out.
    pub(crate) freed_at: u64,
}

/// A held lock.
pub(crate) struct Lock {
    /// Which.
    pub(crate) resource: Name,
    /// By whom.
    pub(crate) holder: SessionId,
    /// By which grant.
    pub(crate) fence: Fence,
}

/// A place in a queue.
pub(crate) struct Place {
    /// Its number.
    pub(crate) wait: WaitId,
    /// Who waits.
    pub(crate) session: SessionId,
    /// Where.
    pub(crate) resource: Name,
    /// For a lock or for a ticket.
    pub(crate) kind: Kind,
    /// For that very ticket.
    pub(crate) ticket: Option<Name>,
    /// How long the socket waits, if it does.
    pub(crate) socket: Option<WaitTimeout>,
    /// The requests that wait, in order of joining.
    pub(crate) requests: Vec<RequestId>,
}

impl Place {
    /// Whether a ticket called `ticket` would do.
    fn accepts(&self, ticket: &Name) -> bool {
        self.ticket.as_ref().is_none_or(|wanted| wanted == ticket)
    }

    /// One more way by which its session waits.
    fn add_origin(&mut self, origin: WaitOrigin, timeout: WaitTimeout) {
        match origin {
            WaitOrigin::Socket => self.socket = self.socket.max(Some(timeout)),
            WaitOrigin::Request(request) => self.requests.push(request),
        }
    }

    fn has_no_way(&self) -> bool {
        self.socket.is_none() && self.requests.is_empty()
    }
}

/// A watch.
pub(crate) struct Watch {
    /// Who.
    pub(crate) session: SessionId,
    /// What.
    pub(crate) resource: Name,
    /// Every change.
    pub(crate) changes: bool,
}

/// What is remembered of a resource that something stands in, or did until lately.
#[derive(Clone, Copy)]
struct Known {
    /// Whether what stands, or stood last, made it a lock.
    is_lock: bool,
    /// The how manieth emptied resource it is, while it is empty.
    emptied: Option<u64>,
}

/// Everything.
pub(crate) struct Model {
    /// The living.
    pub(crate) sessions: BTreeMap<SessionId, Arc<SessionInfo>>,
    /// Those that have ended, but for their holds.
    pub(crate) condemned: BTreeMap<SessionId, Arc<SessionInfo>>,
    /// Whose sessions are, those of the dead with them.
    pub(crate) owners: BTreeMap<SessionId, Owner>,
    /// All tickets, oldest first.
    pub(crate) tickets: Vec<Ticket>,
    /// All held locks, in no order that matters.
    pub(crate) locks: Vec<Lock>,
    /// All places, in order of their numbers: so those of one resource are its queue.
    pub(crate) places: Vec<Place>,
    /// All watches, oldest first.
    pub(crate) watches: Vec<Watch>,
    known: BTreeMap<Name, Known>,
    emptied: u64,
    next_fence: Fence,
    next_wait: WaitId,
    ticks: u64,
    /// What the command under way has announced so far.
    events: Vec<Event>,
    /// Where a ticket became free, and stayed so, during the command under way.
    freed: BTreeSet<Name>,
}

impl Model {
    /// Nobody and nothing.
    pub(crate) fn new() -> Self {
        Self {
            sessions: BTreeMap::new(),
            condemned: BTreeMap::new(),
            owners: BTreeMap::new(),
            tickets: Vec::new(),
            locks: Vec::new(),
            places: Vec::new(),
            watches: Vec::new(),
            known: BTreeMap::new(),
            emptied: 0,
            next_fence: Fence(1),
            next_wait: WaitId(1),
            ticks: 0,
            events: Vec::new(),
            freed: BTreeSet::new(),
        }
    }

    /// Carries out `command`: what it answers, and what is announced meanwhile.
    pub(crate) fn apply(&mut self, command: &Command) -> (Answer, Vec<Event>) {
        let before: BTreeMap<Name, Figures> =
            self.watched().into_iter().map(|name| (name.clone(), self.figures(&name))).collect();
        let answer = self.carry_out(command);
        self.note_who_is_empty();
        for resource in self.watched() {
            // One that is watched from this very command on did not change in it.
            let after = self.figures(&resource);
            let before = before.get(&resource).copied().unwrap_or(after);
            let freed = self.freed.contains(&resource) && after.free > 0;
            if before != after || freed {
                self.events.push(Event::Changed { resource, before, after, freed });
            }
        }
        self.freed.clear();
        (answer, std::mem::take(&mut self.events))
    }

    fn carry_out(&mut self, command: &Command) -> Answer {
        use Command as C;
        match command.clone() {
            C::Boot { fence } => self.boot(fence),
            C::Join { .. } => Ok(Reply::Done),
            C::Leave { node } | C::Bury { node } => self.part(node),
            C::Open { session, name, ttl, source } => {
                let info = SessionInfo { id: session, name, ttl, source };
                let former = self.sessions.insert(session, Arc::new(info));
                assert!(former.is_none(), "the test opens a session twice");
                Ok(Reply::Done)
            }
            C::Adopt { session, owner } => self.adopt(session, &owner),
            C::Close { session } => {
                self.living(session)?;
                self.end(&[session], EndReason::Closed)
            }
            C::Condemn { sessions } => self.condemn(&sessions),
            C::Expire { sessions } => self.end(&sessions, EndReason::Expired),
            C::Issue { session, resource, ticket, data, notify } => {
                self.issue(session, &resource, &ticket, data, notify)
            }
            C::Revoke { session, resource, ticket, reach } => {
                self.revoke(session, &resource, &ticket, reach)
            }
            C::Claim { session, resource, ticket, wait_request, again } => match ticket {
                Some(ticket) => self.claim_that(session, &resource, &ticket, wait_request),
                None => self.claim_any(session, &resource, wait_request, again),
            },
            C::Release { session, resource, ticket, fence, by_socket } => {
                self.release(session, &resource, &ticket, fence, by_socket)
            }
            C::Lock { session, resource, wait_request } => {
                self.lock(session, &resource, wait_request)
            }
            C::Unlock { session, resource, fence, by_socket } => {
                self.unlock(session, &resource, fence, by_socket)
            }
            C::Cancel { session, wait } => self.cancel(session, wait),
            C::TimeOut { wait } => self.end_wait(wait, WaitEndReason::TimedOut),
            C::Forbid { wait } => self.end_wait(wait, WaitEndReason::Forbidden),
            C::Withdraw { wait, request } => self.withdraw(wait, request),
            C::Watch { session, resource, changes } => self.watch(session, resource, changes),
            C::Unwatch { session, resource } => self.unwatch(session, &resource),
            C::Blind { session, resource } => self.blind(session, resource),
            C::Forget { up_to } => self.forget(up_to),
        }
    }

    /// Every watched resource.
    fn watched(&self) -> BTreeSet<Name> {
        self.watches.iter().map(|watch| watch.resource.clone()).collect()
    }

    /// After a command: what is used is known, and what has just been emptied gets its number.
    fn note_who_is_empty(&mut self) {
        let tickets = self.tickets.iter().map(|ticket| &ticket.resource);
        let locks = self.locks.iter().map(|lock| &lock.resource);
        let places = self.places.iter().map(|place| &place.resource);
        let used: BTreeSet<Name> = tickets.chain(locks).chain(places).cloned().collect();
        for name in &used {
            let is_lock = self.kind(name) == Some(Kind::Lock);
            self.known.insert(name.clone(), Known { is_lock, emptied: None });
        }
        for (name, known) in &mut self.known {
            if !used.contains(name) && known.emptied.is_none() {
                self.emptied += 1;
                known.emptied = Some(self.emptied);
            }
        }
    }

    fn living(&self, session: SessionId) -> Result<(), Refusal> {
        if self.sessions.contains_key(&session) { Ok(()) } else { Err(Refusal::SessionNotFound) }
    }

    fn info(&self, session: SessionId) -> Arc<SessionInfo> {
        let info = self.sessions.get(&session).or_else(|| self.condemned.get(&session));
        Arc::clone(info.expect("only those who are there are named"))
    }

    fn is_known(&self, resource: &str) -> bool {
        self.known.contains_key(resource)
    }

    fn kind(&self, resource: &Name) -> Option<Kind> {
        let ticket = self.tickets.iter().any(|ticket| ticket.resource == *resource);
        let lock = self.locks.iter().any(|lock| lock.resource == *resource);
        let waits = |kind| self.queue(resource).iter().any(|place| place.kind == kind);
        let tickets = ticket || waits(Kind::Tickets);
        let lock = lock || waits(Kind::Lock);
        assert!(!(tickets && lock), "{resource} is of both kinds");
        if lock { Some(Kind::Lock) } else { tickets.then_some(Kind::Tickets) }
    }

    /// The places of one resource, first come first.
    fn queue(&self, resource: &Name) -> Vec<&Place> {
        self.places.iter().filter(|place| place.resource == *resource).collect()
    }

    fn waiting(&self, resource: &Name) -> u32 {
        count(self.queue(resource).len())
    }

    fn position(&self, resource: &Name, wait: WaitId) -> u32 {
        let place = self.queue(resource).iter().position(|place| place.wait == wait);
        count(place.expect("it stands in this queue") + 1)
    }

    fn ticket(&self, resource: &Name, name: &Name) -> Option<usize> {
        let same = |ticket: &Ticket| ticket.resource == *resource && ticket.name == *name;
        self.tickets.iter().position(same)
    }

    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    fn fence(&mut self) -> Fence {
        let fence = self.next_fence;
        self.next_fence = Fence(fence.0 + 1);
        fence
    }
}

/// A length as a figure.
fn count(len: usize) -> u32 {
    u32::try_from(len).expect("tests are not that large")
}
