//! The whole state as plain values.

use std::num::NonZeroU64;

use super::types::{
    DelaySnapshot, HoldSnapshot, PauseSnapshot, ResourceSnapshot, SessionSnapshot, Snapshot,
    SnapshotParty, TicketSnapshot, WaitSnapshot, WatchSnapshot,
};
use crate::machine::command::{Kind, Mode, Party, TicketTerms};
use crate::machine::extras::Pause;
use crate::machine::names::SessionInfo;
use crate::machine::rows::{
    Held, HoldKey, Resource, ResourceKey, Session, SessionKey, TicketKey, TicketStanding,
};
use crate::machine::tables::Machine;

impl Machine {
    /// The whole state as plain values.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let session_snapshot = |(key, session): (SessionKey, &Session)| SessionSnapshot {
            info: SessionInfo::clone(&session.info),
            owner: self.owner_of(key).cloned(),
            condemned: session.condemned,
            conduct: session.conduct,
        };
        let mut sessions: Vec<SessionSnapshot> =
            self.tables.sessions.iter().map(session_snapshot).collect();
        sessions.sort_unstable_by_key(|session| session.info.id);
        let mut resources: Vec<_> = self
            .tables
            .resources
            .iter()
            .map(|(key, resource)| self.resource_snapshot(key, resource))
            .collect();
        resources.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Snapshot {
            next_fence: self.next_fence,
            next_wait: self.next_wait,
            serial: self.serial,
            emptied_mark: self.emptied_mark,
            clock_ms: self.clock_ms,
            nodes: self.nodes.iter().copied().collect(),
            sessions,
            resources,
        }
    }

    fn resource_snapshot(&self, key: ResourceKey, resource: &Resource) -> ResourceSnapshot {
        let tables = &self.tables;
        let waits = self.wait_snapshots(resource);
        assert!(waits.len() == resource.waiting() as usize, "a wait is missing in a snapshot");
        let holds = resource.holds.keys(&tables.holds, |h| &h.in_resource);
        let is_lock = resource.kind == Some(Kind::Lock);
        let locks = holds.take(if is_lock { usize::MAX } else { 0 });
        let tickets = resource.tickets.keys(&tables.tickets, |t| &t.in_all);
        ResourceSnapshot {
            name: resource.name.clone(),
            known: resource.known,
            last: resource.last,
            emptied: resource.emptied.map(NonZeroU64::get),
            pause: match self.pause_of(key) {
                Pause::None => PauseSnapshot::None,
                Pause::Paused => PauseSnapshot::Paused,
                Pause::Serving => PauseSnapshot::Serving,
            },
            locks: locks.map(|hold| self.hold_snapshot(hold)).collect(),
            tickets: tickets.map(|ticket| self.ticket_snapshot(ticket)).collect(),
            waits,
            watches: resource
                .watchers
                .keys(&tables.watches, |w| &w.in_resource)
                .map(|key| {
                    let watch = &tables.watches[key];
                    let session = self.info(watch.session).id;
                    WatchSnapshot { session, changes: watch.changes, number: watch.number }
                })
                .collect(),
        }
    }

    fn wait_snapshots(&self, resource: &Resource) -> Vec<WaitSnapshot> {
        let tables = &self.tables;
        let mut waits: Vec<WaitSnapshot> = Vec::new();
        let Some(queue) = &resource.queue else { return waits };
        for list in std::iter::once(&queue.any).chain(queue.named.values()) {
            let keys = list.keys(&tables.waits, |w| &w.in_queue);
            waits.extend(keys.map(|key| {
                let wait = &tables.waits[key];
                WaitSnapshot {
                    id: wait.id,
                    session: self.info(wait.session).id,
                    ticket: wait.ticket.clone(),
                    socket: wait.socket,
                    requests: wait.requests.clone(),
                    merges: wait.merges,
                    since_ms: wait.since.ms(),
                    mode: wait.mode,
                    data: wait.data.clone(),
                    hold_ms: wait.hold_ms,
                    of_several: wait.group.map(|(_, nth)| nth),
                }
            }));
        }
        waits.sort_unstable_by_key(|wait| wait.id);
        waits
    }

    fn hold_snapshot(&self, key: HoldKey) -> HoldSnapshot {
        let hold = &self.tables.holds[key];
        HoldSnapshot {
            holder: snapshot_party(self.party(key)),
            fence: hold.fence,
            since_ms: hold.since.ms(),
            mode: match hold.what {
                Held::Lock(mode) => mode,
                Held::Ticket(_) => Mode::Exclusive,
            },
            data: hold.extra.as_ref().and_then(|extra| extra.data.clone()),
            hold_ms: hold.hold_ms(),
        }
    }

    fn ticket_snapshot(&self, key: TicketKey) -> TicketSnapshot {
        let ticket = &self.tables.tickets[key];
        let extra = ticket.extra.as_ref();
        let delay = extra.and_then(|extra| extra.delay).map(|delay| DelaySnapshot {
            delay: delay.id,
            delay_ms: delay.ms,
            until_ms: delay.until_ms,
        });
        TicketSnapshot {
            name: ticket.name.clone(),
            data: ticket.data.clone(),
            issuer: snapshot_party(self.issuer(key)),
            claim: ticket.hold().map(|hold| self.hold_snapshot(hold)),
            notify: ticket.notify,
            place: ticket.place,
            issued: ticket.issued,
            number: ticket.number,
            terms: TicketTerms {
                stay: ticket.stays,
                priority: ticket.priority,
                attempts: ticket.most_attempts(),
                hold_ms: ticket.hold_ms(),
                ..TicketTerms::default()
            },
            attempts: ticket.attempts,
            delay,
            dead: ticket.standing == TicketStanding::Dead,
            note: extra.and_then(|extra| extra.note.clone()),
        }
    }
}

fn snapshot_party(party: Party) -> SnapshotParty {
    match party {
        Party::Here(info) => SnapshotParty::Here(info.id),
        Party::Gone(name) => SnapshotParty::Gone(name),
    }
}
