//! Claims in the model: who is granted which ticket, and for how long.

use std::cmp::Reverse;

use ticketd::machine::{
    Event, Fence, Grant, Kind, Mode, Name, Refusal, Reply, SessionId, TicketGrant, WaitRequest,
    WaitTimeout,
};

use super::{Answer, Hold, Model, Standing, Ticket, Whose};
use crate::model::queues::Want;

impl Model {
    /// Claims that very ticket.
    pub(super) fn claim_that(
        &mut self,
        session: SessionId,
        resource: &Name,
        name: &Name,
        wait_request: Option<WaitRequest>,
        hold_ms: Option<u32>,
    ) -> Answer {
        self.living(session)?;
        self.may_be(resource, Kind::Tickets)?;
        let claim = self.claim(resource, name);
        if claim.is_some_and(|claim| claim.holder.is(session)) {
            let grant = self.ticket_grant(resource, name);
            return Ok(Reply::Granted { grant, fresh: false });
        }
        let not_now = match self.ticket(resource, name) {
            None => Err(Refusal::TicketNotFound),
            Some(_) if claim.is_some() => Err(Refusal::TicketHeld),
            Some(index) if self.is_free(&self.tickets[index]) && !self.stands_still(resource) => {
                return self.claim_free(session, resource, name, hold_ms);
            }
            Some(_) => Ok(Reply::NotGranted),
        };
        let Some(wait_request) = wait_request else { return not_now };
        if let Some(circle) = self.circle(session, resource, Some(name)) {
            return Ok(Reply::Deadlock(circle));
        }
        let want = Want::Ticket { ticket: Some(name.clone()), hold_ms };
        self.join(session, resource, want, wait_request)
    }

    /// Claims any ticket.
    pub(super) fn claim_any(
        &mut self,
        session: SessionId,
        resource: &Name,
        wait_request: Option<WaitRequest>,
        again: bool,
        hold_ms: Option<u32>,
    ) -> Answer {
        self.living(session)?;
        self.may_be(resource, Kind::Tickets)?;
        let mine = self.holds_of(resource).find(|hold| hold.holder.is(session));
        if let (true, Some(Hold { ticket: Some(name), .. })) = (again, mine) {
            let grant = self.ticket_grant(resource, name);
            return Ok(Reply::Granted { grant, fresh: false });
        }
        if let Some(name) = self.best_free(resource, None) {
            return self.claim_free(session, resource, &name, hold_ms);
        }
        let Some(wait_request) = wait_request else { return Ok(Reply::NotGranted) };
        self.join(session, resource, Want::Ticket { ticket: None, hold_ms }, wait_request)
    }

    /// Claims any ticket of the first of several resources that has one.
    pub(super) fn claim_first(
        &mut self,
        session: SessionId,
        resources: &[Name],
        wait: Option<WaitTimeout>,
        hold_ms: Option<u32>,
    ) -> Answer {
        self.living(session)?;
        for resource in resources {
            self.may_be(resource, Kind::Tickets)?;
        }
        for resource in resources {
            if let Some(name) = self.best_free(resource, None) {
                return self.claim_free(session, resource, &name, hold_ms);
            }
        }
        let Some(timeout) = wait else { return Ok(Reply::NotGranted) };
        self.join_several(session, resources, timeout, hold_ms)
    }

    pub(super) fn is_free(&self, ticket: &Ticket) -> bool {
        let is_held = self.claim(&ticket.resource, &ticket.name).is_some();
        !is_held && matches!(ticket.standing, Standing::Free(_))
    }

    /// The ticket that is handed out next, where anything is: of the greatest priority, and of
    /// those the one that has been free for longest; or that very one.
    pub(super) fn best_free(&self, resource: &Name, only: Option<&Name>) -> Option<Name> {
        if self.stands_still(resource) {
            return None;
        }
        let here = self.tickets.iter().filter(|ticket| ticket.resource == *resource);
        let suits = here.filter(|ticket| only.is_none_or(|only| ticket.name == *only));
        let free = suits.filter(|ticket| self.is_free(ticket));
        let rank = |ticket: &&Ticket| match ticket.standing {
            Standing::Free(since) => (Reverse(ticket.terms.priority), since),
            _ => unreachable!("it is free"),
        };
        free.min_by_key(rank).map(|ticket| ticket.name.clone())
    }

