//! The machine again, in the plainest way there is: flat lists, searched from end to end, and
//! every figure counted anew. It is what `random` compares the real machine with, so it shares
//! nothing with it beyond the vocabulary. When the two differ, this one is easier to read.
//!
//! This file has the lists, what is counted over them, and what frames every command. What asks
//! for locks is in `locks`, for tickets in `claims`, what becomes of tickets in `tickets`, who
//! comes next in `queues`, waits in circles in `circles`, the ends of holds in `losses`, of waits,
//! sessions and all else in `ends`, and what can be looked at in `views` and `looks`.

mod circles;
mod claims;
mod commands;
mod delays;
mod ends;
mod locks;
mod looks;
mod losses;
mod queues;
mod tickets;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use delays::Delays;

use ticketd::machine::{
    Command, Conduct, Data, DelayId, Event, Fence, Figures, Kind, Mode, Name, Note, Owner, Party,
    Refusal, Reply, RequestId, SessionId, SessionInfo, SessionName, Sought, TicketTerms, WaitId,
    WaitOrigin, WaitTimeout,
};

/// What a command comes to.
pub(crate) type Answer = Result<Reply, Refusal>;

/// Whose something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// That session's.
    Its(SessionId),
    /// Nobody's any more; it was of one of that name.
    Nobodys(SessionName),
}

impl Whose {
    /// The session, if there is one.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self {
            Self::Its(session) => Some(*session),
            Self::Nobodys(_) => None,
        }
    }

    fn is(&self, session: SessionId) -> bool {
        *self == Self::Its(session)
    }
}

/// How a ticket stands, but for claims: those are holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Free since then, if it is not held.
    Free(u64),
    /// Free later.
    Delayed { delay: DelayId, delay_ms: u32, until_ms: u64 },
    /// Dead since then.
    Dead(u64),
}

/// A ticket.
pub(crate) struct Ticket {
    /// Where.
    pub(crate) resource: Name,
    /// Its name.
    pub(crate) name: Name,
    /// What it carries.
    pub(crate) data: Data,
    /// Who issued it last.
    pub(crate) issuer: Whose,
    /// Whether the issuer is told of claims and releases.
    pub(crate) notify: bool,
    /// How it was issued last.
    pub(crate) terms: TicketTerms,
    /// How it stands.
    pub(crate) standing: Standing,
    /// Attempts that were counted.
    pub(crate) attempts: u32,
    /// What was said of it when it was given back last.
    pub(crate) note: Option<Note>,
    /// When it came to its issuer: the order of the issuer's list.
    pub(crate) issued_at: u64,
}

/// A grant in force, of a lock or of a ticket.
pub(crate) struct Hold {
    /// Where.
    pub(crate) resource: Name,
    /// The ticket, if it is of one.
    pub(crate) ticket: Option<Name>,
    /// Who has it, or had it and lost it.
    pub(crate) holder: Whose,
    /// Its number.
    pub(crate) fence: Fence,
    /// When it was granted.
    pub(crate) since_ms: u64,
    /// In which mode, if it is of a lock.
    pub(crate) mode: Mode,
    /// What is made known, if it is of a lock.
    pub(crate) data: Option<Data>,
    /// How long it lasts, or stays when it is lost.
    pub(crate) hold_ms: Option<u32>,
}

/// A place in a queue, or one in each of several.
#[derive(Clone)]
pub(crate) struct Place {
    /// Its number.
    pub(crate) wait: WaitId,
    /// Who waits.
    pub(crate) session: SessionId,
    /// Where.
    pub(crate) sought: Sought,
    /// For a lock or for a ticket.
    pub(crate) kind: Kind,
    /// For that very ticket.
    pub(crate) ticket: Option<Name>,
    /// In which mode, if it is for a lock.
    pub(crate) mode: Mode,
    /// What is made known once the lock is granted.
    pub(crate) data: Option<Data>,
    /// How long the claim is to last.
    pub(crate) hold_ms: Option<u32>,
    /// Since when.
    pub(crate) since_ms: u64,
    /// How long the socket waits, if it does.
    pub(crate) socket: Option<WaitTimeout>,
    /// The requests that wait, in order of joining.
    pub(crate) requests: Vec<RequestId>,
}

