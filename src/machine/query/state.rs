//! All that a session has, as the answer to `hello` tells it.

use super::types::{IssuedState, SessionState, WaitState, WatchState};
use crate::machine::command::Grant;
use crate::machine::names::SessionId;
use crate::machine::rows::{SessionKey, Ticket};
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
        let session = &self.tables.sessions[key];
        let lists = [session.locks, session.claims].into_iter();
        let keys = lists.flat_map(|list| list.keys(&self.tables.holds, |h| &h.in_session));
        let mut holds: Vec<Grant> = keys.map(|key| self.grant(key)).collect();
        assert!(holds.len() == session.holds(), "a session's holds were miscounted");
        holds.sort_unstable_by_key(Grant::fence);
        holds
    }

    fn wait_states(&self, key: SessionKey) -> Vec<WaitState> {
        let tables = &self.tables;
        let waits = tables.sessions[key].waits.keys(&tables.waits, |w| &w.in_session);
        let leading = waits.filter(|&key| tables.waits[key].leads());
        leading
            .filter_map(|key| {
                let wait = &tables.waits[key];
                Some(WaitState {
                    wait: wait.id,
                    sought: self.sought(wait),
                    kind: tables.resources[wait.resource].kind?,
                    mode: wait.mode,
                    ticket: wait.ticket.clone(),
                    position: self.least_position(key),
                    timeout: wait.socket?,
                })
            })
            .collect()
    }

    fn watch_states(&self, key: SessionKey) -> Vec<WatchState> {
        let tables = &self.tables;
        let watches = tables.sessions[key].watches;
        watches
            .keys(&tables.watches, |w| &w.in_session)
            .map(|key| {
                let watch = &tables.watches[key];
                let resource = &tables.resources[watch.resource];
                let (name, figures) = (resource.name.clone(), resource.figures());
                WatchState { resource: name, changes: watch.changes, figures }
            })
            .collect()
    }

    fn issued_states(&self, key: SessionKey) -> Vec<IssuedState> {
        let tables = &self.tables;
        let issued = tables.sessions[key].issued;
        issued
            .keys(&tables.tickets, |t| &t.in_issued)
            .map(|key| self.issued_state(&tables.tickets[key]))
            .collect()
    }

    pub(super) fn issued_state(&self, ticket: &Ticket) -> IssuedState {
        IssuedState {
            resource: self.tables.resources[ticket.resource].name.clone(),
            ticket: ticket.name.clone(),
            claimed: ticket.hold().is_some(),
            stays: ticket.stays,
        }
    }
}
