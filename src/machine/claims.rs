//! Claims: tickets taken, waited for, given back.

use super::command::{Kind, Parting, Refusal, Reply};
use super::event::{Event, LossReason, ReleaseReason};
use super::extras::HoldExtra;
use super::holds::ClaimEnd;
use super::names::{Fence, Name, SessionId, WaitRequest};
use super::rows::{Held, HoldKey, ResourceKey, SessionKey, TicketKey, TicketStanding};
use super::tables::Machine;
use super::tally::GrantHow;
use super::waits::Wish;

/// A claim, as who has it names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamedClaim<'a> {
    pub(super) resource: &'a Name,
    pub(super) ticket: &'a Name,
    /// Only that grant.
    pub(super) fence: Option<Fence>,
}

impl Machine {
    pub(super) fn claim_named(
        &mut self,
        session: SessionId,
        name: &Name,
        ticket: &Name,
        wait_request: Option<WaitRequest>,
        hold_ms: Option<u32>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let resource = self.ticket_resource(name)?;
        let found = resource.and_then(|key| self.tables.find_ticket(key, ticket.as_str()));
        if let Some(key) = found {
            if let Some(hold) = self.ticket_hold(key, session) {
                return Ok(self.granted(hold, false));
            }
            let resource = self.tables.tickets[key].resource;
            if self.tables.tickets[key].standing == TicketStanding::Free
                && self.tables.resources[resource].is_open()
            {
                return self.claim_free(session, key, hold_ms, out);
            }
        }
        if let Some(wait_request) = wait_request {
            let ticket = Some(ticket.clone());
            let wish = Wish { ticket, hold_ms, ..Wish::of(Kind::Tickets) };
            return self.join(session, name, wish, wait_request, out);
        }
        match found.map(|key| self.tables.tickets[key].standing) {
            None => Err(Refusal::TicketNotFound),
            Some(TicketStanding::Held(_)) => Err(Refusal::TicketHeld),
            Some(_) => Ok(Reply::NotGranted),
        }
    }

    pub(super) fn claim_any(
        &mut self,
        session: SessionId,
        name: &Name,
        wait_request: Option<WaitRequest>,
        again: bool,
        hold_ms: Option<u32>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let resource = self.ticket_resource(name)?;
        if let Some(key) = resource {
            if again && let Some(hold) = self.first_by_resource(session, key) {
                return Ok(self.granted(hold, false));
            }
            if self.tables.resources[key].is_open()
                && let Some(free) = self.first_free(key)
            {
                return self.claim_free(session, free, hold_ms, out);
            }
        }
        match wait_request {
            None => Ok(Reply::NotGranted),
            Some(wait_request) => {
                let wish = Wish { hold_ms, ..Wish::of(Kind::Tickets) };
                self.join(session, name, wish, wait_request, out)
            }
        }
    }

    pub(super) fn claim_free(
        &mut self,
        session: SessionKey,
        ticket: TicketKey,
        hold_ms: Option<u32>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        self.may_hold_more(session)?;
        // Nothing below can refuse.
        let resource = self.tables.tickets[ticket].resource;
        let extra = self.lasting(ticket, hold_ms);
        let hold = self.change(resource, |machine| {
            machine.leave_free(ticket);
            let what = Held::Ticket(ticket);
            machine.begin_hold(session, resource, what, extra, GrantHow::AtOnce)
        });
        assert!(self.ticket_hold(ticket, session) == Some(hold), "a claim was given to nobody");
        self.tell_of_claim(hold, out);
        Ok(self.granted(hold, true))
    }

    /// What a claim has that ends by itself: it says when, or its ticket does.
    pub(super) fn lasting(
        &self,
        ticket: TicketKey,
        hold_ms: Option<u32>,
    ) -> Option<Box<HoldExtra>> {
        let hold_ms = hold_ms.or_else(|| self.tables.tickets[ticket].hold_ms())?;
        Some(Box::new(HoldExtra { hold_ms: Some(hold_ms), ..HoldExtra::default() }))
    }

    pub(super) fn touch(
        &mut self,
        session: SessionId,
        claim: NamedClaim<'_>,
        hold_ms: Option<u32>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let resource = self.ticket_resource(claim.resource)?.ok_or(Refusal::NotHolder)?;
        let hold = self.claim_in(resource, session, claim).ok_or(Refusal::NotHolder)?;
        // Nothing below can refuse.
        let row = &mut self.tables.holds[hold];
        if hold_ms.is_some() {
            row.extra.get_or_insert_default().hold_ms = hold_ms;
            let fence = row.fence;
            self.tables.timed.insert(fence, hold);
        }
        self.tell_of_time(hold, out);
        Ok(Reply::Touched(self.tables.holds[hold].hold_ms()))
    }

    /// The hold of a claim that a session names in a resource.
    fn claim_in(
        &self,
        resource: ResourceKey,
        session: SessionKey,
        claim: NamedClaim<'_>,
    ) -> Option<HoldKey> {
        let ticket = self.tables.find_ticket(resource, claim.ticket.as_str())?;
        self.ticket_hold(ticket, session).filter(|&hold| self.is_by(hold, claim.fence))
    }

    pub(super) fn release(
        &mut self,
        session: SessionId,
        claim: NamedClaim<'_>,
        by_socket: bool,
        parting: &Parting,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let resource = self.known_key(claim.resource.as_str())?;
        if self.tables.resources[resource].kind == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let Some(hold) = self.claim_in(resource, session, claim) else {
            return Ok(Reply::Released(false));
        };
        // Nothing below can refuse.
        if !by_socket {
            self.tell_of_loss(hold, LossReason::Released, out);
        }
        let (counts, parting) = (!parting.untried, Some(parting));
        let end = ClaimEnd { counts, parting, ..ClaimEnd::by(ReleaseReason::Released) };
        self.pass_on(hold, end, out);
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
