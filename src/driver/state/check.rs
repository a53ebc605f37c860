//! The tables held against the machine, which they follow. In debug builds each visit ends with it,
//! as long as there is little to walk through.

use std::collections::BTreeSet;

use crate::machine::{Counts, SessionId};

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
        let (mut sockets, mut requests) = (Vec::new(), Vec::new());
        for wait in snapshot.resources.iter().flat_map(|resource| &resource.waits) {
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
    }
}