    fn claim_free(
        &mut self,
        session: SessionId,
        resource: &Name,
        name: &Name,
        hold_ms: Option<u32>,
    ) -> Answer {
        self.may_hold_more(session)?;
        let grant = self.take_ticket(session, resource, name, hold_ms);
        self.tell_of_claim(resource, name);
        Ok(Reply::Granted { grant, fresh: true })
    }

    pub(super) fn take_ticket(
        &mut self,
        claimant: SessionId,
        resource: &Name,
        name: &Name,
        hold_ms: Option<u32>,
    ) -> Grant {
        let fence = self.fence();
        let index = self.ticket(resource, name).expect("it can be had");
        let hold_ms = hold_ms.or(self.tickets[index].terms.hold_ms);
        self.holds.push(Hold {
            resource: resource.clone(),
            ticket: Some(name.clone()),
            holder: Whose::Its(claimant),
            fence,
            since_ms: self.clock_ms,
            mode: Mode::Exclusive,
            data: None,
            hold_ms,
        });
        self.time_hold(claimant, fence, hold_ms);
        self.ticket_grant(resource, name)
    }

    fn time_hold(&mut self, session: SessionId, fence: Fence, hold_ms: Option<u32>) {
        if let Some(hold_ms) = hold_ms {
            self.events.push(Event::HoldTimed { session, fence, hold_ms });
        }
    }

    pub(super) fn touch(
        &mut self,
        session: SessionId,
        resource: &Name,
        name: &Name,
        only: Option<Fence>,
        hold_ms: Option<u32>,
    ) -> Answer {
        self.living(session)?;
        self.may_be(resource, Kind::Tickets)?;
        let claim = self.claim(resource, name).filter(|claim| claim.holder.is(session));
        let claim = claim.filter(|claim| only.is_none_or(|only| only == claim.fence));
        let claim = claim.ok_or(Refusal::NotHolder)?;
        let (fence, hold_ms) = (claim.fence, hold_ms.or(claim.hold_ms));
        let hold = self.holds.iter_mut().find(|hold| hold.fence == fence).expect("it is held");
        hold.hold_ms = hold_ms;
        self.time_hold(session, fence, hold_ms);
        Ok(Reply::Touched(hold_ms))
    }

    pub(super) fn ticket_grant(&self, resource: &Name, name: &Name) -> Grant {
        let ticket = &self.tickets[self.ticket(resource, name).expect("it was granted")];
        let claim = self.claim(resource, name).expect("it was granted");
        let terms = &ticket.terms;
        let is_counted = terms.stay || terms.attempts.is_some() || claim.hold_ms.is_some();
        Grant::Ticket(TicketGrant {
            resource: resource.clone(),
            ticket: name.clone(),
            data: ticket.data.clone(),
            fence: claim.fence,
            issuer: self.party(&ticket.issuer),
            claimant: self.info(claim.holder.session().expect("somebody has it")),
            attempt: is_counted.then_some(ticket.attempts + 1),
            hold_ms: claim.hold_ms,
        })
    }

    /// Tells the issuer, if it wants to know, that the ticket has just been claimed.
    pub(super) fn tell_of_claim(&mut self, resource: &Name, name: &Name) {
        let ticket = &self.tickets[self.ticket(resource, name).expect("it was claimed")];
        let claim = self.claim(resource, name).expect("it was claimed");
        if let (true, Some(to)) = (ticket.notify, ticket.issuer.session()) {
            let claimant = claim.holder.session().expect("somebody has it");
            let (claimant, fence) = (self.info(claimant).name.clone(), claim.fence);
            let (resource, ticket) = (resource.clone(), name.clone());
            self.events.push(Event::TicketClaimed { to, resource, ticket, claimant, fence });
        }
    }
}
