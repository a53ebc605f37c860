//! Claims: tickets taken, waited for, given back.

use super::command::{Kind, Limit, Refusal, Reply};
use super::event::{Event, LossReason};
use super::names::{Fence, HOLDS_MAX, Name, SessionId, WaitRequest};
use super::rows::{Held, HoldKey, ResourceKey, SessionKey, TicketKey};
use super::tables::Machine;

impl Machine {
    pub(super) fn claim_named(
        &mut self,
        session: SessionId,
        name: &Name,
        ticket: &Name,
        wait_request: Option<WaitRequest>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let resource = self.ticket_resource(name)?;
        let found = resource.and_then(|key| self.tables.find_ticket(key, ticket.as_str()));
        if let Some(key) = found {
            if let Some(hold) = self.ticket_hold(key, session) {
                return Ok(self.granted(hold, false));
            }
            if self.tables.tickets[key].hold.is_none() {
                return self.claim_free(session, key, out);
            }
        }
        match wait_request {
            Some(wait_request) => {
                self.join(session, name, Kind::Tickets, Some(ticket), wait_request, out)
            }
            None if found.is_some() => Err(Refusal::TicketHeld),
            None => Err(Refusal::TicketNotFound),
        }
    }

    pub(super) fn claim_any(
        &mut self,
        session: SessionId,
        name: &Name,
        wait_request: Option<WaitRequest>,
        again: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let resource = self.ticket_resource(name)?;
        if let Some(key) = resource {
            if again && let Some(hold) = self.first_claim(session, key) {
                return Ok(self.granted(hold, false));
            }
            if let Some(free) = self.tables.resources[key].free.first() {
                return self.claim_free(session, free, out);
            }
        }
        assert!(
            resource.is_none_or(|key| self.tables.resources[key].free.is_empty()),
            "a free ticket was passed over"
        );
        match wait_request {
            None => Ok(Reply::NotGranted),
            Some(wait_request) => self.join(session, name, Kind::Tickets, None, wait_request, out),
        }
    }

    /// The claim with the lowest fence that a session has in a resource.
    fn first_claim(&self, session: SessionKey, resource: ResourceKey) -> Option<HoldKey> {
        let by_resource = &self.tables.sessions[session].by_resource;
        let (&(found, _), &hold) = by_resource.range((resource, Fence(0))..).next()?;
        (found == resource).then_some(hold)
    }

    fn claim_free(
        &mut self,
        session: SessionKey,
        ticket: TicketKey,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        if self.tables.sessions[session].holds() >= HOLDS_MAX {
            return Err(Refusal::Limit(Limit::Holds));
        }
        // Nothing below can refuse.
        let resource = self.tables.tickets[ticket].resource;
        let hold = self.change(resource, |machine| {
            machine.leave_free(ticket);
            machine.begin_hold(session, resource, Held::Ticket(ticket))
        });
        assert!(self.ticket_hold(ticket, session) == Some(hold), "a claim was given to nobody");
        self.tell_issuer_of_claim(hold, out);
        Ok(self.granted(hold, true))
    }

    pub(super) fn release(
        &mut self,
        session: SessionId,
        name: &Name,
        ticket: &Name,
        only: Option<Fence>,
        by_socket: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session_key = self.session_key(session)?;
        let resource = self.known_key(name.as_str())?;
        if self.tables.resources[resource].kind == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let found = self.tables.find_ticket(resource, ticket.as_str());
        let hold = found.and_then(|ticket| self.ticket_hold(ticket, session_key));
        let Some(hold) = hold.filter(|&hold| self.is_by(hold, only)) else {
            return Ok(Reply::Released(false));
        };
        // Nothing below can refuse.
        assert!(self.tables.holds[hold].resource == resource, "a claim is of another resource");
        if !by_socket {
            let (resource, ticket, reason) = (name.clone(), ticket.clone(), LossReason::Released);
            let fence = self.tables.holds[hold].fence;
            out.push(Event::TicketRevoked { to: session, resource, ticket, fence, reason });
        }
        self.pass_on(hold, out);
        Ok(Reply::Released(true))
    }

    /// The resource of that name, if there is one; a lock is refused.
    pub(super) fn ticket_resource(&self, name: &Name) -> Result<Option<ResourceKey>, Refusal> {
        let Some(key) = self.resource_key(name.as_str()) else { return Ok(None) };
        match self.tables.resources[key].kind {
            Some(Kind::Lock) => Err(Refusal::WrongKind),
            Some(Kind::Tickets) | None => Ok(Some(key)),
        }
    }
}
