//! What can be looked at in the model.

use std::sync::Arc;

use ticketd::machine::{
    Counts, Fence, Figures, Grant, IssuedState, Kind, Name, Refusal, ResourceView, SessionId,
    SessionInfo, SessionState, SessionView, TicketView, WaitState, WatchState,
};

use super::{Lock, Model, Place, Ticket, count};

impl Model {
    /// See [`ticketd::machine::Machine::figures`].
    pub(crate) fn figures(&self, resource: &Name) -> Figures {
        let here = || self.tickets.iter().filter(|ticket| ticket.resource == *resource);
        let locks = self.locks.iter().filter(|lock| lock.resource == *resource).count();
        let claims = here().filter(|ticket| ticket.claim.is_some()).count();
        Figures {
            kind: self.kind(resource),
            free: count(here().filter(|ticket| ticket.claim.is_none()).count()),
            held: count(claims + locks),
            waiting: self.waiting(resource),
        }
    }

    /// See [`ticketd::machine::Machine::emptied_mark`].
    pub(crate) fn emptied_mark(&self) -> u64 {
        self.emptied
    }

    /// See [`ticketd::machine::Machine::next_fence`].
    pub(crate) fn next_fence(&self) -> Fence {
        self.next_fence
    }

    /// See [`ticketd::machine::Machine::resource_names`].
    pub(crate) fn resource_names(&self) -> Vec<Name> {
        self.known.keys().cloned().collect()
    }

    /// See [`ticketd::machine::Machine::counts`].
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            sessions: self.sessions.len(),
            resources: self.known.len(),
            tickets: self.tickets.len(),
            locks: self.locks.len(),
            claims: self.tickets.iter().filter(|ticket| ticket.claim.is_some()).count(),
            waits: self.places.len(),
            watches: self.watches.len(),
        }
    }

    /// See [`ticketd::machine::Machine::watchers`].
    pub(crate) fn watchers(&self, resource: &Name) -> Vec<(SessionId, bool)> {
        let here = self.watches.iter().filter(|watch| watch.resource == *resource);
        here.map(|watch| (watch.session, watch.changes)).collect()
    }

    /// See [`ticketd::machine::Machine::holds`].
    pub(crate) fn holds(
        &self,
        session: SessionId,
        resource: &Name,
        name: &Name,
    ) -> Result<Option<Fence>, Refusal> {
        self.living(session)?;
        if !self.is_known(resource.as_str()) {
            return Err(Refusal::ResourceNotFound);
        }
        if self.kind(resource) == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let claim = self.ticket(resource, name).and_then(|index| self.tickets[index].claim);
        Ok(claim.filter(|(claimant, _)| *claimant == session).map(|(_, fence)| fence))
    }

    /// See [`ticketd::machine::Machine::state`].
    pub(crate) fn state(&self, session: SessionId) -> Option<SessionState> {
        let info = Arc::clone(self.sessions.get(&session)?);
        let locks = self.locks_of(session).into_iter().map(|lock| {
            let grant = self.lock_grant(&lock.resource, lock.fence);
            (lock.fence, grant)
        });
        let claims = self.claims_of(session).into_iter().map(|(fence, ticket)| {
            let grant = self.ticket_grant(&ticket.resource, &ticket.name);
            (fence, grant)
        });
        let mut holds: Vec<(Fence, Grant)> = locks.chain(claims).collect();
        holds.sort_by_key(|(fence, _)| *fence);

        let mine = self.places.iter().filter(|place| place.session == session);
        let waits = mine.filter_map(|place| self.wait_state(place)).collect();

        let mine = self.watches.iter().filter(|watch| watch.session == session);
        let watches = mine.map(|watch| WatchState {
            resource: watch.resource.clone(),
            changes: watch.changes,
            figures: self.figures(&watch.resource),
        });

        let issued = self.issued_by(session).into_iter().map(|ticket| IssuedState {
            resource: ticket.resource.clone(),
            ticket: ticket.name.clone(),
            claimed: ticket.claim.is_some(),
        });
        Some(SessionState {
            info,
            holds: holds.into_iter().map(|(_, grant)| grant).collect(),
            waits,
            watches: watches.collect(),
            issued: issued.collect(),
        })
    }

    fn wait_state(&self, place: &Place) -> Option<WaitState> {
        Some(WaitState {
            wait: place.wait,
            resource: place.resource.clone(),
            kind: place.kind,
            ticket: place.ticket.clone(),
            position: self.position(&place.resource, place.wait),
            timeout: place.socket?,
        })
    }

    /// See [`ticketd::machine::Machine::session_view`].
    pub(crate) fn session_view(&self, session: SessionId) -> Option<SessionView> {
        let info = Arc::clone(self.sessions.get(&session)?);
        let claims = self.claims_of(session).into_iter().map(|(_, ticket)| self.view(ticket));
        let issued = self.issued_by(session).into_iter().map(|ticket| self.view(ticket));
        let locks = self.locks_of(session).into_iter().map(|lock| lock.resource.clone());
        Some(SessionView {
            info,
            claims: claims.collect(),
            issued: issued.collect(),
            locks: locks.collect(),
        })
    }

    /// See [`ticketd::machine::Machine::resource_view`].
    pub(crate) fn resource_view(&self, resource: &Name) -> Option<ResourceView> {
        let is_lock = self.known.get(resource)?.is_lock;
        let holder = self.locks.iter().find(|lock| lock.resource == *resource);
        let tickets = self.tickets.iter().filter(|ticket| ticket.resource == *resource);
        Some(ResourceView {
            name: resource.clone(),
            is_lock,
            holder: holder.map(|lock| (self.info(lock.holder), lock.fence)),
            tickets: tickets.map(|ticket| self.view(ticket)).collect(),
        })
    }

    fn view(&self, ticket: &Ticket) -> TicketView {
        let claim: Option<(Arc<SessionInfo>, Fence)> =
            ticket.claim.map(|(claimant, fence)| (self.info(claimant), fence));
        TicketView {
            resource: ticket.resource.clone(),
            ticket: ticket.name.clone(),
            data: ticket.data.clone(),
            issuer: self.info(ticket.issuer),
            claim,
        }
    }

    /// The locks that a session holds, in order of their fences.
    fn locks_of(&self, session: SessionId) -> Vec<&Lock> {
        let mut locks: Vec<_> = self.locks.iter().filter(|lock| lock.holder == session).collect();
        locks.sort_by_key(|lock| lock.fence);
        locks
    }

    /// The tickets that a session holds, in order of their fences.
    fn claims_of(&self, session: SessionId) -> Vec<(Fence, &Ticket)> {
        let mut claims: Vec<(Fence, &Ticket)> = Vec::new();
        for ticket in &self.tickets {
            if let Some((claimant, fence)) = ticket.claim
                && claimant == session
            {
                claims.push((fence, ticket));
            }
        }
        claims.sort_by_key(|(fence, _)| *fence);
        claims
    }

    /// The tickets that a session issued, in the order in which they came to it.
    fn issued_by(&self, session: SessionId) -> Vec<&Ticket> {
        let mut issued: Vec<_> =
            self.tickets.iter().filter(|ticket| ticket.issuer == session).collect();
        issued.sort_by_key(|ticket| ticket.issued_at);
        issued
    }
}
