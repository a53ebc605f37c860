//! The whole state as plain values.

use std::num::NonZeroU64;

use super::types::{
    ResourceSnapshot, SessionSnapshot, Snapshot, TicketSnapshot, WaitSnapshot, WatchSnapshot,
};
use crate::machine::command::Kind;
use crate::machine::names::SessionInfo;
use crate::machine::rows::{HoldKey, Resource, Session, SessionKey};
use crate::machine::tables::Machine;

impl Machine {
    /// The whole state as plain values.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let session_snapshot = |(key, session): (SessionKey, &Session)| SessionSnapshot {
            info: SessionInfo::clone(&session.info),
            owner: self.owner_of(key).cloned(),
            condemned: session.condemned,
        };
        let mut sessions: Vec<SessionSnapshot> =
            self.tables.sessions.iter().map(session_snapshot).collect();
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
            nodes: self.nodes.iter().copied().collect(),
            sessions,
            resources,
        }
    }

    fn resource_snapshot(&self, resource: &Resource) -> ResourceSnapshot {
        let tables = &self.tables;
        let id = |key: SessionKey| self.info(key).id;
        let grant = |hold: HoldKey| {
            let hold = &tables.holds[hold];
            (id(hold.session), hold.fence)
        };
        let mut waits: Vec<WaitSnapshot> = Vec::new();
        if let Some(queue) = &resource.queue {
            for list in std::iter::once(&queue.any).chain(queue.named.values()) {
                let keys = list.keys(&tables.waits, |w| &w.in_queue);
                waits.extend(keys.map(|key| {
                    let wait = &tables.waits[key];
                    WaitSnapshot {
                        id: wait.id,
                        session: id(wait.session),
                        ticket: wait.ticket.clone(),
                        socket: wait.socket,
                        requests: wait.requests.clone(),
                        merges: wait.merges,
                    }
                }));
            }
        }
        waits.sort_unstable_by_key(|wait| wait.id);
        assert!(waits.len() == resource.waiting() as usize, "a wait is missing in a snapshot");
        ResourceSnapshot {
            name: resource.name.clone(),
            known: resource.known,
            last: resource.last,
            emptied: resource.emptied.map(NonZeroU64::get),
            lock: resource.holds.first().filter(|_| resource.kind == Some(Kind::Lock)).map(grant),
            tickets: resource
                .tickets
                .keys(&tables.tickets, |t| &t.in_all)
                .map(|key| {
                    let ticket = &tables.tickets[key];
                    TicketSnapshot {
                        name: ticket.name.clone(),
                        data: ticket.data.clone(),
                        issuer: id(ticket.issuer),
                        claim: ticket.hold.map(grant),
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
                    let watch = &tables.watches[key];
                    let session = id(watch.session);
                    WatchSnapshot { session, changes: watch.changes, number: watch.number }
                })
                .collect(),
        }
    }
}
