//! Every relation that is kept twice, checked both ways. Tests call this after each command.

use super::names::{Fence, NUMBER_END};
use super::rows::{Body, Resource, ResourceKey};
use super::tables::Machine;

impl Machine {
    /// Walks all tables both ways.
    ///
    /// # Panics
    /// When they disagree.
    pub fn check(&self) {
        self.check_sessions();
        for (key, resource) in &self.tables.resources {
            let Ok(key) = ResourceKey::try_from(key) else { panic!("a key is too large") };
            self.check_resource(key, resource);
        }
        self.check_tickets();
        self.check_waits();
        self.check_watches();
        assert!(self.touched.is_empty(), "changes were left unreported");
        assert!(self.next_fence <= NUMBER_END && self.next_wait <= NUMBER_END);
    }

    fn check_sessions(&self) {
        let tables = &self.tables;
        assert_eq!(tables.sessions.len(), tables.session_ids.len());
        let (mut locks, mut claims, mut issued, mut waits, mut watches) = (0, 0, 0, 0, 0);
        let mut condemned = 0;
        for (key, session) in &tables.sessions {
            assert_eq!(tables.session_ids.get(&session.info.id).map(|k| k as usize), Some(key));
            assert!(!session.ending, "a session was left ending");
            if session.condemned {
                condemned += 1;
                assert!(session.waits.is_empty() && session.watches.is_empty());
                assert!(session.issued.is_empty(), "a condemned session issues");
            }
            let mut last = Fence(0);
            for lock in session.locks.keys(&tables.resources, |r| &r.in_locks) {
                match self.tables.resources[lock as usize].body {
                    Body::Lock { holder, fence } => {
                        assert!(holder as usize == key && fence > last && fence.0 < NUMBER_END);
                        last = fence;
                    }
                    _ => panic!("a session holds what is no lock"),
                }
                locks += 1;
            }
            for (&(resource, fence), &ticket) in &session.claims {
                let ticket = &tables.tickets[ticket as usize];
                assert_eq!(ticket.resource, resource);
                assert_eq!(ticket.claim.map(|(s, f)| (s as usize, f)), Some((key, fence)));
                assert!(fence.0 < self.next_fence);
                claims += 1;
            }
            let mut last = 0;
            for ticket in session.issued.keys(&tables.tickets, |t| &t.in_issued) {
                let ticket = &tables.tickets[ticket as usize];
                assert!(ticket.issuer as usize == key && ticket.issued > last);
                last = ticket.issued;
                issued += 1;
            }
            let mut last = 0;
            for wait in session.waits.keys(&tables.waits, |w| &w.in_session) {
                let wait = &tables.waits[wait as usize];
                assert!(wait.session as usize == key && wait.id.0 > last);
                last = wait.id.0;
                waits += 1;
            }
            watches += session.watches.keys(&tables.watches, |w| &w.in_session).count();
        }
        assert_eq!(condemned, tables.condemned);
        let counts = self.counts();
        assert_eq!((locks, claims), (counts.locks, counts.claims));
        assert_eq!((issued, waits, watches), (counts.tickets, counts.waits, counts.watches));
        let held = |(_, r): &(usize, &Resource)| matches!(r.body, Body::Lock { .. });
        assert_eq!(tables.resources.iter().filter(held).count(), counts.locks);
        let known = tables.resources.iter().filter(|(_, r)| r.known).count();
        assert_eq!(known, counts.resources);
    }

