//! The tables held against the machine, which they follow. In debug builds each visit ends with it,
//! as long as there is little to walk through.

use std::collections::BTreeSet;

use crate::machine::{Counts, SessionId, Snapshot, SnapshotParty};

use super::State;

/// So many things are walked through.
const CHECKED_MAX: usize = 64;

impl State {
    /// Holds the tables against the machine, unless there is much in them.
    ///
    /// # Panics
    /// When they disagree.
    pub(in crate::driver) fn check_if_small(&self) {
        let counts = self.machine.counts();
        assert_eq!(self.sessions.ids().len(), counts.sessions, "sessions");
        let Counts { sessions, waits, resources, tickets, .. } = counts;
        if sessions + waits + resources + tickets <= CHECKED_MAX {
            self.check();
        }
    }

    /// Holds the tables against the machine.
    ///
    /// # Panics
    /// When they disagree.
    pub(in crate::driver) fn check(&self) {
        let snapshot = self.machine.snapshot();
        let living = snapshot.sessions.iter().filter(|session| !session.condemned);
        let living: BTreeSet<SessionId> = living.map(|session| session.info.id).collect();
        assert_eq!(self.sessions.ids().copied().collect::<BTreeSet<_>>(), living, "sessions");
        self.check_timings(&snapshot);
        let (mut sockets, mut requests) = (Vec::new(), Vec::new());
        let waits = snapshot.resources.iter().flat_map(|resource| &resource.waits);
        // One that stands in several queues counts once.
        for wait in waits.filter(|wait| wait.of_several.is_none_or(|nth| nth == 0)) {
            sockets.extend(wait.socket.map(|_| (wait.session, wait.id)));
            for &request in &wait.requests {
                let Some(row) = self.waits.request(request) else {
                    panic!("a request waits in the machine only");
                };
                assert_eq!((row.session, row.wait), (wait.session, wait.id), "a request's wait");
                requests.push(request);
            }
        }
        sockets.sort_unstable();
        requests.sort_unstable();
        assert_eq!(self.waits.sockets().collect::<Vec<_>>(), sockets, "waits by socket");
        assert_eq!(self.waits.requests(), requests, "waits by request");
        if snapshot.resources.iter().any(|resource| resource.emptied.is_some()) {
            assert_eq!(self.forgetting.last(), Some(snapshot.emptied_mark), "emptied resources");
        }
        let mut followed = self.progress.places();
        assert!(followed.all(|(session, wait)| self.waits.has_socket(session, wait)), "progress");
    }

    fn check_timings(&self, snapshot: &Snapshot) {
        let (mut claims, mut lost, mut delays) = (Vec::new(), Vec::new(), Vec::new());
        for resource in &snapshot.resources {
            let of_tickets = resource.tickets.iter().filter_map(|ticket| ticket.claim.as_ref());
            for hold in resource.locks.iter().chain(of_tickets) {
                match hold.holder {
                    SnapshotParty::Gone(_) => lost.push(hold.fence),
                    SnapshotParty::Here(_) => claims.extend(hold.hold_ms.map(|_| hold.fence)),
                }
            }
            let delayed = resource.tickets.iter().filter_map(|ticket| ticket.delay);
            delays.extend(delayed.map(|delay| delay.delay));
        }
        claims.sort_unstable();
        lost.sort_unstable();
        delays.sort_unstable();
        assert_eq!(self.timings.fences(false), claims, "claims that end by themselves");
        assert_eq!(self.timings.fences(true), lost, "lost holds");
        assert_eq!(self.timings.delays(), delays, "delays");
    }
}
