//! Sessions, resources and tickets as dumps show them.

use super::types::{ResourceView, SessionView, TicketView};
use crate::machine::command::{Kind, Party, Refusal};
use crate::machine::names::{Fence, Name, SessionId};
use crate::machine::rows::{Held, HoldKey, ResourceKey, SessionKey, TicketKey};
use crate::machine::tables::Machine;

impl Machine {
    /// A session as dumps show it; `None` when there is no such session.
    #[must_use]
    pub fn session_view(&self, id: &SessionId) -> Option<SessionView> {
        let key = self.living_key(id)?;
        let tables = &self.tables;
        let session = &tables.sessions[key];
        let claims = session.claims.keys(&tables.holds, |h| &h.in_session);
        let issued = session.issued.keys(&tables.tickets, |t| &t.in_issued);
        Some(SessionView {
            info: session.info.clone(),
            claims: claims.filter_map(|hold| self.held_ticket(hold)).collect(),
            issued: issued.map(|key| self.ticket_view(key)).collect(),
            locks: self.lock_names(key),
        })
    }

    /// The locks that a session holds, in order of their fences.
    pub(super) fn lock_names(&self, key: SessionKey) -> Vec<Name> {
        let tables = &self.tables;
        let locks = tables.sessions[key].locks.keys(&tables.holds, |h| &h.in_session);
        let resource = |hold: HoldKey| tables.holds[hold].resource;
        locks.map(|hold| tables.resources[resource(hold)].name.clone()).collect()
    }

    /// The ticket that is held, if it is one.
    pub(super) fn held_ticket(&self, hold: HoldKey) -> Option<TicketView> {
        match self.tables.holds[hold].what {
            Held::Ticket(ticket) => Some(self.ticket_view(ticket)),
            Held::Lock(_) => None,
        }
    }

    /// A resource as dumps show it; `None` when it is not known.
    #[must_use]
    pub fn resource_view(&self, name: &str) -> Option<ResourceView> {
        let key = self.known_key(name).ok()?;
        let all = self.tables.resources[key].tickets;
        let keys = all.keys(&self.tables.tickets, |t| &t.in_all);
        let tickets: Vec<_> = keys.map(|key| self.ticket_view(key)).collect();
        assert!(tickets.len() == all.len(), "a resource's tickets were miscounted");
        Some(ResourceView { tickets, ..self.resource_head_at(key) })
    }

    /// A resource's view without its tickets.
    pub(super) fn resource_head_at(&self, key: ResourceKey) -> ResourceView {
        let resource = &self.tables.resources[key];
        let holds = resource.holds.keys(&self.tables.holds, |h| &h.in_resource);
        let is_held_lock = resource.kind == Some(Kind::Lock);
        let holds = holds.take(if is_held_lock { usize::MAX } else { 0 });
        let holders = holds.map(|hold| self.holder(hold)).collect();
        let (name, is_lock) = (resource.name.clone(), resource.last == Kind::Lock);
        ResourceView { name, is_lock, holders, tickets: Vec::new() }
    }

    pub(super) fn holder(&self, hold: HoldKey) -> (Party, Fence) {
        (self.party(hold), self.tables.holds[hold].fence)
    }

    pub(super) fn ticket_view(&self, key: TicketKey) -> TicketView {
        let ticket = &self.tables.tickets[key];
        let hold = ticket.hold();
        let is_lost = hold.is_some_and(|hold| self.tables.holds[hold].holder().is_none());
        TicketView {
            resource: self.tables.resources[ticket.resource].name.clone(),
            ticket: ticket.name.clone(),
            data: ticket.data.clone(),
            issuer: self.issuer(key),
            claim: hold.map(|hold| self.holder(hold)),
            state: self.state_of(ticket),
            number: ticket.number,
            priority: ticket.priority,
            stays: ticket.stays,
            // That of one that is lost was counted.
            attempt: ticket.attempts.saturating_add(u32::from(!is_lost)),
            hold_ms: hold.and_then(|hold| self.tables.holds[hold].hold_ms()),
            note: ticket.extra.as_ref().and_then(|extra| extra.note.clone()),
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
        if self.tables.resources[key].kind == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let ticket = self.tables.find_ticket(key, ticket);
        let hold = ticket.and_then(|ticket| self.ticket_hold(ticket, session));
        Ok(hold.map(|hold| self.tables.holds[hold].fence))
    }

    /// Who watches a resource, oldest watch first, and whether it is told of every change.
    pub fn watchers(&self, name: &str) -> impl Iterator<Item = (SessionId, bool)> {
        let tables = &self.tables;
        let key = self.resource_key(name);
        let list = key.map(|key| tables.resources[key].watchers).unwrap_or_default();
        list.keys(&tables.watches, |w| &w.in_resource).map(|key| {
            let watch = &tables.watches[key];
            (tables.sessions[watch.session].info.id, watch.changes)
        })
    }
}