impl Place {
    fn stands_in(&self, resource: &Name) -> bool {
        self.sought.resources().contains(resource)
    }

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

/// How a resource stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Nothing is granted.
    Paused,
    /// The pause has ended, and not all who waited are served.
    Serving,
}

/// What is remembered of a resource that something stands in, or did until lately.
#[derive(Clone, Copy)]
struct Known {
    /// Whether what stands, or stood last, made it a lock.
    is_lock: bool,
    /// The how manieth emptied resource it is, while it is empty.
    emptied: Option<u64>,
}

/// What watches of a resource are told of.
#[derive(Clone, PartialEq)]
struct Outlook {
    figures: Figures,
    /// The grants of a lock, whose they are, and what is made known.
    holders: Vec<(Fence, Whose, Option<Data>)>,
}

/// Everything.
pub(crate) struct Model {
    /// The living.
    pub(crate) sessions: BTreeMap<SessionId, Arc<SessionInfo>>,
    /// Those that have ended, but for their holds.
    pub(crate) condemned: BTreeMap<SessionId, Arc<SessionInfo>>,
    /// Whose sessions are, those of the dead with them.
    pub(crate) owners: BTreeMap<SessionId, Owner>,
    /// How sessions want to be taken, those of the dead with them.
    conducts: BTreeMap<SessionId, Conduct>,
    /// All tickets, oldest first.
    pub(crate) tickets: Vec<Ticket>,
    /// All grants in force, in order of their fences.
    pub(crate) holds: Vec<Hold>,
    /// All places, in order of their numbers: so those of one resource are its queue.
    pub(crate) places: Vec<Place>,
    /// All watches, oldest first.
    pub(crate) watches: Vec<Watch>,
    /// What stands still.
    pub(crate) pauses: BTreeMap<Name, Pause>,
    known: BTreeMap<Name, Known>,
    emptied: u64,
    next_fence: Fence,
    next_wait: WaitId,
    next_delay: DelayId,
    clock_ms: u64,
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
            conducts: BTreeMap::new(),
            tickets: Vec::new(),
            holds: Vec::new(),
            places: Vec::new(),
            watches: Vec::new(),
            pauses: BTreeMap::new(),
            known: BTreeMap::new(),
            emptied: 0,
            next_fence: Fence(1),
            next_wait: WaitId(1),
            next_delay: DelayId(1),
            clock_ms: 0,
            ticks: 0,
            events: Vec::new(),
            freed: BTreeSet::new(),
        }
    }

    /// Carries out `command`: what it answers, and what is announced meanwhile.
    pub(crate) fn apply(&mut self, command: &Command) -> (Answer, Vec<Event>) {
        let before: BTreeMap<Name, Outlook> =
            self.watched().into_iter().map(|name| (name.clone(), self.outlook(&name))).collect();
        let answer = self.carry_out(command);
        self.note_who_is_empty();
        for resource in self.watched() {
            // One that is watched from this very command on did not change in it.
            let after = self.outlook(&resource);
            let before = before.get(&resource).unwrap_or(&after);
            let freed = self.freed.contains(&resource) && after.figures.free > 0;
            if *before != after || freed {
                let holders = before.holders != after.holders;
                let (before, after) = (before.figures, after.figures);
                self.events.push(Event::Changed { resource, before, after, freed, holders });
            }
        }
        self.freed.clear();
        (answer, std::mem::take(&mut self.events))
    }

    /// Every watched resource.
    fn watched(&self) -> BTreeSet<Name> {
        self.watches.iter().map(|watch| watch.resource.clone()).collect()
    }

    fn outlook(&self, resource: &Name) -> Outlook {
        let holds = self.holds_of(resource).filter(|hold| hold.ticket.is_none());
        let holders =
            holds.map(|hold| (hold.fence, hold.holder.clone(), hold.data.clone())).collect();
        Outlook { figures: self.figures(resource), holders }
    }

    /// After a command: what is used is known, and what has just been emptied gets its number. A
    /// pause keeps what it found.
    fn note_who_is_empty(&mut self) {
        let tickets = self.tickets.iter().map(|ticket| &ticket.resource);
        let holds = self.holds.iter().map(|hold| &hold.resource);
        let places = self.places.iter().flat_map(|place| place.sought.resources());
        let used: BTreeSet<Name> = tickets.chain(holds).chain(places).cloned().collect();
        for name in &used {
            let is_lock = self.kind(name) == Some(Kind::Lock);
            self.known.insert(name.clone(), Known { is_lock, emptied: None });
        }
        for name in self.pauses.keys() {
            let known = Known { is_lock: true, emptied: None };
            self.known.entry(name.clone()).or_insert(known).emptied = None;
        }
        for (name, known) in &mut self.known {
            let stays = used.contains(name) || self.pauses.contains_key(name);
            if !stays && known.emptied.is_none() {
                self.emptied += 1;
                known.emptied = Some(self.emptied);
            }
        }
    }

    fn living(&self, session: SessionId) -> Result<(), Refusal> {
        if self.sessions.contains_key(&session) { Ok(()) } else { Err(Refusal::SessionNotFound) }
    }

    /// Refuses what is about a resource that is not known, or not of that kind.
    fn must_be(&self, resource: &Name, kind: Kind) -> Result<(), Refusal> {
        if !self.is_known(resource.as_str()) {
            return Err(Refusal::ResourceNotFound);
        }
        self.may_be(resource, kind)
    }

    /// Refuses what is about a resource of the other kind.
    fn may_be(&self, resource: &Name, kind: Kind) -> Result<(), Refusal> {
        if self.kind(resource).is_some_and(|is| is != kind) {
            return Err(Refusal::WrongKind);
        }
        Ok(())
    }

    fn info(&self, session: SessionId) -> Arc<SessionInfo> {
        let info = self.sessions.get(&session).or_else(|| self.condemned.get(&session));
        Arc::clone(info.expect("only those who are there are named"))
    }

    fn party(&self, whose: &Whose) -> Party {
        match whose {
            Whose::Its(session) => Party::Here(self.info(*session)),
            Whose::Nobodys(name) => Party::Gone(name.clone()),
        }
    }

    fn is_known(&self, resource: &str) -> bool {
        self.known.contains_key(resource)
    }

    fn kind(&self, resource: &Name) -> Option<Kind> {
        let ticket = self.tickets.iter().any(|ticket| ticket.resource == *resource);
        let lock = self.holds_of(resource).any(|hold| hold.ticket.is_none());
        let waits = |kind| self.queue(resource).iter().any(|place| place.kind == kind);
        let tickets = ticket || waits(Kind::Tickets);
        let lock = lock || waits(Kind::Lock);
        assert!(!(tickets && lock), "{resource} is of both kinds");
        if lock { Some(Kind::Lock) } else { tickets.then_some(Kind::Tickets) }
    }

    /// The grants of one resource, in order of their fences.
    fn holds_of(&self, resource: &Name) -> impl Iterator<Item = &Hold> {
        self.holds.iter().filter(move |hold| hold.resource == *resource)
    }

    /// The places of one resource, first come first.
    fn queue(&self, resource: &Name) -> Vec<&Place> {
        self.places.iter().filter(|place| place.stands_in(resource)).collect()
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

    /// The grant of a ticket, if it is held.
    pub(crate) fn claim(&self, resource: &Name, name: &Name) -> Option<&Hold> {
        self.holds_of(resource).find(|hold| hold.ticket.as_ref() == Some(name))
    }

    fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }
}

/// A length as a figure.
fn count(len: usize) -> u32 {
    u32::try_from(len).expect("tests are not that large")
}
