//! All that a session has, as the answer to `hello` tells it.

use super::types::{IssuedState, SessionState, WaitState, WatchState};
use crate::machine::command::{Grant, LockGrant};
use crate::machine::names::SessionId;
use crate::machine::rows::{Body, SessionKey, Ticket};
use crate::machine::tables::Machine;

impl Machine {
    /// All that a session has; `None` when there is no such session.
    #[must_use]
    pub fn state(&self, id: &SessionId) -> Option<SessionState> {
        let issued = self.issued_states(self.living_key(id)?);
        self.state_head(id).map(|state| SessionState { issued, ..state })
    }

    /// The same without the tickets that it issued.
    #[must_use]
    pub fn state_head(&self, id: &SessionId) -> Option<SessionState> {
        let key = self.living_key(id)?;
        Some(SessionState {
            info: self.info(key).clone(),
            holds: self.hold_states(key),
            waits: self.wait_states(key),
            watches: self.watch_states(key),
            issued: Vec::new(),
        })
    }

    fn hold_states(&self, key: SessionKey) -> Vec<Grant> {
        let tables = &self.tables;
        let session = &tables.sessions[key as usize];
        let mut holds = Vec::with_capacity(session.holds());
        for lock in session.locks.keys(&tables.resources, |r| &r.in_locks) {
            let lock = &tables.resources[lock as usize];
            if let Body::Lock { fence, .. } = lock.body {
                let (resource, waiting) = (lock.name.clone(), lock.waiting());
                holds.push(Grant::Lock(LockGrant { resource, fence, waiting }));
            }
        }
        for (&(_, fence), &ticket) in &session.claims {
            holds.push(Grant::Ticket(self.ticket_grant(ticket, key, fence)));
        }
        holds.sort_unstable_by_key(Grant::fence);
        holds
    }

    fn wait_states(&self, key: SessionKey) -> Vec<WaitState> {
        let tables = &self.tables;
        let waits = tables.sessions[key as usize].waits.keys(&tables.waits, |w| &w.in_session);
        waits
            .filter_map(|key| {
                let wait = &tables.waits[key as usize];
                let resource = &tables.resources[wait.resource as usize];
                Some(WaitState {
                    wait: wait.id,
                    resource: resource.name.clone(),
                    kind: resource.kind()?,
                    ticket: wait.ticket.clone(),
                    position: self.position(wait.resource, wait.id),
                    timeout: wait.socket?,
                })
            })
            .collect()
    }

    fn watch_states(&self, key: SessionKey) -> Vec<WatchState> {
        let tables = &self.tables;
        let watches = tables.sessions[key as usize].watches;
        watches
            .keys(&tables.watches, |w| &w.in_session)
            .map(|key| {
                let watch = &tables.watches[key as usize];
                let resource = &tables.resources[watch.resource as usize];
                let (name, figures) = (resource.name.clone(), resource.figures());
                WatchState { resource: name, changes: watch.changes, figures }
            })
            .collect()
    }

    fn issued_states(&self, key: SessionKey) -> Vec<IssuedState> {
        let tables = &self.tables;
        let issued = tables.sessions[key as usize].issued;
        issued
            .keys(&tables.tickets, |t| &t.in_issued)
            .map(|key| self.issued_state(&tables.tickets[key as usize]))
            .collect()
    }

    pub(super) fn issued_state(&self, ticket: &Ticket) -> IssuedState {
        IssuedState {
            resource: self.tables.resources[ticket.resource as usize].name.clone(),
            ticket: ticket.name.clone(),
            claimed: ticket.claim.is_some(),
        }
    }
}