    fn check_resource(&self, key: ResourceKey, resource: &Resource) {
        let tables = &self.tables;
        assert_eq!(tables.resource_names.get(resource.name.as_str()), Some(key));
        assert!(resource.known || !resource.watchers.is_empty(), "an unused resource stayed");
        assert!(resource.known || resource.kind().is_none(), "what stands must be known");
        let empty = resource.known && resource.kind().is_none();
        assert_eq!(resource.emptied.is_some(), empty, "emptied and known disagree");
        if let Body::Tickets(tickets) = &resource.body {
            assert!(!tickets.all.is_empty());
            assert_eq!(tickets.all.keys(&tables.tickets, |t| &t.in_all).count(), tickets.all.len());
            let mut last = 0;
            for free in tickets.free.keys(&tables.tickets, |t| &t.in_free) {
                let ticket = &tables.tickets[free as usize];
                assert!(ticket.claim.is_none() && ticket.place > last && ticket.resource == key);
                last = ticket.place;
                assert!(
                    self.first_for_ticket(key, &ticket.name).is_none(),
                    "somebody waits for a free ticket"
                );
            }
        }
        if let Some(queue) = &resource.queue {
            let lists = std::iter::once(&queue.any).chain(queue.named.values());
            let mut ids: Vec<u64> = Vec::new();
            for list in lists {
                let ids_of = list.keys(&tables.waits, |w| &w.in_queue);
                let of_list: Vec<u64> = ids_of.map(|w| tables.waits[w as usize].id.0).collect();
                assert!(of_list.is_sorted(), "a queue is out of order");
                ids.extend(of_list);
            }
            ids.sort_unstable();
            assert_eq!(ids.len(), queue.ranks.len());
            for (before, &id) in ids.iter().enumerate() {
                assert_eq!(queue.ranks.rank(id) as usize, before + 1);
            }
            assert!(!ids.is_empty() && queue.named.values().all(|list| !list.is_empty()));
            if matches!(resource.body, Body::Lock { .. }) {
                assert!(queue.named.is_empty());
            }
        }
    }

    fn check_tickets(&self) {
        let mut emptied = Vec::new();
        for key in self.tables.emptied.keys(&self.tables.resources, |r| &r.in_emptied) {
            emptied.push(self.tables.resources[key as usize].emptied);
        }
        assert!(emptied.is_sorted() && emptied.iter().all(Option::is_some));
        let all = self.tables.resources.iter().filter(|(_, r)| r.emptied.is_some()).count();
        assert_eq!(all, emptied.len());
        assert_eq!(self.tables.tickets.len(), self.tables.ticket_names.len());
        let (mut free, mut claimed) = (0, 0);
        for (key, ticket) in &self.tables.tickets {
            let by_name = self.ticket_key(ticket.resource, &ticket.name);
            assert_eq!(by_name.map(|key| key as usize), Some(key));
            assert!(ticket.issued <= self.serial && ticket.place <= self.serial);
            if ticket.claim.is_some() { claimed += 1 } else { free += 1 }
        }
        let listed: usize = self
            .tables
            .resources
            .iter()
            .map(|(_, r)| r.tickets().map_or(0, |t| t.free.len()))
            .sum();
        assert_eq!((free, claimed), (listed, self.tables.claims));
    }

    fn check_waits(&self) {
        let tables = &self.tables;
        assert_eq!(tables.waits.len(), tables.wait_ids.len());
        let mut shared = 0;
        let mut queued = 0;
        for (_, resource) in &tables.resources {
            queued += resource.waiting() as usize;
        }
        assert_eq!(queued, tables.waits.len());
        for (key, wait) in &tables.waits {
            assert_eq!(tables.wait_ids.get(&wait.id).map(|k| k as usize), Some(key));
            assert!(wait.id.0 < self.next_wait);
            assert!(wait.socket.is_some() || !wait.requests.is_empty(), "nobody waits here");
            let place = (wait.session, wait.resource, wait.ticket.clone());
            if wait.shared {
                shared += 1;
                assert_eq!(tables.shared.get(&place).map(|k| k as usize), Some(key));
            }
            if let Body::Lock { holder, .. } = self.tables.resources[wait.resource as usize].body {
                assert!(holder != wait.session, "a holder waits for its own lock");
            }
        }
        assert_eq!(shared, tables.shared.len());
    }

    fn check_watches(&self) {
        let tables = &self.tables;
        assert_eq!(tables.watches.len(), tables.watch_of.len());
        let mut listed = 0;
        for (key, resource) in &tables.resources {
            let mut last = 0;
            for watch in resource.watchers.keys(&tables.watches, |w| &w.in_resource) {
                let watch = &tables.watches[watch as usize];
                assert!(watch.resource as usize == key && watch.number > last);
                last = watch.number;
                listed += 1;
            }
        }
        assert_eq!(listed, tables.watches.len());
        for (key, watch) in &tables.watches {
            let found = tables.watch_of.get(&(watch.session, watch.resource));
            assert_eq!(found.map(|k| k as usize), Some(key));
        }
    }
}
