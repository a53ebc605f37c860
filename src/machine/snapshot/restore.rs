//! A machine made of a snapshot's plain values. What stands in ordered lists is entered in order,
//! whatever keys the rows had before.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use super::possible::is_possible;
use super::types::{
    BadSnapshot, HoldSnapshot, PauseSnapshot, ResourceSnapshot, SessionSnapshot, Snapshot,
    SnapshotParty, TicketSnapshot, WaitSnapshot, WatchSnapshot,
};
use crate::machine::extras::{Delay, HoldExtra, Pause, TicketExtra};
use crate::machine::list::Link;
use crate::machine::names::{SessionId, SessionName, WaitId};
use crate::machine::rows::{
    Group, GroupKey, Held, Hold, NOBODY, ResourceKey, SessionKey, Ticket, TicketKey,
    TicketStanding, Wait, Watch,
};
use crate::machine::tables::Machine;
use crate::machine::tally::Since;

/// What must be entered in an order that runs across resources.
#[derive(Default)]
struct Later<'a> {
    tickets: Vec<(TicketKey, &'a TicketSnapshot)>,
    holds: Vec<(&'a HoldSnapshot, ResourceKey, Held)>,
    emptied: Vec<(u64, ResourceKey)>,
    waits: Vec<(&'a WaitSnapshot, ResourceKey, SessionKey)>,
    watches: Vec<(&'a WatchSnapshot, ResourceKey, SessionKey)>,
    pauses: Vec<(ResourceKey, Pause)>,
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
        machine.clock_ms = image.clock_ms;
        machine.nodes = image.nodes.iter().copied().collect();
        for session in &image.sessions {
            machine.restore_session(session)?;
        }
        let mut later = Later::default();
        for resource in &image.resources {
            machine.restore_resource(resource, &mut later)?;
        }
        machine.restore_emptied(later.emptied);
        machine.restore_holds(later.holds)?;
        machine.restore_orders_of_tickets(&later.tickets)?;
        machine.restore_waits(later.waits)?;
        machine.restore_watches(later.watches)?;
        for (resource, pause) in later.pauses {
            machine.tables.resources[resource].extra_mut().pause = pause;
            machine.tables.paused += usize::from(pause == Pause::Paused);
        }
        assert!(machine.touched.is_empty(), "a restored resource is to be reported");
        assert!(machine.freed.is_empty(), "a restored ticket is to be offered");
        Ok(machine)
    }

    fn restore_session(&mut self, from: &SessionSnapshot) -> Result<(), BadSnapshot> {
        let SessionSnapshot { info, owner, condemned, conduct } = from;
        if self.tables.find_session(&info.id).is_some() {
            return Err(BadSnapshot::Twice);
        }
        self.open(info.id, info.name.clone(), info.ttl, info.source.clone(), *conduct);
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
        resource.last = from.last;
        if from.known {
            self.become_known(key);
        }
        let resource = &mut self.tables.resources[key];
        resource.emptied = from.emptied.and_then(NonZeroU64::new);
        later.emptied.extend(from.emptied.map(|number| (number, key)));
        match from.pause {
            PauseSnapshot::None => {}
            PauseSnapshot::Paused => later.pauses.push((key, Pause::Paused)),
            PauseSnapshot::Serving => later.pauses.push((key, Pause::Serving)),
        }
        let holds = from.locks.iter().map(|hold| (hold, key, Held::Lock(hold.mode)));
        later.holds.extend(holds);
        let numbers = numbers_of(&from.tickets)?;
        for (ticket, number) in from.tickets.iter().zip(numbers) {
            self.restore_ticket(ticket, number, key, later)?;
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
        number: u64,
        resource: ResourceKey,
        later: &mut Later<'a>,
    ) -> Result<(), BadSnapshot> {
        if self.tables.find_ticket(resource, from.name.as_str()).is_some() {
            return Err(BadSnapshot::Twice);
        }
        let (issuer, issued_by): (SessionKey, Option<SessionName>) = match &from.issuer {
            SnapshotParty::Here(id) => (self.restored_living(*id)?, None),
            SnapshotParty::Gone(name) => (NOBODY, Some(name.clone())),
        };
        let terms = &from.terms;
        let extra = TicketExtra {
            issued_by,
            attempts: terms.attempts,
            hold_ms: terms.hold_ms,
            note: from.note.clone(),
            delay: None,
        };
        let ticket = Ticket {
            name: from.name.clone(),
            data: from.data.clone(),
            resource,
            issuer,
            standing: TicketStanding::Free,
            notify: from.notify,
            stays: terms.stay,
            priority: terms.priority,
            attempts: from.attempts,
            place: from.place,
            issued: from.issued,
            number,
            extra: extra.is_something().then(|| Box::new(extra)),
            in_all: Link::default(),
            in_free: Link::default(),
            in_issued: Link::default(),
        };
        let key = self.change(resource, |machine| machine.tie_ticket(ticket));
        later.tickets.push((key, from));
        later.holds.extend(from.claim.iter().map(|hold| (hold, resource, Held::Ticket(key))));
        Ok(())
    }

    /// Tickets of all resources are listed with their issuers, and those that nobody holds in their
    /// order.
    fn restore_orders_of_tickets(
        &mut self,
        tickets: &[(TicketKey, &TicketSnapshot)],
    ) -> Result<(), BadSnapshot> {
        let mut issued: Vec<_> = tickets.iter().map(|&(key, from)| (from.issued, key)).collect();
        issued.sort_unstable();
        for (_, key) in issued {
            if let Some(issuer) = self.tables.tickets[key].issuer() {
                self.list_with_issuer(key, issuer);
            }
        }
        let others = tickets.iter().filter(|(_, from)| from.claim.is_none());
        let mut others: Vec<_> = others.map(|&(key, from)| (from.place, key, from)).collect();
        others.sort_unstable_by_key(|&(place, key, _)| (place, key));
        for (_, key, from) in others {
            let resource = self.tables.tickets[key].resource;
            let delay = from.delay.map(|delay| Delay {
                id: delay.delay,
                ms: delay.delay_ms,
                until_ms: delay.until_ms,
            });
            if delay.is_some_and(|delay| self.tables.delayed.contains_key(&delay.id)) {
                return Err(BadSnapshot::Twice);
            }
            self.change(resource, |machine| match delay {
                Some(delay) => machine.tie_delay(key, delay),
                None if from.dead => machine.list_dead(key),
                None => machine.list_free(key),
            });
        }
        Ok(())
    }

    fn restore_holds(
        &mut self,
        mut holds: Vec<(&HoldSnapshot, ResourceKey, Held)>,
    ) -> Result<(), BadSnapshot> {
        holds.sort_unstable_by_key(|(hold, ..)| hold.fence);
        if holds.windows(2).any(|pair| pair[0].0.fence == pair[1].0.fence) {
            return Err(BadSnapshot::Twice);
        }
        if holds.last().is_some_and(|(hold, ..)| hold.fence.0 >= self.next_fence) {
            return Err(BadSnapshot::Contradiction);
        }
        for (from, resource, what) in holds {
            let (session, lost_by) = match &from.holder {
                SnapshotParty::Here(id) => (self.restored(*id)?, None),
                SnapshotParty::Gone(name) => (NOBODY, Some(name.clone())),
            };
            let is_twice = matches!(what, Held::Lock(_))
                && session != NOBODY
                && self.first_by_resource(session, resource).is_some();
            if is_twice || (lost_by.is_some() && from.hold_ms.is_none()) {
                return Err(BadSnapshot::Contradiction);
            }
            let (data, hold_ms) = (from.data.clone(), from.hold_ms);
            let is_plain = data.is_none() && hold_ms.is_none() && lost_by.is_none();
            let extra = (!is_plain).then(|| Box::new(HoldExtra { data, hold_ms, lost_by }));
            let (in_session, in_resource) = (Link::default(), Link::default());
            let (fence, since) = (from.fence, Since::at(from.since_ms));
            self.change(resource, |machine| {
                machine.tie_hold(Hold {
                    session,
                    resource,
                    what,
                    fence,
                    since,
                    extra,
                    in_session,
                    in_resource,
                })
            });
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
        waits.sort_unstable_by_key(|(wait, ..)| (wait.id, wait.of_several));
        let is_same = |pair: &[(&WaitSnapshot, ResourceKey, SessionKey)]| {
            let ((a, at_a, _), (b, at_b, _)) = (pair[0], pair[1]);
            let is_next = a.of_several.is_some() && a.of_several < b.of_several && at_a != at_b;
            a.id == b.id && !(is_next && a.session == b.session)
        };
        if waits.windows(2).any(is_same) {
            return Err(BadSnapshot::Twice);
        }
        let mut groups: BTreeMap<WaitId, GroupKey> = BTreeMap::new();
        for (from, resource, session) in waits {
            let place = self.tables.find_place(session, resource, from.ticket.as_ref());
            if from.merges && place.is_some() {
                return Err(BadSnapshot::Twice);
            }
            let group = match from.of_several {
                None => None,
                Some(nth) => Some((self.restored_group(from.id, nth, resource, &mut groups)?, nth)),
            };
            let wait = Wait {
                id: from.id,
                session,
                resource,
                ticket: from.ticket.clone(),
                socket: from.socket,
                requests: from.requests.clone(),
                merges: from.merges,
                mode: from.mode,
                data: from.data.clone(),
                hold_ms: from.hold_ms,
                since: Since::at(from.since_ms),
                group,
                in_queue: Link::default(),
                in_session: Link::default(),
            };
            let kind = self.tables.resources[resource].last;
            self.change(resource, |machine| machine.enter_queue(wait, kind));
        }
        Ok(())
    }

    /// The group of a place, to which its resource is added. Places come in order.
    fn restored_group(
        &mut self,
        id: WaitId,
        nth: u8,
        resource: ResourceKey,
        groups: &mut BTreeMap<WaitId, GroupKey>,
    ) -> Result<GroupKey, BadSnapshot> {
        let rows = &mut self.tables.groups;
        let empty = || Group { places: Vec::new(), resources: Arc::from([]) };
        let group = *groups.entry(id).or_insert_with(|| rows.insert(empty()));
        let row = &mut self.tables.groups[group];
        if row.resources.len() != usize::from(nth) {
            return Err(BadSnapshot::Contradiction);
        }
        let name = self.tables.resources[resource].name.clone();
        row.resources = row.resources.iter().cloned().chain([name]).collect();
        Ok(group)
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

/// The numbers of a resource's tickets, which are in order of their age. Older images have none:
/// such a ticket was there before it was issued last, and before the next.
fn numbers_of(tickets: &[TicketSnapshot]) -> Result<Vec<u64>, BadSnapshot> {
    let mut numbers: Vec<u64> = Vec::with_capacity(tickets.len());
    let mut next = u64::MAX;
    for ticket in tickets.iter().rev() {
        let number = if ticket.number > 0 { ticket.number } else { ticket.issued.min(next - 1) };
        if number == 0 || number >= next {
            return Err(BadSnapshot::Contradiction);
        }
        numbers.push(number);
        next = number;
    }
    numbers.reverse();
    Ok(numbers)
}
