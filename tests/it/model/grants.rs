//! How the model hands out locks and tickets: at once, through a queue, and with which words.

use ticketd::machine::{
    Event, Fence, Grant, HOLDS_MAX, Kind, Limit, LockGrant, Name, Refusal, Reply, SessionId,
    TicketGrant, WAITERS_MAX, WAITS_MAX, WaitId, WaitOrigin, WaitRequest,
};

use super::{Answer, Lock, Model, Place, Ticket};

impl Model {
    pub(super) fn may_hold_more(&self, session: SessionId) -> Result<(), Refusal> {
        let locks = self.locks.iter().filter(|lock| lock.holder == session).count();
        let mine = |ticket: &&Ticket| ticket.claim.is_some_and(|(claimant, _)| claimant == session);
        let claims = self.tickets.iter().filter(mine).count();
        if locks + claims >= HOLDS_MAX { Err(Refusal::Limit(Limit::Holds)) } else { Ok(()) }
    }

    /// Joins the queue, or the place that the session already has there for the same.
    pub(super) fn join(
        &mut self,
        session: SessionId,
        resource: &Name,
        kind: Kind,
        ticket: Option<&Name>,
        wait_request: WaitRequest,
    ) -> Answer {
        // For any ticket, only requests share a place: a socket gets one more ticket each time.
        let any = kind == Kind::Tickets && ticket.is_none();
        let shares = |place: &Place| match wait_request.origin {
            WaitOrigin::Socket => !any,
            WaitOrigin::Request(_) => !any || place.socket.is_none(),
        };
        let same = self.places.iter_mut().find(|place| {
            place.session == session
                && place.resource == *resource
                && place.ticket.as_ref() == ticket
                && shares(place)
        });
        let wait = if let Some(place) = same {
            place.add_origin(wait_request.origin, wait_request.timeout);
            place.wait
        } else {
            self.new_place(session, resource, kind, ticket, wait_request)?
        };
        Ok(Reply::Queued { wait, position: self.position(resource, wait) })
    }

    fn new_place(
        &mut self,
        session: SessionId,
        resource: &Name,
        kind: Kind,
        ticket: Option<&Name>,
        wait_request: WaitRequest,
    ) -> Result<WaitId, Refusal> {
        if self.places.iter().filter(|place| place.session == session).count() >= WAITS_MAX {
            return Err(Refusal::Limit(Limit::Waits));
        }
        if self.queue(resource).len() >= WAITERS_MAX {
            return Err(Refusal::Limit(Limit::Waiters));
        }
        let wait = self.next_wait;
        self.next_wait = WaitId(wait.0 + 1);
        let (resource, ticket) = (resource.clone(), ticket.cloned());
        let (socket, requests) = (None, Vec::new());
        let mut place = Place { wait, session, resource, kind, ticket, socket, requests };
        place.add_origin(wait_request.origin, wait_request.timeout);
        self.places.push(place);
        Ok(wait)
    }

    /// A lock that nobody holds any more goes to whoever waits first.
    pub(super) fn pass_lock_on(&mut self, resource: &Name) {
        if let Some(first) = self.places.iter().position(|place| place.resource == *resource) {
            let place = self.places.remove(first);
            let grant = self.take_lock(place.session, resource);
            self.answer(&place, &grant);
        }
    }

    /// A ticket that nobody holds any more goes to whoever is the first to wait for it, or
    /// stays free.
    pub(super) fn set_free(&mut self, resource: &Name, name: &Name) {
        let suits = |place: &Place| place.resource == *resource && place.accepts(name);
        if let Some(first) = self.places.iter().position(suits) {
            let place = self.places.remove(first);
            let grant = self.take_ticket(place.session, resource, name);
            self.answer(&place, &grant);
            self.tell_of_claim(resource, name);
        } else {
            let now = self.tick();
            let index = self.ticket(resource, name).expect("it stays");
            self.tickets[index].claim = None;
            self.tickets[index].freed_at = now;
            self.freed.insert(resource.clone());
        }
    }

    pub(super) fn take_lock(&mut self, holder: SessionId, resource: &Name) -> Grant {
        let fence = self.fence();
        self.locks.push(Lock { resource: resource.clone(), holder, fence });
        self.lock_grant(resource, fence)
    }

    pub(super) fn take_ticket(
        &mut self,
        claimant: SessionId,
        resource: &Name,
        name: &Name,
    ) -> Grant {
        let fence = self.fence();
        let index = self.ticket(resource, name).expect("it can be had");
        self.tickets[index].claim = Some((claimant, fence));
        self.ticket_grant(resource, name)
    }

    pub(super) fn lock_grant(&self, resource: &Name, fence: Fence) -> Grant {
        let waiting = self.waiting(resource);
        Grant::Lock(LockGrant { resource: resource.clone(), fence, waiting })
    }

    pub(super) fn ticket_grant(&self, resource: &Name, name: &Name) -> Grant {
        let ticket = &self.tickets[self.ticket(resource, name).expect("it was granted")];
        let (claimant, fence) = ticket.claim.expect("it was granted");
        Grant::Ticket(TicketGrant {
            resource: resource.clone(),
            ticket: name.clone(),
            data: ticket.data.clone(),
            fence,
            issuer: self.info(ticket.issuer),
            claimant: self.info(claimant),
        })
    }

    /// Tells everyone at a place that has just left its queue what it has become.
    fn answer(&mut self, place: &Place, grant: &Grant) {
        if place.socket.is_some() {
            let (to, wait, grant) = (place.session, place.wait, grant.clone());
            self.events.push(Event::Granted { to, wait, grant });
        }
        for &request in &place.requests {
            self.events.push(Event::Answered { request, grant: grant.clone() });
        }
    }

    /// Tells the issuer, if it wants to know, that the ticket has just been claimed.
    pub(super) fn tell_of_claim(&mut self, resource: &Name, name: &Name) {
        let ticket = &self.tickets[self.ticket(resource, name).expect("it was claimed")];
        let (claimant, fence) = ticket.claim.expect("it was claimed");
        if ticket.notify {
            let (to, claimant) = (ticket.issuer, self.info(claimant).name.clone());
            let (resource, ticket) = (resource.clone(), name.clone());
            self.events.push(Event::TicketClaimed { to, resource, ticket, claimant, fence });
        }
    }

    /// Tells the issuer, if it wants to know, that the claim, if there is one, is about to end.
    pub(super) fn tell_of_release(&mut self, resource: &Name, name: &Name) {
        let ticket = &self.tickets[self.ticket(resource, name).expect("it is still there")];
        if let (true, Some((claimant, fence))) = (ticket.notify, ticket.claim) {
            let (to, claimant) = (ticket.issuer, self.info(claimant).name.clone());
            let (resource, ticket) = (resource.clone(), name.clone());
            self.events.push(Event::TicketReleased { to, resource, ticket, claimant, fence });
        }
    }

    /// Tells the issuer that another session has taken its ticket.
    pub(super) fn tell_of_taking(&mut self, resource: &Name, name: &Name, by: SessionId) {
        let index = self.ticket(resource, name).expect("it is still there");
        let (to, by) = (self.tickets[index].issuer, self.info(by).name.clone());
        let (resource, ticket) = (resource.clone(), name.clone());
        self.events.push(Event::TicketTaken { to, resource, ticket, by });
    }
}
