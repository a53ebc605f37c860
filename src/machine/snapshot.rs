//! The whole state as plain values in a fixed order, and back: what a snapshot is made of.
//!
//! Two machines with equal images answer all commands alike. Nothing here depends on slab keys or
//! on a hash's order, so the same history gives the same image in every process.

use std::fmt;

use super::Machine;
use super::command::Kind;
use super::list::Link;
use super::names::{Data, Fence, Name, RequestId, SessionId, SessionInfo, WaitId, WaitTimeout};
use super::tables::{Body, Resource, Session, SessionKey, Ticket, Tickets, Wait, Watch, enter};

/// Everything that a machine knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The next grant's number.
    pub next_fence: u64,
    /// The next wait's number.
    pub next_wait: u64,
    /// Orders places, issues and watches.
    pub serial: u64,
    /// How many times a resource was emptied.
    pub emptied_mark: u64,
    /// Sessions, in order of their ids.
    pub sessions: Vec<SessionSnapshot>,
    /// Known or watched resources, in order of their names.
    pub resources: Vec<ResourceSnapshot>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSnapshot {
    /// Who it is.
    pub info: SessionInfo,
    /// Whether it was condemned: it has ended, but for its holds.
    pub condemned: bool,
}

/// A resource and what stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSnapshot {
    /// Its name.
    pub name: Name,
    /// Whether it is known.
    pub known: bool,
    /// What it is, or was before it was emptied.
    pub last: Kind,
    /// The number by which it is among the emptied.
    pub emptied: Option<u64>,
    /// Who holds it, if it is a lock.
    pub lock: Option<(SessionId, Fence)>,
    /// Its tickets, in order of their age in the resource.
    pub tickets: Vec<TicketSnapshot>,
    /// Its queue, first to last.
    pub waits: Vec<WaitSnapshot>,
    /// Its watches, oldest first.
    pub watches: Vec<WatchSnapshot>,
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketSnapshot {
    /// Its name.
    pub name: Name,
    /// What it carries.
    pub data: Data,
    /// Who issued it.
    pub issuer: SessionId,
    /// Who holds it.
    pub claim: Option<(SessionId, Fence)>,
    /// Whether its issuer is told of claims.
    pub notify: bool,
    /// Order among the free.
    pub place: u64,
    /// Order among its issuer's.
    pub issued: u64,
}

/// A wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitSnapshot {
    /// Its number.
    pub id: WaitId,
    /// Who waits.
    pub session: SessionId,
    /// For that very ticket.
    pub ticket: Option<Name>,
    /// How long the socket waits, if it does.
    pub socket: Option<WaitTimeout>,
    /// The requests that wait.
    pub requests: Vec<RequestId>,
    /// Whether others of the session that ask for the same join it.
    pub shared: bool,
}

/// A watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchSnapshot {
    /// Who watches.
    pub session: SessionId,
    /// Whether every change is told.
    pub changes: bool,
    /// Order among all watches.
    pub number: u64,
}

/// Why an image is not one of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It names a session that it does not have.
    UnknownSession(SessionId),
    /// Two sessions, resources or tickets have the same name.
    Twice,
    /// A resource is of both kinds, or a number is out of order.
    Contradiction,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSession(id) => write!(f, "the image lacks {id:?}, which it names"),
            Self::Twice => f.write_str("the image has something twice"),
            Self::Contradiction => f.write_str("the image contradicts itself"),
        }
    }
}

impl std::error::Error for Damage {}

