//! The machine's own answers to those who only query.

use super::Machine;
use super::command::{Figures, Grant, Kind, LockGrant, Refusal};
use super::names::{Fence, Name, SessionId};
use super::tables::{Body, Resource, ResourceKey, SessionKey, Ticket, TicketKey};
use super::view::{
    Counts, IssuedState, ResourceView, SessionState, SessionView, Stakes, TicketView, WaitState,
    WatchState,
};

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

    /// Whether there is such a session.
    #[must_use]
    pub fn has_session(&self, id: &SessionId) -> bool {
        self.living_key(id).is_some()
    }

    /// What is at stake when a session ends; `None` when there is no such session.
    #[must_use]
    pub fn stakes(&self, id: &SessionId) -> Option<Stakes> {
        let session = &self.tables.sessions[self.living_key(id)? as usize];
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
        let key = self.tables.session_ids.get(id);
        let session = key.map(|key| &self.tables.sessions[key as usize]);
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

    /// A session as dumps show it; `None` when there is no such session.
    #[must_use]
    pub fn session_view(&self, id: &SessionId) -> Option<SessionView> {
        let key = self.living_key(id)?;
        let tables = &self.tables;
        let session = &tables.sessions[key as usize];
        let mut claims: Vec<_> = session.claims.iter().map(|(&(_, f), &key)| (f, key)).collect();
        claims.sort_unstable();
        let issued = session.issued.keys(&tables.tickets, |t| &t.in_issued);
        Some(SessionView {
            info: session.info.clone(),
            claims: claims.into_iter().map(|(_, key)| self.ticket_view(key)).collect(),
            issued: issued.map(|key| self.ticket_view(key)).collect(),
            locks: self.lock_names(key),
        })
    }

    /// The locks that a session holds, in order of their fences.
    pub(super) fn lock_names(&self, key: SessionKey) -> Vec<Name> {
        let tables = &self.tables;
        let locks = tables.sessions[key as usize].locks.keys(&tables.resources, |r| &r.in_locks);
        locks.map(|key| tables.resources[key as usize].name.clone()).collect()
    }

    /// A resource as dumps show it; `None` when it is not known.
    #[must_use]
    pub fn resource_view(&self, name: &str) -> Option<ResourceView> {
        let key = self.known_key(name).ok()?;
        let tickets = self.tables.resources[key as usize].tickets();
        let all = tickets.map(|tickets| tickets.all).unwrap_or_default();
        let keys = all.keys(&self.tables.tickets, |t| &t.in_all);
        let tickets = keys.map(|key| self.ticket_view(key)).collect();
        Some(ResourceView { tickets, ..self.resource_head_at(key) })
    }

    /// A resource's view without its tickets.
    pub(super) fn resource_head_at(&self, key: ResourceKey) -> ResourceView {
        let resource = &self.tables.resources[key as usize];
        let holder = match resource.body {
            Body::Lock { holder, fence } => Some((self.info(holder).clone(), fence)),
            Body::Empty | Body::Tickets(_) => None,
        };
        let (name, is_lock) = (resource.name.clone(), resource.last == Kind::Lock);
        ResourceView { name, is_lock, holder, tickets: Vec::new() }
    }

    fn ticket_view(&self, key: TicketKey) -> TicketView {
        self.view_of(&self.tables.tickets[key as usize])
    }

    pub(super) fn view_of(&self, ticket: &Ticket) -> TicketView {
        TicketView {
            resource: self.tables.resources[ticket.resource as usize].name.clone(),
            ticket: ticket.name.clone(),
            data: ticket.data.clone(),
            issuer: self.info(ticket.issuer).clone(),
            claim: ticket.claim.map(|(session, fence)| (self.info(session).clone(), fence)),
        }
    }

    /// Whether a session holds a ticket, and by which grant.
    ///
    /// # Errors
    /// Unknown session, unknown resource, or a lock.
    pub fn holds(
        &self,
        session: &SessionId,
        resource: &str,
        ticket: &str,
    ) -> Result<Option<Fence>, Refusal> {
        let session = self.session_key(*session)?;
        let key = self.known_key(resource)?;
        if self.tables.resources[key as usize].kind() == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        // What is no name is no ticket's.
        let ticket = Name::parse(ticket).ok().and_then(|name| self.ticket_key(key, &name));
        Ok(ticket.and_then(|ticket| match self.tables.tickets[ticket as usize].claim {
            Some((holder, fence)) if holder == session => Some(fence),
            _ => None,
        }))
    }

    /// A resource in figures; an unknown one is all zero.
    #[must_use]
    pub fn figures(&self, name: &str) -> Figures {
        let key = self.resource_key(name);
        key.map(|key| self.tables.resources[key as usize].figures()).unwrap_or_default()
    }

    /// Who watches a resource, oldest watch first, and whether it is told of every change.
    pub fn watchers(&self, name: &str) -> impl Iterator<Item = (SessionId, bool)> {
        let tables = &self.tables;
        let key = self.resource_key(name);
        let list = key.map(|key| tables.resources[key as usize].watchers).unwrap_or_default();
        list.keys(&tables.watches, |w| &w.in_resource).map(|key| {
            let watch = &tables.watches[key as usize];
            (tables.sessions[watch.session as usize].info.id, watch.changes)
        })
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
            resources: tables.known,
            tickets: tables.tickets.len(),
            locks: tables.locks,
            claims: tables.claims,
            waits: tables.waits.len(),
            watches: tables.watches.len(),
        }
    }

    pub(super) fn resource_at(&self, key: u32) -> &Resource {
        &self.tables.resources[key as usize]
    }
}
