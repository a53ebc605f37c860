//! The one queue of a resource: who stands in it, where, and who is next when something is free.

use super::arena::Arena;
use super::command::{Grant, Kind};
use super::event::Event;
use super::extras::HoldExtra;
use super::locks::known;
use super::names::{Name, WAITERS_MAX, WaitId};
use super::rows::{Held, Queue, ResourceKey, TicketKey, TicketStanding, Wait, WaitKey};
use super::tables::Machine;
use super::tally::GrantHow;

impl Machine {
    /// Grants as long as the first wait that fits is next. To be called in every change that frees
    /// something or takes a wait out of the queue.
    pub(super) fn admit(&mut self, resource: ResourceKey, out: &mut Vec<Event>) {
        while let Some((wait, what)) = self.next_grant(resource) {
            self.grant_wait(wait, what, out);
        }
    }

    /// A wait is granted, and leaves its queue, or all in which it stands.
    pub(super) fn grant_wait(&mut self, wait: WaitKey, what: Held, out: &mut Vec<Event>) {
        let row = &mut self.tables.waits[wait];
        let (session, resource, since) = (row.session, row.resource, row.since);
        let (data, hold_ms) = (row.data.take(), row.hold_ms);
        let extra: Option<Box<HoldExtra>> = match what {
            Held::Lock(_) => known(data),
            Held::Ticket(ticket) => self.lasting(ticket, hold_ms),
        };
        let places = self.places(wait);
        self.count_wait(what, since);
        let hold = self.begin_hold(session, resource, what, extra, GrantHow::Waited);
        for place in places.into_iter().filter(|&place| place != wait) {
            let resource = self.tables.waits[place].resource;
            self.change(resource, |machine| machine.leave_queue(place));
        }
        let ended = self.leave_queue(wait);
        self.answer_wait(ended, &self.grant(hold), out);
        self.tell_of_claim(hold, out);
    }

    /// What is granted next, and to which wait. Tickets that became free and suit nobody are put
    /// among the free on the way.
    fn next_grant(&mut self, key: ResourceKey) -> Option<(WaitKey, Held)> {
        if self.tables.resources[key].kind == Some(Kind::Lock) {
            let wait = self.next_for_lock(key)?;
            return Some((wait, Held::Lock(self.tables.waits[wait].mode)));
        }
        let is_open = self.tables.resources[key].is_open();
        while let Some(ticket) = self.freed.pop_front() {
            assert!(self.tables.tickets[ticket].resource == key, "offered elsewhere");
            if is_open && let Some(wait) = self.first_for_ticket(ticket) {
                return Some((wait, Held::Ticket(ticket)));
            }
            self.enter_free(ticket);
        }
        None
    }

    /// The first wait for a lock, if the lock fits it.
    pub(super) fn next_for_lock(&self, key: ResourceKey) -> Option<WaitKey> {
        let resource = &self.tables.resources[key];
        if resource.kind != Some(Kind::Lock) || !resource.is_open() {
            return None;
        }
        let first = resource.queue.as_ref()?.any.first()?;
        self.fits(key, self.tables.waits[first].mode).then_some(first)
    }

    /// The earliest wait that accepts a ticket.
    pub(super) fn first_for_ticket(&self, ticket: TicketKey) -> Option<WaitKey> {
        let ticket = &self.tables.tickets[ticket];
        assert!(ticket.standing == TicketStanding::Free, "a held ticket is offered");
        let queue = self.tables.resources[ticket.resource].queue.as_ref()?;
        let any = queue.any.first();
        let named = queue.named.get(&ticket.name).and_then(|list| list.first());
        let id = |key: WaitKey| self.tables.waits[key].id;
        match (any, named) {
            (Some(any), Some(named)) => Some(if id(any) < id(named) { any } else { named }),
            (any, named) => any.or(named),
        }
    }

