//! Every relation that is kept twice, checked both ways. Tests call this after each command.

use super::command::{Kind, Mode};
use super::names::{HOLDERS_MAX, NUMBER_END};
use super::rows::{Held, Hold, Queue, Resource, ResourceKey, Session, TicketStanding};
use super::tables::Machine;

impl Machine {
    /// Walks all tables both ways.
    ///
    /// # Panics
    /// When they disagree.
    pub fn check(&self) {
        self.check_sessions();
        self.check_accounts();
        assert_eq!(self.tables.resources.len(), self.tables.resource_names.len());
        for (key, resource) in self.tables.resources.iter() {
            self.check_resource(key, resource);
            self.check_contents(key, resource);
            if let Some(extra) = &resource.extra {
                self.check_free(key, extra);
            }
            if let Some(queue) = &resource.queue {
                self.check_queue(resource, queue);
            }
        }
        self.check_holds();
        self.check_tickets();
        self.check_waits();
        self.check_groups();
        self.check_watches();
        self.check_emptied();
        assert!(self.touched.is_empty(), "changes were left unreported");
        assert!(self.freed.is_empty(), "tickets were left to be offered");
        assert!(self.next_fence <= NUMBER_END && self.next_wait <= NUMBER_END);
    }

    fn check_sessions(&self) {
        let tables = &self.tables;
        assert_eq!(tables.sessions.len(), tables.session_ids.len());
        let (mut held, mut issued, mut waits, mut watches) = (0, 0, 0, 0);
        let mut condemned = 0;
        for (key, session) in tables.sessions.iter() {
            assert_eq!(tables.find_session(&session.info.id), Some(key));
            assert!(!session.ending, "a session was left ending");
            if session.condemned {
                condemned += 1;
                assert!(session.waits.is_empty() && session.watches.is_empty());
                assert!(session.issued.is_empty(), "a condemned session issues");
            }
            self.check_holds_of(key, session);
            held += session.holds();
            let mut last = 0;
            for ticket in session.issued.keys(&tables.tickets, |t| &t.in_issued) {
                let ticket = &tables.tickets[ticket];
                assert!(ticket.issuer == key && ticket.issued > last);
                last = ticket.issued;
                issued += 1;
            }
            let mut last = 0;
            for wait in session.waits.keys(&tables.waits, |w| &w.in_session) {
                let wait = &tables.waits[wait];
                assert!(wait.session == key && wait.id.0 >= last);
                last = wait.id.0;
                waits += 1;
            }
            watches += session.watches.keys(&tables.watches, |w| &w.in_session).count();
        }
        assert_eq!(condemned, tables.condemned);
        let counts = self.counts();
        assert_eq!(held + tables.lost.len(), counts.locks + counts.claims);
        let orphans = tables.tickets.iter().filter(|(_, ticket)| ticket.issuer().is_none());
        assert_eq!(issued + orphans.count(), counts.tickets);
        assert_eq!((waits, watches), (counts.waits, counts.watches));
    }

    /// A session's holds, in both lists and by resource.
    fn check_holds_of(&self, key: u32, session: &Session) {
        let mut listed = 0;
        for (list, kind) in [(session.locks, Kind::Lock), (session.claims, Kind::Tickets)] {
            let mut last = 0;
            for hold in list.keys(&self.tables.holds, |h| &h.in_session) {
                let hold = &self.tables.holds[hold];
                assert!(hold.session == key && hold.what.kind() == kind);
                assert!(hold.fence.0 > last, "a session's holds are out of order");
                last = hold.fence.0;
                listed += 1;
            }
        }
        assert_eq!(listed, session.holds());
        let locks = session.locks.keys(&self.tables.holds, |h| &h.in_session);
        let shared = |&hold: &u32| self.tables.holds[hold].what == Held::Lock(Mode::Shared);
        let shared = locks.filter(shared).count();
        assert_eq!(session.by_resource.len(), session.claims.len() + shared);
        for (&(resource, fence), &hold) in &session.by_resource {
            let hold = &self.tables.holds[hold];
            assert_eq!((hold.resource, hold.fence), (resource, fence));
            assert!(hold.session == key && hold.what != Held::Lock(Mode::Exclusive));
        }
    }

    fn check_holds(&self) {
        let counts = self.counts();
        assert_eq!(self.tables.holds.len(), counts.locks + counts.claims);
        let listed: usize = self.tables.resources.iter().map(|(_, r)| r.holds.len()).sum();
        assert_eq!(listed, self.tables.holds.len());
        for (key, hold) in self.tables.holds.iter() {
            assert!(hold.fence.0 < self.next_fence);
            self.check_hold(key, hold);
        }
        assert!(self.tables.timed.values().all(|&hold| self.tables.holds.get(hold).is_some()));
        assert!(self.tables.lost.values().all(|&hold| self.tables.holds.get(hold).is_some()));
    }

