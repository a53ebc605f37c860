//! What can be looked at in the model: figures, and what sessions and dumps show.

use std::sync::Arc;

use ticketd::machine::{
    Counts, Fence, Figures, Grant, IssuedState, Kind, Name, Refusal, ResourceView, SessionId,
    SessionState, SessionView, TicketState, TicketView, WaitState, WatchState,
};

use super::{Hold, Model, Pause, Place, Standing, Ticket, count};

impl Model {
    /// See [`ticketd::machine::Machine::figures`].
    pub(crate) fn figures(&self, resource: &Name) -> Figures {
        let here = || self.tickets.iter().filter(|ticket| ticket.resource == *resource);
        let stand = |suits: fn(&Standing) -> bool| {
            let standing = here().filter(|ticket| suits(&ticket.standing));
            count(standing.filter(|it| self.claim(&it.resource, &it.name).is_none()).count())
        };
        Figures {
            kind: self.kind(resource),
            free: stand(|standing| matches!(standing, Standing::Free(_))),
            held: count(self.holds_of(resource).count()),
            waiting: self.waiting(resource),
            delayed: stand(|standing| matches!(standing, Standing::Delayed { .. })),
            dead: stand(|standing| matches!(standing, Standing::Dead(_))),
            paused: self.pauses.get(resource) == Some(&Pause::Paused),
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
        let locks = self.holds.iter().filter(|hold| hold.ticket.is_none()).count();
        let stand = |suits: fn(&Standing) -> bool| {
            let standing = self.tickets.iter().filter(|ticket| suits(&ticket.standing));
            standing.filter(|it| self.claim(&it.resource, &it.name).is_none()).count()
        };
        Counts {
            sessions: self.sessions.len(),
            resources: self.known.len(),
            tickets: self.tickets.len(),
            locks,
            claims: self.holds.len() - locks,
            waits: self.standing(),
            watches: self.watches.len(),
            delayed: stand(|standing| matches!(standing, Standing::Delayed { .. })),
            dead: stand(|standing| matches!(standing, Standing::Dead(_))),
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
        self.must_be(resource, Kind::Tickets)?;
        let claim = self.claim(resource, name).filter(|claim| claim.holder.is(session));
        Ok(claim.map(|claim| claim.fence))
    }

    /// See [`ticketd::machine::Machine::state`].
    pub(crate) fn state(&self, session: SessionId) -> Option<SessionState> {
        let info = Arc::clone(self.sessions.get(&session)?);
        let mine = self.holds.iter().filter(|hold| hold.holder.is(session));
        let holds = mine.map(|hold| self.grant(hold)).collect();

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
            claimed: self.claim(&ticket.resource, &ticket.name).is_some(),
            stays: ticket.terms.stay,
        });
        let (watches, issued) = (watches.collect(), issued.collect());
        Some(SessionState { info, holds, waits, watches, issued })
    }

    fn grant(&self, hold: &Hold) -> Grant {
        match &hold.ticket {
            Some(name) => self.ticket_grant(&hold.resource, name),
            None => self.lock_grant(&hold.resource, hold.fence),
        }
    }

    fn wait_state(&self, place: &Place) -> Option<WaitState> {
        Some(WaitState {
            wait: place.wait,
            sought: place.sought.clone(),
            kind: place.kind,
            mode: place.mode,
            ticket: place.ticket.clone(),
            position: self.least_position(place),
            timeout: place.socket?,
        })
    }

    /// See [`ticketd::machine::Machine::session_view`].
    pub(crate) fn session_view(&self, session: SessionId) -> Option<SessionView> {
        let info = Arc::clone(self.sessions.get(&session)?);
        let mine = || self.holds.iter().filter(|hold| hold.holder.is(session));
        let claimed = |hold: &Hold| self.ticket(&hold.resource, hold.ticket.as_ref()?);
        let claims = mine().filter_map(claimed).map(|index| self.view(&self.tickets[index]));
        let issued = self.issued_by(session).into_iter().map(|ticket| self.view(ticket));
        let locks = mine().filter(|hold| hold.ticket.is_none());
        Some(SessionView {
            info,
            claims: claims.collect(),
            issued: issued.collect(),
            locks: locks.map(|hold| hold.resource.clone()).collect(),
        })
    }

    /// See [`ticketd::machine::Machine::resource_view`].
    pub(crate) fn resource_view(&self, resource: &Name) -> Option<ResourceView> {
        let is_lock = self.known.get(resource)?.is_lock;
        let locks = self.holds_of(resource).filter(|hold| hold.ticket.is_none());
        let tickets = self.tickets.iter().filter(|ticket| ticket.resource == *resource);
        Some(ResourceView {
            name: resource.clone(),
            is_lock,
            holders: locks.map(|lock| (self.party(&lock.holder), lock.fence)).collect(),
            tickets: tickets.map(|ticket| self.view(ticket)).collect(),
        })
    }

    /// A ticket's view. The model numbers no tickets.
    pub(super) fn view(&self, ticket: &Ticket) -> TicketView {
        let claim = self.claim(&ticket.resource, &ticket.name);
        TicketView {
            resource: ticket.resource.clone(),
            ticket: ticket.name.clone(),
            data: ticket.data.clone(),
            issuer: self.party(&ticket.issuer),
            claim: claim.map(|claim| (self.party(&claim.holder), claim.fence)),
            state: match ticket.standing {
                _ if claim.is_some() => TicketState::Held,
                Standing::Free(_) => TicketState::Free,
                Standing::Delayed { until_ms, .. } => TicketState::Delayed { until_ms },
                Standing::Dead(_) => TicketState::Dead,
            },
            number: 0,
            priority: ticket.terms.priority,
            stays: ticket.terms.stay,
            attempt: self.attempt(ticket),
            hold_ms: claim.and_then(|claim| claim.hold_ms),
            note: ticket.note.clone(),
        }
    }

    /// The how manieth attempt is under way, or comes next. A lost one has been counted already.
    pub(super) fn attempt(&self, ticket: &Ticket) -> u32 {
        let claim = self.claim(&ticket.resource, &ticket.name);
        let is_lost = claim.is_some_and(|claim| claim.holder.session().is_none());
        ticket.attempts + u32::from(!is_lost)
    }

    /// The tickets that a session issued, in the order in which they came to it.
    fn issued_by(&self, session: SessionId) -> Vec<&Ticket> {
        let mine = |ticket: &&Ticket| ticket.issuer.is(session);
        let mut issued: Vec<_> = self.tickets.iter().filter(mine).collect();
        issued.sort_by_key(|ticket| ticket.issued_at);
        issued
    }
}