    /// Ties a wait into the tables. Its id must be the greatest of its queue.
    pub(super) fn enter_queue(&mut self, wait: Wait, kind: Kind) -> WaitKey {
        let (id, session, resource) = (wait.id, wait.session, wait.resource);
        let (ticket, merges, leads) = (wait.ticket.clone(), wait.merges, wait.leads());
        let group = wait.group;
        assert!(kind == Kind::Tickets || ticket.is_none(), "a wait for a lock names a ticket");
        self.stand(resource, kind);
        let tables = &mut self.tables;
        let key = tables.waits.insert(wait);
        if leads {
            tables.wait_ids.insert(id, key);
        }
        if let Some((group, _)) = group {
            tables.groups[group].places.push(key);
        }
        if merges {
            tables.merging.insert((session, resource, ticket.as_ref()), key);
        }
        let queue = tables.resources[resource].queue.get_or_insert_default();
        assert!(queue.ranks.len() < WAITERS_MAX, "more wait than may");
        queue.ranks.push(id.0);
        let list = match ticket {
            None => &mut queue.any,
            Some(ticket) => queue.named.entry(ticket).or_default(),
        };
        list.push(&mut tables.waits, key, |w| &mut w.in_queue);
        let list = &mut tables.sessions[session].waits;
        list.push(&mut tables.waits, key, |w| &mut w.in_session);
        key
    }

    /// Takes a wait out of all tables.
    pub(super) fn leave_queue(&mut self, key: WaitKey) -> Wait {
        let tables = &mut self.tables;
        let wait = &tables.waits[key];
        let (id, session, resource) = (wait.id, wait.session, wait.resource);
        let (ticket, merges, leads) = (wait.ticket.clone(), wait.merges, wait.leads());
        let group = wait.group;
        let list = &mut tables.sessions[session].waits;
        list.remove(&mut tables.waits, key, |w| &mut w.in_session);
        let entry = &mut tables.resources[resource];
        assert!(entry.changing, "a wait leaves outside of a change");
        let Some(queue) = &mut entry.queue else { panic!("a wait is in no queue") };
        leave_list(queue, &mut tables.waits, key, ticket.as_ref());
        queue.ranks.remove(id.0);
        if queue.ranks.len() == 0 {
            assert!(queue.any.is_empty() && queue.named.is_empty(), "a wait was not counted");
            entry.queue = None;
        }
        if leads {
            tables.wait_ids.remove(id, key);
        }
        if let Some((group, _)) = group {
            let places = &mut tables.groups[group].places;
            places.retain(|&place| place != key);
            if places.is_empty() {
                tables.groups.remove(group);
            }
        }
        if merges {
            tables.merging.remove((session, resource, ticket.as_ref()), key);
        }
        tables.waits.remove(key)
    }

    /// Waits leave together, and nothing is granted before the last has left. Then the queues are
    /// looked at, in order of their resources' names.
    pub(super) fn leave_together(
        &mut self,
        waits: &[WaitKey],
        out: &mut Vec<Event>,
        tell: impl Fn(Wait, &mut Vec<Event>),
    ) {
        let mut left = Vec::with_capacity(waits.len());
        for &key in waits {
            let resource = self.tables.waits[key].resource;
            let ended = self.change(resource, |machine| machine.leave_queue(key));
            tell(ended, out);
            left.push(resource);
        }
        left.retain(|&resource| self.next_for_lock(resource).is_some());
        let name = |key: ResourceKey| &self.tables.resources[key].name;
        left.sort_unstable_by(|&a, &b| name(a).cmp(name(b)));
        left.dedup();
        assert!(self.freed.is_empty(), "a ticket became free because a wait left");
        for resource in left {
            self.change(resource, |machine| machine.admit(resource, out));
        }
    }

    /// Tells all who wait at a place that it was granted.
    fn answer_wait(&self, ended: Wait, grant: &Grant, out: &mut Vec<Event>) {
        assert!(!ended.is_deserted(), "a wait was granted that nobody waits in");
        if ended.socket.is_some() {
            let to = self.info(ended.session).id;
            out.push(Event::Granted { to, wait: ended.id, grant: grant.clone() });
        }
        let requests = ended.requests.into_iter();
        out.extend(requests.map(|request| Event::Answered { request, grant: grant.clone() }));
    }

    /// Where a wait stands in its queue, counted from 1.
    pub(super) fn position(&self, resource: ResourceKey, wait: WaitId) -> u32 {
        let queue = &self.tables.resources[resource].queue;
        let position = queue.as_ref().map_or(0, |queue| queue.ranks.rank(wait.0));
        assert!(position > 0, "a wait stands in no queue");
        position
    }
}

fn leave_list(queue: &mut Queue, waits: &mut Arena<Wait>, key: WaitKey, ticket: Option<&Name>) {
    let Some(ticket) = ticket else {
        return queue.any.remove(waits, key, |w| &mut w.in_queue);
    };
    let Some(list) = queue.named.get_mut(ticket) else { panic!("a wait is in no list") };
    list.remove(waits, key, |w| &mut w.in_queue);
    if list.is_empty() {
        queue.named.remove(ticket);
    }
}