    fn check_hold(&self, key: u32, hold: &Hold) {
        let is_timed = self.tables.timed.get(&hold.fence) == Some(&key);
        let is_lost = self.tables.lost.get(&hold.fence) == Some(&key);
        assert_eq!(is_lost, hold.holder().is_none());
        assert_eq!(is_timed, hold.hold_ms().is_some() && !is_lost);
        let lost_by = hold.extra.as_ref().and_then(|extra| extra.lost_by.as_ref());
        assert_eq!(lost_by.is_some(), is_lost);
        match hold.what {
            Held::Lock(_) => {
                assert!(!is_timed, "a lock ends by itself");
                if let Some(session) = hold.holder() {
                    assert_eq!(self.lock_hold(hold.resource, session), Some(key));
                }
            }
            Held::Ticket(ticket) => {
                if let Some(session) = hold.holder() {
                    let by_resource = &self.tables.sessions[session].by_resource;
                    assert_eq!(by_resource.get(&(hold.resource, hold.fence)), Some(&key));
                }
                let ticket = &self.tables.tickets[ticket];
                assert_eq!((ticket.hold(), ticket.resource), (Some(key), hold.resource));
            }
        }
    }

    /// What is known of a resource agrees with what stands in it.
    fn check_resource(&self, key: ResourceKey, resource: &Resource) {
        assert_eq!(self.tables.find_resource(resource.name.as_str()), Some(key));
        assert!(!resource.changing && resource.touched.is_none(), "a change was left under way");
        assert_eq!(resource.kind.is_some(), resource.is_used(), "its kind is that of nothing");
        assert!(resource.kind.is_none_or(|kind| kind == resource.last));
        assert!(resource.known || !resource.watchers.is_empty(), "an unused resource stayed");
        assert!(resource.known || resource.kind.is_none(), "what stands must be known");
        let empty = resource.known && resource.kind.is_none() && resource.is_open();
        assert_eq!(resource.emptied.is_some(), empty, "emptied and known disagree");
        assert!(resource.known || resource.is_open(), "what is paused is not known");
        let known = self.tables.known.get(resource.name.as_str());
        assert_eq!(known, resource.known.then_some(&key));
    }

    /// What stands in a resource is of its kind and in order, and nothing free suits a wait.
    fn check_contents(&self, key: ResourceKey, resource: &Resource) {
        let tables = &self.tables;
        let mut last = 0;
        let mut claimed = 0;
        for hold in resource.holds.keys(&tables.holds, |h| &h.in_resource) {
            let hold = &tables.holds[hold];
            assert!(hold.resource == key && Some(hold.what.kind()) == resource.kind);
            assert!(hold.fence.0 > last, "a resource's holds are out of order");
            last = hold.fence.0;
            claimed += usize::from(hold.what.kind() == Kind::Tickets);
        }
        match resource.kind {
            Some(Kind::Lock) => {
                assert!(resource.tickets.is_empty() && resource.holds.len() <= HOLDERS_MAX);
                assert!(!resource.holds.is_empty() || !resource.is_open());
                let holds = resource.holds.keys(&tables.holds, |h| &h.in_resource);
                let mut whats = holds.map(|hold| tables.holds[hold].what);
                let shared = whats.all(|what| what == Held::Lock(Mode::Shared));
                assert!(shared || resource.holds.len() == 1, "an exclusive lock is shared");
            }
            Some(Kind::Tickets) | None => assert_eq!(resource.holds.len(), claimed),
        }
        assert!(self.next_for_lock(key).is_none(), "somebody waits for a free lock");
        let of_it = resource.tickets.keys(&tables.tickets, |t| &t.in_all);
        let of_it = of_it.filter(|&ticket| tables.tickets[ticket].resource == key);
        assert_eq!(of_it.count(), resource.tickets.len());
        let extra = resource.extra.as_ref();
        let extra = extra.map_or(0, |it| it.free() + it.delayed + it.dead.count());
        assert_eq!(resource.free.len() + extra as usize + claimed, resource.tickets.len());
        let mut last = 0;
        for free in resource.free.keys(&tables.tickets, |t| &t.in_free) {
            let ticket = &tables.tickets[free];
            assert!(ticket.standing == TicketStanding::Free && ticket.priority == 0);
            assert!(ticket.place > last && ticket.resource == key);
            last = ticket.place;
        }
        let all = resource.tickets.keys(&tables.tickets, |t| &t.in_all);
        for free in all.filter(|&ticket| tables.tickets[ticket].standing == TicketStanding::Free) {
            let is_waited_for = resource.is_open() && self.first_for_ticket(free).is_some();
            assert!(!is_waited_for, "somebody waits for a free ticket");
        }
    }