impl Machine {
    /// The whole state as plain values.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let session_snapshot = |session: &Session| SessionSnapshot {
            info: SessionInfo::clone(&session.info),
            condemned: session.condemned,
        };
        let mut sessions: Vec<SessionSnapshot> =
            self.tables.sessions.iter().map(|(_, session)| session_snapshot(session)).collect();
        sessions.sort_unstable_by_key(|session| session.info.id);
        let mut resources: Vec<_> = self
            .tables
            .resources
            .iter()
            .map(|(_, resource)| self.resource_snapshot(resource))
            .collect();
        resources.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Snapshot {
            next_fence: self.next_fence,
            next_wait: self.next_wait,
            serial: self.serial,
            emptied_mark: self.emptied_mark,
            sessions,
            resources,
        }
    }

    fn resource_snapshot(&self, resource: &Resource) -> ResourceSnapshot {
        let tables = &self.tables;
        let id = |key: SessionKey| self.info(key).id;
        let tickets = resource.tickets().map(|tickets| tickets.all).unwrap_or_default();
        let mut waits: Vec<WaitSnapshot> = Vec::new();
        if let Some(queue) = &resource.queue {
            for list in std::iter::once(&queue.any).chain(queue.named.values()) {
                let keys = list.keys(&tables.waits, |w| &w.in_queue);
                waits.extend(keys.map(|key| {
                    let wait = &tables.waits[key as usize];
                    WaitSnapshot {
                        id: wait.id,
                        session: id(wait.session),
                        ticket: wait.ticket.clone(),
                        socket: wait.socket,
                        requests: wait.requests.clone(),
                        shared: wait.shared,
                    }
                }));
            }
        }
        waits.sort_unstable_by_key(|wait| wait.id);
        ResourceSnapshot {
            name: resource.name.clone(),
            known: resource.known,
            last: resource.last,
            emptied: resource.emptied,
            lock: match resource.body {
                Body::Lock { holder, fence } => Some((id(holder), fence)),
                Body::Empty | Body::Tickets(_) => None,
            },
            tickets: tickets
                .keys(&tables.tickets, |t| &t.in_all)
                .map(|key| {
                    let ticket = &tables.tickets[key as usize];
                    TicketSnapshot {
                        name: ticket.name.clone(),
                        data: ticket.data.clone(),
                        issuer: id(ticket.issuer),
                        claim: ticket.claim.map(|(session, fence)| (id(session), fence)),
                        notify: ticket.notify,
                        place: ticket.place,
                        issued: ticket.issued,
                    }
                })
                .collect(),
            waits,
            watches: resource
                .watchers
                .keys(&tables.watches, |w| &w.in_resource)
                .map(|key| {
                    let watch = &tables.watches[key as usize];
                    let session = id(watch.session);
                    WatchSnapshot { session, changes: watch.changes, number: watch.number }
                })
                .collect(),
        }
    }

    /// A machine that goes on where the image's left off.
    ///
    /// # Errors
    /// [`Damage`] when the image is not one that a machine can have made.
    pub fn restore(image: &Snapshot) -> Result<Self, Damage> {
        let mut machine = Self::new();
        machine.next_fence = image.next_fence;
        machine.next_wait = image.next_wait;
        machine.serial = image.serial;
        machine.emptied_mark = image.emptied_mark;
        for SessionSnapshot { info, condemned } in &image.sessions {
            if machine.tables.session_ids.get(&info.id).is_some() {
                return Err(Damage::Twice);
            }
            machine.open(info.id, info.name.clone(), info.ttl, info.source.clone());
            let key = machine.restored(info.id)?;
            machine.tables.sessions[key as usize].condemned = *condemned;
            machine.tables.condemned += usize::from(*condemned);
        }
        machine.restore_resources(image)?;
        Ok(machine)
    }

    fn restore_resources(&mut self, image: &Snapshot) -> Result<(), Damage> {
        let mut later = Later::default();
        for from in &image.resources {
            if self.resource_key(from.name.as_str()).is_some() {
                return Err(Damage::Twice);
            }
            let of_two_kinds = from.lock.is_some() && !from.tickets.is_empty();
            let stands = from.lock.is_some() || !from.tickets.is_empty() || !from.waits.is_empty();
            if of_two_kinds || stands != (from.known && from.emptied.is_none()) {
                return Err(Damage::Contradiction);
            }
            let key = self.resource_entry(&from.name);
            let resource = &mut self.tables.resources[key as usize];
            resource.known = from.known;
            resource.last = from.last;
            resource.emptied = from.emptied;
            self.tables.known += usize::from(from.known);
            later.emptied.extend(from.emptied.map(|number| (number, key)));
            if let Some((holder, fence)) = from.lock {
                later.locks.push((fence, key, self.restored(holder)?));
            }
            for wait in &from.waits {
                later.waits.push((wait, key, self.restored_living(wait.session)?));
            }
            for watch in &from.watches {
                later.watches.push((watch, key, self.restored_living(watch.session)?));
            }
            for ticket in &from.tickets {
                let claim = match ticket.claim {
                    Some((session, fence)) => Some((self.restored(session)?, fence)),
                    None => None,
                };
                if self.ticket_key(key, &ticket.name).is_some() {
                    return Err(Damage::Twice);
                }
                self.restore_ticket(ticket, key, claim, &mut later)?;
            }
        }
        self.restore_orders(later)
    }

    fn restored(&self, id: SessionId) -> Result<SessionKey, Damage> {
        self.tables.session_ids.get(&id).ok_or(Damage::UnknownSession(id))
    }

    /// A condemned session has nothing but holds.
    fn restored_living(&self, id: SessionId) -> Result<SessionKey, Damage> {
        let key = self.restored(id)?;
        let is_condemned = self.tables.sessions[key as usize].condemned;
        if is_condemned { Err(Damage::Contradiction) } else { Ok(key) }
    }

    fn restore_ticket(
        &mut self,
        from: &TicketSnapshot,
        resource: u32,
        claim: Option<(SessionKey, Fence)>,
        later: &mut Later,
    ) -> Result<(), Damage> {
        let issuer = self.restored_living(from.issuer)?;
        let tables = &mut self.tables;
        let key = enter(
            &mut tables.tickets,
            Ticket {
                name: from.name.clone(),
                data: from.data.clone(),
                resource,
                issuer,
                claim,
                notify: from.notify,
                place: from.place,
                issued: from.issued,
                in_all: Link::default(),
                in_free: Link::default(),
                in_issued: Link::default(),
            },
        );
        tables.ticket_names.insert((resource, from.name.clone()), key);
        let entry = &mut tables.resources[resource as usize];
        if matches!(entry.body, Body::Empty) {
            entry.body = Body::Tickets(Tickets::default());
        }
        let of = entry.tickets_mut();
        of.all.push(&mut tables.tickets, key, |t| &mut t.in_all);
        later.issued.push((from.issued, key));
        match claim {
            None => later.free.push((from.place, key)),
            Some((session, fence)) => {
                tables.sessions[session as usize].claims.insert((resource, fence), key);
                tables.claims += 1;
            }
        }
        Ok(())
    }

    /// Enters in order what stands in ordered lists.
    fn restore_orders(&mut self, mut later: Later) -> Result<(), Damage> {
        let tables = &mut self.tables;
        later.issued.sort_unstable();
        for (_, key) in later.issued {
            let issuer = tables.tickets[key as usize].issuer;
            let list = &mut tables.sessions[issuer as usize].issued;
            list.push(&mut tables.tickets, key, |t| &mut t.in_issued);
        }
        later.free.sort_unstable();
        for (_, key) in later.free {
            let resource = tables.tickets[key as usize].resource;
            let free = &mut tables.resources[resource as usize].tickets_mut().free;
            free.push(&mut tables.tickets, key, |t| &mut t.in_free);
        }
        later.locks.sort_unstable();
        for (fence, key, holder) in later.locks {
            tables.resources[key as usize].body = Body::Lock { holder, fence };
            let list = &mut tables.sessions[holder as usize].locks;
            list.push(&mut tables.resources, key, |r| &mut r.in_locks);
            tables.locks += 1;
        }
        later.emptied.sort_unstable();
        for (_, key) in later.emptied {
            tables.emptied.push(&mut tables.resources, key, |r| &mut r.in_emptied);
        }
        later.watches.sort_unstable_by_key(|(watch, ..)| watch.number);
        for (from, resource, session) in later.watches {
            let (changes, number) = (from.changes, from.number);
            let (in_session, in_resource) = (Link::default(), Link::default());
            self.place_watch(Watch { session, resource, changes, number, in_session, in_resource });
        }
        later.waits.sort_unstable_by_key(|(wait, ..)| wait.id);
        if later.waits.windows(2).any(|pair| pair[0].0.id == pair[1].0.id) {
            return Err(Damage::Twice);
        }
        for (from, resource, session) in later.waits {
            self.place(Wait {
                id: from.id,
                session,
                resource,
                ticket: from.ticket.clone(),
                socket: from.socket,
                requests: from.requests.clone(),
                shared: from.shared,
                in_queue: Link::default(),
                in_session: Link::default(),
            });
        }
        Ok(())
    }
}

/// What must be entered in an order that runs across resources.
#[derive(Default)]
struct Later<'a> {
    issued: Vec<(u64, u32)>,
    free: Vec<(u64, u32)>,
    locks: Vec<(Fence, u32, SessionKey)>,
    emptied: Vec<(u64, u32)>,
    watches: Vec<(&'a WatchSnapshot, u32, SessionKey)>,
    waits: Vec<(&'a WaitSnapshot, u32, SessionKey)>,
}
