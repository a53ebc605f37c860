//! The one queue of a resource: who stands in it, where, and who is next when something is free.

use super::arena::Arena;
use super::command::{Grant, Kind};
use super::event::Event;
use super::names::{Name, WAITERS_MAX, WaitId};
use super::rows::{Held, Queue, ResourceKey, TicketKey, Wait, WaitKey};
use super::tables::Machine;

impl Machine {
    /// Grants as long as the first wait that fits is next. To be called in every change that frees
    /// something or takes a wait out of the queue.
    pub(super) fn admit(&mut self, resource: ResourceKey, out: &mut Vec<Event>) {
        while let Some((wait, what)) = self.next_grant(resource) {
            let session = self.tables.waits[wait].session;
            let hold = self.begin_hold(session, resource, what);
            let ended = self.leave_queue(wait);
            self.answer_wait(ended, &self.grant(hold), out);
            self.tell_issuer_of_claim(hold, out);
        }
    }

    /// What is granted next, and to which wait. Tickets that became free and suit nobody are put
    /// among the free on the way.
    fn next_grant(&mut self, key: ResourceKey) -> Option<(WaitKey, Held)> {
        if self.tables.resources[key].kind == Some(Kind::Lock) {
            return self.next_for_lock(key).map(|wait| (wait, Held::Lock));
        }
        while let Some(ticket) = self.freed.pop_front() {
            assert!(self.tables.tickets[ticket].resource == key, "offered elsewhere");
            if let Some(wait) = self.first_for_ticket(ticket) {
                return Some((wait, Held::Ticket(ticket)));
            }
            self.enter_free(ticket);
        }
        None
    }

    /// The first wait for a lock, if the lock fits it.
    pub(super) fn next_for_lock(&self, key: ResourceKey) -> Option<WaitKey> {
        let resource = &self.tables.resources[key];
        let fits = resource.kind == Some(Kind::Lock) && resource.holds.is_empty();
        if fits { resource.queue.as_ref()?.any.first() } else { None }
    }

    /// The earliest wait that accepts a ticket.
    pub(super) fn first_for_ticket(&self, ticket: TicketKey) -> Option<WaitKey> {
        let ticket = &self.tables.tickets[ticket];
        assert!(ticket.hold.is_none(), "a held ticket is offered");
        let queue = self.tables.resources[ticket.resource].queue.as_ref()?;
        let any = queue.any.first();
        let named = queue.named.get(&ticket.name).and_then(|list| list.first());
        let id = |key: WaitKey| self.tables.waits[key].id;
        match (any, named) {
            (Some(any), Some(named)) => Some(if id(any) < id(named) { any } else { named }),
            (any, named) => any.or(named),
        }
    }

    /// A ticket that nobody holds goes behind the free ones.
    fn enter_free(&mut self, key: TicketKey) {
        let place = self.serial();
        let tables = &mut self.tables;
        let ticket = &mut tables.tickets[key];
        assert!(ticket.hold.is_none(), "a held ticket became free");
        ticket.place = place;
        let resource = &mut tables.resources[ticket.resource];
        assert!(resource.changing, "a ticket becomes free outside of a change");
        resource.free.push(&mut tables.tickets, key, |t| &mut t.in_free);
        if let Some(at) = resource.touched {
            self.touched[at as usize].freed = true;
        }
    }

    /// A ticket is no longer among the free: it is granted, or it vanishes.
    pub(super) fn leave_free(&mut self, key: TicketKey) {
        let tables = &mut self.tables;
        let ticket = &tables.tickets[key];
        assert!(ticket.hold.is_none(), "a held ticket was among the free");
        let resource = &mut tables.resources[ticket.resource];
        assert!(resource.changing, "a free ticket goes outside of a change");
        resource.free.remove(&mut tables.tickets, key, |t| &mut t.in_free);
    }

    /// Ties a wait into the tables. Its id must be the greatest of its queue.
    pub(super) fn enter_queue(&mut self, wait: Wait, kind: Kind) -> WaitKey {
        let (id, session, resource) = (wait.id, wait.session, wait.resource);
        let (ticket, merges) = (wait.ticket.clone(), wait.merges);
        assert!(kind == Kind::Tickets || ticket.is_none(), "a wait for a lock names a ticket");
        self.stand(resource, kind);
        let tables = &mut self.tables;
        let key = tables.waits.insert(wait);
        tables.wait_ids.insert(id, key);
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
        let (ticket, merges) = (wait.ticket.clone(), wait.merges);
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
        tables.wait_ids.remove(id, key);
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