    fn check_queue(&self, resource: &Resource, queue: &Queue) {
        let tables = &self.tables;
        let lists = std::iter::once(&queue.any).chain(queue.named.values());
        let mut ids: Vec<u64> = Vec::new();
        for list in lists {
            let ids_of = list.keys(&tables.waits, |w| &w.in_queue);
            let of_list: Vec<u64> = ids_of.map(|w| tables.waits[w].id.0).collect();
            assert!(of_list.is_sorted(), "a queue is out of order");
            ids.extend(of_list);
        }
        ids.sort_unstable();
        assert_eq!(ids.len(), queue.ranks.len());
        for (before, &id) in ids.iter().enumerate() {
            assert_eq!(queue.ranks.rank(id) as usize, before + 1);
        }
        assert!(!ids.is_empty() && queue.named.values().all(|list| !list.is_empty()));
        if resource.kind == Some(Kind::Lock) {
            assert!(queue.named.is_empty(), "a ticket of a lock is waited for");
        }
    }

    fn check_emptied(&self) {
        let resources = &self.tables.resources;
        let keys = self.tables.emptied.keys(resources, |r| &r.in_emptied);
        let emptied: Vec<_> = keys.map(|key| resources[key].emptied).collect();
        assert!(emptied.is_sorted() && emptied.iter().all(Option::is_some));
        let last = emptied.last().copied().flatten();
        assert!(last.is_none_or(|last| last.get() <= self.emptied_mark));
        let all = resources.iter().filter(|(_, r)| r.emptied.is_some()).count();
        assert_eq!(all, emptied.len());
        let known = resources.iter().filter(|(_, r)| r.known).count();
        assert_eq!(known, self.counts().resources);
        let is_paused = |r: &Resource| r.extra.as_ref().is_some_and(|extra| extra.is_paused());
        let paused = resources.iter().filter(|(_, r)| is_paused(r)).count();
        assert_eq!(paused, self.tables.paused);
    }

    fn check_tickets(&self) {
        assert_eq!(self.tables.tickets.len(), self.tables.ticket_names.len());
        let (mut claimed, mut delayed) = (0, 0);
        for (key, ticket) in self.tables.tickets.iter() {
            let by_name = self.tables.find_ticket(ticket.resource, ticket.name.as_str());
            assert_eq!(by_name, Some(key));
            assert!(ticket.issued <= self.serial && ticket.place <= self.serial);
            let extra = ticket.extra.as_ref();
            let issued_by = extra.and_then(|extra| extra.issued_by.as_ref());
            assert_eq!(issued_by.is_some(), ticket.issuer().is_none());
            assert!(ticket.issuer().is_some() || (ticket.stays && !ticket.notify));
            let delay = extra.and_then(|extra| extra.delay);
            assert_eq!(delay.is_some(), ticket.standing == TicketStanding::Delayed);
            if let Some(delay) = delay {
                assert_eq!(self.tables.delayed.get(&delay.id), Some(&key));
                delayed += 1;
            }
            if let Some(hold) = ticket.hold() {
                let what = self.tables.holds[hold].what;
                assert!(matches!(what, Held::Ticket(held) if held == key));
                claimed += 1;
            }
        }
        assert_eq!((claimed, delayed), (self.tables.claims, self.tables.delayed.len()));
        let listed: usize = self.tables.resources.iter().map(|(_, r)| r.tickets.len()).sum();
        assert_eq!(listed, self.tables.tickets.len());
    }

    fn check_waits(&self) {
        let tables = &self.tables;
        let leading = tables.waits.iter().filter(|(_, wait)| wait.leads()).count();
        assert_eq!(leading, tables.wait_ids.len());
        let mut merging = 0;
        let mut queued = 0;
        for (_, resource) in tables.resources.iter() {
            queued += resource.waiting() as usize;
        }
        assert_eq!(queued, tables.waits.len());
        for (key, wait) in tables.waits.iter() {
            let found = tables.find_wait(wait.id);
            assert!(!wait.leads() || found == Some(key), "a wait is not found");
            assert!(wait.id.0 < self.next_wait);
            assert!(!wait.is_deserted(), "nobody waits here");
            let ticket = wait.ticket.as_ref();
            let place = tables.find_place(wait.session, wait.resource, ticket);
            if wait.merges {
                merging += 1;
                assert_eq!(place, Some(key));
            }
            // Only who stole a lock waits behind itself.
            let own = self.lock_hold(wait.resource, wait.session);
            let own = own.map(|hold| tables.holds[hold].what);
            assert!(own != Some(Held::Lock(Mode::Shared)), "a holder waits for its own lock");
        }
        assert_eq!(merging, tables.merging.len());
    }

    fn check_watches(&self) {
        let tables = &self.tables;
        assert_eq!(tables.watches.len(), tables.watch_of.len());
        let mut listed = 0;
        for (key, resource) in tables.resources.iter() {
            let mut last = 0;
            for watch in resource.watchers.keys(&tables.watches, |w| &w.in_resource) {
                let watch = &tables.watches[watch];
                assert!(watch.resource == key && watch.number > last);
                last = watch.number;
                listed += 1;
            }
        }
        assert_eq!(listed, tables.watches.len());
        for (key, watch) in tables.watches.iter() {
            let found = tables.find_watch(watch.session, watch.resource);
            assert_eq!(found, Some(key));
        }
    }
}
