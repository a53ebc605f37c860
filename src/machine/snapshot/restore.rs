//! A machine made of a snapshot's plain values, in an order that no slab's keys decide.

use super::types::{
    BadSnapshot, SessionSnapshot, Snapshot, TicketSnapshot, WaitSnapshot, WatchSnapshot,
};
use crate::machine::list::Link;
use crate::machine::names::{Fence, SessionId};
use crate::machine::rows::{Body, SessionKey, Ticket, Tickets, Wait, Watch};
use crate::machine::tables::{Machine, enter};

impl Machine {
    /// A machine that goes on where the image's left off.
    ///
    /// # Errors
    /// [`BadSnapshot`] when the image is not one that a machine can have made.
    pub fn restore(image: &Snapshot) -> Result<Self, BadSnapshot> {
        let mut machine = Self::new();
        machine.next_fence = image.next_fence;
        machine.next_wait = image.next_wait;
        machine.serial = image.serial;
        machine.emptied_mark = image.emptied_mark;
        for SessionSnapshot { info, condemned } in &image.sessions {
            if machine.tables.session_ids.get(&info.id).is_some() {
                return Err(BadSnapshot::Twice);
            }
            machine.open(info.id, info.name.clone(), info.ttl, info.source.clone());
            let key = machine.restored(info.id)?;
            machine.tables.sessions[key as usize].condemned = *condemned;
            machine.tables.condemned += usize::from(*condemned);
        }
        machine.restore_resources(image)?;
        Ok(machine)
    }

    fn restore_resources(&mut self, image: &Snapshot) -> Result<(), BadSnapshot> {
        let mut later = Later::default();
        for from in &image.resources {
            if self.resource_key(from.name.as_str()).is_some() {
                return Err(BadSnapshot::Twice);
            }
            let of_two_kinds = from.lock.is_some() && !from.tickets.is_empty();
            let stands = from.lock.is_some() || !from.tickets.is_empty() || !from.waits.is_empty();
            if of_two_kinds || stands != (from.known && from.emptied.is_none()) {
                return Err(BadSnapshot::Contradiction);
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
                    return Err(BadSnapshot::Twice);
                }
                self.restore_ticket(ticket, key, claim, &mut later)?;
            }
        }
        self.restore_orders(later)
    }

    fn restored(&self, id: SessionId) -> Result<SessionKey, BadSnapshot> {
        self.tables.session_ids.get(&id).ok_or(BadSnapshot::UnknownSession(id))
    }

    /// A condemned session has nothing but holds.
    fn restored_living(&self, id: SessionId) -> Result<SessionKey, BadSnapshot> {
        let key = self.restored(id)?;
        let is_condemned = self.tables.sessions[key as usize].condemned;
        if is_condemned { Err(BadSnapshot::Contradiction) } else { Ok(key) }
    }

    fn restore_ticket(
        &mut self,
        from: &TicketSnapshot,
        resource: u32,
        claim: Option<(SessionKey, Fence)>,
        later: &mut Later,
    ) -> Result<(), BadSnapshot> {
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
    fn restore_orders(&mut self, mut later: Later) -> Result<(), BadSnapshot> {
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
            return Err(BadSnapshot::Twice);
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
