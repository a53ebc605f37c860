//! Claims: tickets taken, waited for, given back, passed on.

use super::command::{Grant, Kind, Limit, Refusal, Reply, TicketGrant};
use super::event::{Event, LossReason};
use super::names::{Fence, HOLDS_MAX, Name, SessionId, WaitOrigin, WaitRequest};
use super::rows::{ResourceKey, SessionKey, TicketKey};
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
        let found = resource.and_then(|key| self.ticket_key(key, ticket));
        let claim = found.map(|key| (key, self.tables.tickets[key as usize].claim));
        match (claim, wait_request) {
            (Some((key, Some((holder, fence)))), _) if holder == session => {
                Ok(self.granted(key, session, fence, false))
            }
            (Some((key, None)), _) => self.claim_free(session, key, out),
            (_, Some(wait_request)) => {
                self.join(session, name, Some(ticket), wait_request, true, out)
            }
            (Some(_), None) => Err(Refusal::TicketHeld),
            (None, None) => Err(Refusal::TicketNotFound),
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
        if let Some(key) = self.ticket_resource(name)? {
            if again {
                let claims = &self.tables.sessions[session as usize].claims;
                let held = claims.range((key, Fence(0))..).next();
                if let Some((&(_, fence), &ticket)) = held.filter(|((in_, _), _)| *in_ == key) {
                    return Ok(self.granted(ticket, session, fence, false));
                }
            }
            let tickets = self.tables.resources[key as usize].tickets();
            if let Some(free) = tickets.and_then(|tickets| tickets.free.first()) {
                return self.claim_free(session, free, out);
            }
        }
        match wait_request {
            None => Ok(Reply::NotGranted),
            Some(wait_request) => {
                let shared = matches!(wait_request.origin, WaitOrigin::Request(_));
                self.join(session, name, None, wait_request, shared, out)
            }
        }
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
        if self.tables.resources[resource as usize].kind() == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let Some(key) = self.ticket_key(resource, ticket) else {
            return Ok(Reply::Released(false));
        };
        let fence = match self.tables.tickets[key as usize].claim {
            Some((holder, fence))
                if holder == session_key && only.is_none_or(|only| only == fence) =>
            {
                fence
            }
            _ => return Ok(Reply::Released(false)),
        };
        // Nothing below can refuse.
        if !by_socket {
            let (resource, ticket, reason) = (name.clone(), ticket.clone(), LossReason::Released);
            out.push(Event::TicketRevoked { to: session, resource, ticket, fence, reason });
        }
        self.pass_on_ticket(key, out);
        Ok(Reply::Released(true))
    }

    /// Takes a claimed ticket from its claimant and gives it to the next, if anybody waits.
    pub(super) fn pass_on_ticket(&mut self, key: TicketKey, out: &mut Vec<Event>) {
        let resource = self.tables.tickets[key as usize].resource;
        self.touch(resource);
        self.tell_issuer_of_release(key, out);
        self.unclaim(key);
        self.free_ticket(key, out);
        self.reindex(resource);
    }

    /// A ticket that nobody holds goes to the earliest wait that accepts it, else to the end of
    /// the free ones. The caller touches before and settles after.
    pub(super) fn free_ticket(&mut self, key: TicketKey, out: &mut Vec<Event>) {
        let ticket = &self.tables.tickets[key as usize];
        let (resource, name) = (ticket.resource, ticket.name.clone());
        let Some(wait) = self.first_for_ticket(resource, &name) else {
            let place = self.serial();
            let tables = &mut self.tables;
            tables.tickets[key as usize].place = place;
            let free = &mut tables.resources[resource as usize].tickets_mut().free;
            free.push(&mut tables.tickets, key, |t| &mut t.in_free);
            if let Some(at) = tables.resources[resource as usize].touched {
                self.touched[at as usize].freed = true;
            }
            return;
        };
        let next = self.tables.waits[wait as usize].session;
        let fence = self.take(key, next);
        let ended = self.leave_queue(wait);
        let grant = Grant::Ticket(self.ticket_grant(key, next, fence));
        self.answer_wait(ended, &grant, out);
        self.tell_issuer_of_claim(key, out);
    }

    fn claim_free(
        &mut self,
        session: SessionKey,
        key: TicketKey,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        if self.tables.sessions[session as usize].holds() >= HOLDS_MAX {
            return Err(Refusal::Limit(Limit::Holds));
        }
        let resource = self.tables.tickets[key as usize].resource;
        self.touch(resource);
        let tables = &mut self.tables;
        let free = &mut tables.resources[resource as usize].tickets_mut().free;
        free.remove(&mut tables.tickets, key, |t| &mut t.in_free);
        let fence = self.take(key, session);
        self.tell_issuer_of_claim(key, out);
        Ok(self.granted(key, session, fence, true))
    }

    /// Enters a claim of a ticket that is neither claimed nor among the free.
    fn take(&mut self, key: TicketKey, session: SessionKey) -> Fence {
        let fence = self.fence();
        let tables = &mut self.tables;
        let ticket = &mut tables.tickets[key as usize];
        assert!(ticket.claim.is_none(), "a ticket was granted twice");
        ticket.claim = Some((session, fence));
        tables.sessions[session as usize].claims.insert((ticket.resource, fence), key);
        tables.claims += 1;
        fence
    }

    /// Takes out a claim.
    pub(super) fn unclaim(&mut self, key: TicketKey) {
        let tables = &mut self.tables;
        let ticket = &mut tables.tickets[key as usize];
        let Some((session, fence)) = ticket.claim.take() else { panic!("nobody has this ticket") };
        let claims = &mut tables.sessions[session as usize].claims;
        assert!(claims.remove(&(ticket.resource, fence)) == Some(key), "claims disagree");
        tables.claims -= 1;
    }

    /// The resource of that name, if there is one; a lock is refused.
    pub(super) fn ticket_resource(&self, name: &Name) -> Result<Option<ResourceKey>, Refusal> {
        let Some(key) = self.resource_key(name.as_str()) else { return Ok(None) };
        match self.tables.resources[key as usize].kind() {
            Some(Kind::Lock) => Err(Refusal::WrongKind),
            Some(Kind::Tickets) | None => Ok(Some(key)),
        }
    }

    pub(super) fn ticket_key(&self, resource: ResourceKey, ticket: &Name) -> Option<TicketKey> {
        self.tables.ticket_names.get(&(resource, ticket.clone()))
    }

    fn granted(&self, key: TicketKey, to: SessionKey, fence: Fence, fresh: bool) -> Reply {
        Reply::Granted { grant: Grant::Ticket(self.ticket_grant(key, to, fence)), fresh }
    }

    pub(super) fn ticket_grant(&self, key: TicketKey, to: SessionKey, fence: Fence) -> TicketGrant {
        let ticket = &self.tables.tickets[key as usize];
        TicketGrant {
            resource: self.tables.resources[ticket.resource as usize].name.clone(),
            ticket: ticket.name.clone(),
            data: ticket.data.clone(),
            fence,
            issuer: self.info(ticket.issuer).clone(),
            claimant: self.info(to).clone(),
        }
    }

    fn tell_issuer_of_claim(&self, key: TicketKey, out: &mut Vec<Event>) {
        let ticket = &self.tables.tickets[key as usize];
        if let (true, Some((claimant, fence))) = (ticket.notify, ticket.claim) {
            out.push(Event::TicketClaimed {
                to: self.info(ticket.issuer).id,
                resource: self.tables.resources[ticket.resource as usize].name.clone(),
                ticket: ticket.name.clone(),
                claimant: self.info(claimant).name.clone(),
                fence,
            });
        }
    }

    /// To be called while the claim still stands.
    pub(super) fn tell_issuer_of_release(&self, key: TicketKey, out: &mut Vec<Event>) {
        let ticket = &self.tables.tickets[key as usize];
        if let (true, Some((claimant, fence))) = (ticket.notify, ticket.claim) {
            out.push(Event::TicketReleased {
                to: self.info(ticket.issuer).id,
                resource: self.tables.resources[ticket.resource as usize].name.clone(),
                ticket: ticket.name.clone(),
                claimant: self.info(claimant).name.clone(),
                fence,
            });
        }
    }
}
