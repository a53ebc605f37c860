//! A machine made of a snapshot's plain values. What stands in ordered lists is entered in order,
//! whatever keys the rows had before.

use std::num::NonZeroU64;

use super::types::{
    BadSnapshot, ResourceSnapshot, SessionSnapshot, Snapshot, TicketSnapshot, WaitSnapshot,
    WatchSnapshot,
};
use crate::machine::command::Kind;
use crate::machine::list::Link;
use crate::machine::names::{Fence, SessionId};
use crate::machine::rows::{Held, Hold, ResourceKey, SessionKey, Ticket, TicketKey, Wait, Watch};
use crate::machine::tables::Machine;

/// What must be entered in an order that runs across resources.
#[derive(Default)]
struct Later<'a> {
    tickets: Vec<(TicketKey, &'a TicketSnapshot)>,
    holds: Vec<(Fence, ResourceKey, Held, SessionKey)>,
    emptied: Vec<(u64, ResourceKey)>,
    waits: Vec<(&'a WaitSnapshot, ResourceKey, SessionKey)>,
    watches: Vec<(&'a WatchSnapshot, ResourceKey, SessionKey)>,
}

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
        machine.nodes = image.nodes.iter().copied().collect();
        for session in &image.sessions {
            machine.restore_session(session)?;
        }
        let mut later = Later::default();
        for resource in &image.resources {
            machine.restore_resource(resource, &mut later)?;
        }
        machine.restore_emptied(later.emptied);
        machine.restore_orders_of_tickets(&later.tickets);
        machine.restore_holds(later.holds)?;
        machine.restore_waits(later.waits)?;
        machine.restore_watches(later.watches)?;
        assert!(machine.touched.is_empty(), "a restored resource is to be reported");
        assert!(machine.freed.is_empty(), "a restored ticket is to be offered");
        Ok(machine)
    }

    fn restore_session(&mut self, from: &SessionSnapshot) -> Result<(), BadSnapshot> {
        let SessionSnapshot { info, owner, condemned } = from;
        if self.tables.find_session(&info.id).is_some() {
            return Err(BadSnapshot::Twice);
        }
        self.open(info.id, info.name.clone(), info.ttl, info.source.clone());
        if let Some(owner) = owner {
            let adopted = self.adopt(info.id, owner);
            assert!(adopted.is_ok(), "a session that was just restored has an owner");
        }
        let key = self.restored(info.id)?;
        self.tables.sessions[key].condemned = *condemned;
        self.tables.condemned += usize::from(*condemned);
        Ok(())
    }

    fn restored(&self, id: SessionId) -> Result<SessionKey, BadSnapshot> {
        self.tables.find_session(&id).ok_or(BadSnapshot::UnknownSession(id))
    }

    /// A condemned session has nothing but holds.
    fn restored_living(&self, id: SessionId) -> Result<SessionKey, BadSnapshot> {
        let key = self.restored(id)?;
        let is_condemned = self.tables.sessions[key].condemned;
        if is_condemned { Err(BadSnapshot::Contradiction) } else { Ok(key) }
    }

    fn restore_resource<'a>(
        &mut self,
        from: &'a ResourceSnapshot,
        later: &mut Later<'a>,
    ) -> Result<(), BadSnapshot> {
        if self.resource_key(from.name.as_str()).is_some() {
            return Err(BadSnapshot::Twice);
        }
        if !is_possible(from) {
            return Err(BadSnapshot::Contradiction);
        }
        let key = self.resource_entry(&from.name);
        let resource = &mut self.tables.resources[key];
        resource.known = from.known;
        resource.last = from.last;
        resource.kind = stands(from).then_some(from.last);
        resource.emptied = from.emptied.and_then(NonZeroU64::new);
        self.tables.known += usize::from(from.known);
        later.emptied.extend(from.emptied.map(|number| (number, key)));
        if let Some((holder, fence)) = from.lock {
            later.holds.push((fence, key, Held::Lock, self.restored(holder)?));
        }
        for ticket in &from.tickets {
            self.restore_ticket(ticket, key, later)?;
        }
        for wait in &from.waits {
            later.waits.push((wait, key, self.restored_living(wait.session)?));
        }
        for watch in &from.watches {
            later.watches.push((watch, key, self.restored_living(watch.session)?));
        }
        Ok(())
    }

    fn restore_ticket<'a>(
        &mut self,
        from: &'a TicketSnapshot,
        resource: ResourceKey,
        later: &mut Later<'a>,
    ) -> Result<(), BadSnapshot> {
        if self.tables.find_ticket(resource, from.name.as_str()).is_some() {
            return Err(BadSnapshot::Twice);
        }
        let ticket = Ticket {
            name: from.name.clone(),
            data: from.data.clone(),
            resource,
            issuer: self.restored_living(from.issuer)?,
            hold: None,
            notify: from.notify,
            place: from.place,
            issued: from.issued,
            in_all: Link::default(),
            in_free: Link::default(),
            in_issued: Link::default(),
        };
        let key = self.change(resource, |machine| machine.tie_ticket(ticket));
        later.tickets.push((key, from));
        if let Some((holder, fence)) = from.claim {
            later.holds.push((fence, resource, Held::Ticket(key), self.restored(holder)?));
        }
        Ok(())
    }

    /// Tickets of all resources are listed with their issuers, and the free ones in their order.
    fn restore_orders_of_tickets(&mut self, tickets: &[(TicketKey, &TicketSnapshot)]) {
        let mut issued: Vec<_> = tickets.iter().map(|&(key, from)| (from.issued, key)).collect();
        issued.sort_unstable();
        for (_, key) in issued {
            self.list_with_issuer(key);
        }
        let free = tickets.iter().filter(|(_, from)| from.claim.is_none());
        let mut free: Vec<_> = free.map(|&(key, from)| (from.place, key)).collect();
        free.sort_unstable();
        let tables = &mut self.tables;
        for (_, key) in free {
            let resource = tables.tickets[key].resource;
            let list = &mut tables.resources[resource].free;
            list.push(&mut tables.tickets, key, |t| &mut t.in_free);
        }
    }

    fn restore_holds(
        &mut self,
        mut holds: Vec<(Fence, ResourceKey, Held, SessionKey)>,
    ) -> Result<(), BadSnapshot> {
        holds.sort_unstable_by_key(|&(fence, ..)| fence);
        if holds.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(BadSnapshot::Twice);
        }
        if holds.last().is_some_and(|&(fence, ..)| fence.0 >= self.next_fence) {
            return Err(BadSnapshot::Contradiction);
        }
        for (fence, resource, what, session) in holds {
            let (in_session, in_resource) = (Link::default(), Link::default());
            let hold = Hold { session, resource, what, fence, in_session, in_resource };
            self.change(resource, |machine| machine.tie_hold(hold));
        }
        Ok(())
    }

    fn restore_emptied(&mut self, mut emptied: Vec<(u64, ResourceKey)>) {
        emptied.sort_unstable();
        let tables = &mut self.tables;
        for (_, key) in emptied {
            tables.emptied.push(&mut tables.resources, key, |r| &mut r.in_emptied);
        }
    }

    fn restore_waits(
        &mut self,
        mut waits: Vec<(&WaitSnapshot, ResourceKey, SessionKey)>,
    ) -> Result<(), BadSnapshot> {
        waits.sort_unstable_by_key(|(wait, ..)| wait.id);
        if waits.windows(2).any(|pair| pair[0].0.id == pair[1].0.id) {
            return Err(BadSnapshot::Twice);
        }
        for (from, resource, session) in waits {
            let place = self.tables.find_place(session, resource, from.ticket.as_ref());
            if from.merges && place.is_some() {
                return Err(BadSnapshot::Twice);
            }
            let wait = Wait {
                id: from.id,
                session,
                resource,
                ticket: from.ticket.clone(),
                socket: from.socket,
                requests: from.requests.clone(),
                merges: from.merges,
                in_queue: Link::default(),
                in_session: Link::default(),
            };
            let kind = self.tables.resources[resource].last;
            self.change(resource, |machine| machine.enter_queue(wait, kind));
        }
        Ok(())
    }

    fn restore_watches(
        &mut self,
        mut watches: Vec<(&WatchSnapshot, ResourceKey, SessionKey)>,
    ) -> Result<(), BadSnapshot> {
        watches.sort_unstable_by_key(|(watch, ..)| watch.number);
        for (from, resource, session) in watches {
            if self.tables.find_watch(session, resource).is_some() {
                return Err(BadSnapshot::Twice);
            }
            let (changes, number) = (from.changes, from.number);
            let (in_session, in_resource) = (Link::default(), Link::default());
            self.place_watch(Watch { session, resource, changes, number, in_session, in_resource });
        }
        Ok(())
    }
}

/// Whether anything stands in a resource.
fn stands(from: &ResourceSnapshot) -> bool {
    from.lock.is_some() || !from.tickets.is_empty() || !from.waits.is_empty()
}

/// Whether what stands in a resource is of its kind, and it is known or emptied as it must be.
fn is_possible(from: &ResourceSnapshot) -> bool {
    let is_of_kind = match from.last {
        Kind::Lock => {
            let is_waited_for = from.waits.iter().all(|wait| wait.ticket.is_none());
            let is_held = from.lock.is_some() || from.waits.is_empty();
            from.tickets.is_empty() && is_waited_for && is_held
        }
        Kind::Tickets => from.lock.is_none(),
    };
    let is_numbered = from.emptied != Some(0);
    is_of_kind && is_numbered && stands(from) == (from.known && from.emptied.is_none())
}
