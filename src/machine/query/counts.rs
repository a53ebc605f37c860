//! Figures: how many there are of what.

use std::sync::Arc;

use super::types::{Counts, Stakes};
use crate::machine::command::Figures;
use crate::machine::names::{Fence, Name, SessionId, SessionInfo};
use crate::machine::tables::Machine;

impl Machine {
    /// Who a session is; `None` when there is no such session.
    #[must_use]
    pub fn info_of(&self, id: &SessionId) -> Option<Arc<SessionInfo>> {
        self.living_key(id).map(|key| self.info(key).clone())
    }

    /// Whether there is such a session.
    #[must_use]
    pub fn has_session(&self, id: &SessionId) -> bool {
        self.living_key(id).is_some()
    }

    /// What is at stake when a session ends; `None` when there is no such session.
    #[must_use]
    pub fn stakes(&self, id: &SessionId) -> Option<Stakes> {
        let session = &self.tables.sessions[self.living_key(id)?];
        Some(Stakes {
            name: session.info.name.clone(),
            locks: session.locks.len(),
            claims: session.claims.len(),
            waits: session.waits.len(),
        })
    }

    /// How much ends with a session, itself included; 0 when there is none.
    #[must_use]
    pub fn weight(&self, id: &SessionId) -> usize {
        let key = self.tables.find_session(id);
        let session = key.map(|key| &self.tables.sessions[key]);
        session.map_or(0, |s| 1 + s.holds() + s.waits.len() + s.watches.len() + s.issued.len())
    }

    /// The ids of all sessions, in no order that means anything.
    #[must_use]
    pub fn session_ids(&self) -> Vec<SessionId> {
        let living = self.tables.sessions.iter().filter(|(_, session)| !session.condemned);
        living.map(|(_, session)| session.info.id).collect()
    }

    /// The names of all known resources, in no order that means anything.
    #[must_use]
    pub fn resource_names(&self) -> Vec<Name> {
        let known = self.tables.resources.iter().filter(|(_, resource)| resource.known);
        known.map(|(_, resource)| resource.name.clone()).collect()
    }

    /// A resource in figures; an unknown one is all zero.
    #[must_use]
    pub fn figures(&self, name: &str) -> Figures {
        let key = self.resource_key(name);
        key.map(|key| self.tables.resources[key].figures()).unwrap_or_default()
    }

    /// How many times a resource was emptied so far.
    #[must_use]
    pub fn emptied_mark(&self) -> u64 {
        self.emptied_mark
    }

    /// The number that the next grant will have.
    #[must_use]
    pub fn next_fence(&self) -> Fence {
        Fence(self.next_fence)
    }

    /// How many there are of everything.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let tables = &self.tables;
        Counts {
            sessions: tables.sessions.len() - tables.condemned,
            resources: tables.known.len(),
            tickets: tables.tickets.len(),
            locks: tables.holds.len() - tables.claims,
            claims: tables.claims,
            delayed: tables.delayed.len(),
            dead: tables.dead,
            waits: tables.waits.len(),
            watches: tables.watches.len(),
        }
    }
}
