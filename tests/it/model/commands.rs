//! What sessions ask of the model: locks, tickets, places in queues and watches.

use ticketd::machine::{
    Data, Event, Fence, ISSUED_MAX, Kind, Limit, LossReason, Name, Owner, Reach, Refusal, Reply,
    SessionId, WATCHES_MAX, WaitRequest,
};

use super::{Answer, Model, Ticket, Watch};

impl Model {
    pub(super) fn lock(
        &mut self,
        session: SessionId,
        resource: &Name,
        wait_request: Option<WaitRequest>,
    ) -> Answer {
        self.living(session)?;
        if self.kind(resource) == Some(Kind::Tickets) {
            return Err(Refusal::WrongKind);
        }
        let held = self.locks.iter().find(|lock| lock.resource == *resource);
        match held.map(|lock| (lock.holder, lock.fence)) {
            Some((holder, fence)) if holder == session => {
                let grant = self.lock_grant(resource, fence);
                Ok(Reply::Granted { grant, fresh: false })
            }
            Some((holder, _)) => {
                let Some(wait_request) = wait_request else { return Ok(Reply::NotGranted) };
                let first = self.waiting(resource) == 0;
                let reply = self.join(session, resource, Kind::Lock, None, wait_request)?;
                if first {
                    let resource = resource.clone();
                    self.events.push(Event::LockWanted { to: holder, resource, waiting: 1 });
                }
                Ok(reply)
            }
            None => {
                self.may_hold_more(session)?;
                let grant = self.take_lock(session, resource);
                Ok(Reply::Granted { grant, fresh: true })
            }
        }
    }

    pub(super) fn unlock(
        &mut self,
        session: SessionId,
        resource: &Name,
        fence: Option<Fence>,
        by_socket: bool,
    ) -> Answer {
        self.living(session)?;
        if !self.is_known(resource.as_str()) {
            return Err(Refusal::ResourceNotFound);
        }
        if self.kind(resource) == Some(Kind::Tickets) {
            return Err(Refusal::WrongKind);
        }
        let held = self.locks.iter().position(|lock| lock.resource == *resource);
        let index = held.ok_or(Refusal::NotLocked)?;
        let lock = &self.locks[index];
        if lock.holder != session || fence.is_some_and(|fence| fence != lock.fence) {
            return Err(Refusal::NotHolder);
        }
        let lock = self.locks.remove(index);
        if !by_socket {
            let (resource, fence) = (resource.clone(), lock.fence);
            self.events.push(Event::LockLost { to: session, resource, fence });
        }
        self.pass_lock_on(resource);
        Ok(Reply::Done)
    }

    /// Claims that very ticket.
    pub(super) fn claim_that(
        &mut self,
        session: SessionId,
        resource: &Name,
        name: &Name,
        wait_request: Option<WaitRequest>,
    ) -> Answer {
        self.living(session)?;
        if self.kind(resource) == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let ticket = self.ticket(resource, name);
        let refusal = match ticket.map(|index| self.tickets[index].claim) {
            Some(Some((claimant, _))) if claimant == session => {
                let grant = self.ticket_grant(resource, name);
                return Ok(Reply::Granted { grant, fresh: false });
            }
            Some(None) => return self.claim_free(session, resource, name),
            Some(Some(_)) => Refusal::TicketHeld,
            None => Refusal::TicketNotFound,
        };
        let wait_request = wait_request.ok_or(refusal)?;
        self.join(session, resource, Kind::Tickets, Some(name), wait_request)
    }

    /// Claims any ticket.
    pub(super) fn claim_any(
        &mut self,
        session: SessionId,
        resource: &Name,
        wait_request: Option<WaitRequest>,
        again: bool,
    ) -> Answer {
        self.living(session)?;
        if self.kind(resource) == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let here = || self.tickets.iter().filter(|ticket| ticket.resource == *resource);
        let mine = here()
            .filter_map(|ticket| ticket.claim.map(|(claimant, fence)| (claimant, fence, ticket)))
            .filter(|(claimant, ..)| *claimant == session)
            .min_by_key(|(_, fence, _)| *fence);
        if let (true, Some((.., ticket))) = (again, mine) {
            let grant = self.ticket_grant(resource, &ticket.name);
            return Ok(Reply::Granted { grant, fresh: false });
        }
        let free = here().filter(|ticket| ticket.claim.is_none());
        if let Some(name) = free.min_by_key(|ticket| ticket.freed_at).map(|t| t.name.clone()) {
            return self.claim_free(session, resource, &name);
        }
        match wait_request {
            Some(wait_request) => self.join(session, resource, Kind::Tickets, None, wait_request),
            None => Ok(Reply::NotGranted),
        }
    }

    fn claim_free(&mut self, session: SessionId, resource: &Name, name: &Name) -> Answer {
        self.may_hold_more(session)?;
        let grant = self.take_ticket(session, resource, name);
        self.tell_of_claim(resource, name);
        Ok(Reply::Granted { grant, fresh: true })
    }

    pub(super) fn release(
        &mut self,
        session: SessionId,
        resource: &Name,
        name: &Name,
        only: Option<Fence>,
        by_socket: bool,
    ) -> Answer {
        self.living(session)?;
        if !self.is_known(resource.as_str()) {
            return Err(Refusal::ResourceNotFound);
        }
        if self.kind(resource) == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let claim = self.ticket(resource, name).and_then(|index| self.tickets[index].claim);
        let Some((claimant, fence)) = claim else { return Ok(Reply::Released(false)) };
        if claimant != session || only.is_some_and(|only| only != fence) {
            return Ok(Reply::Released(false));
        }
        if !by_socket {
            let (resource, ticket, reason) = (resource.clone(), name.clone(), LossReason::Released);
            let event = Event::TicketRevoked { to: session, resource, ticket, fence, reason };
            self.events.push(event);
        }
        self.tell_of_release(resource, name);
        self.set_free(resource, name);
        Ok(Reply::Released(true))
    }

    pub(super) fn issue(
        &mut self,
        session: SessionId,
        resource: &Name,
        name: &Name,
        data: Data,
        notify: bool,
    ) -> Answer {
        self.living(session)?;
        if self.kind(resource) == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let former = self.ticket(resource, name);
        let issued = self.tickets.iter().filter(|ticket| ticket.issuer == session).count();
        let mine = former.is_some_and(|index| self.tickets[index].issuer == session);
        if !mine && issued >= ISSUED_MAX {
            return Err(Refusal::Limit(Limit::Issued));
        }
        let now = self.tick();
        let Some(index) = former else {
            let (resource, name) = (resource.clone(), name.clone());
            self.tickets.push(Ticket {
                resource: resource.clone(),
                name: name.clone(),
                data,
                issuer: session,
                notify,
                claim: None,
                issued_at: now,
                freed_at: now,
            });
            self.set_free(&resource, &name);
            return Ok(Reply::Done);
        };
        if !mine {
            self.tell_of_taking(resource, name, session);
            self.tickets[index].issued_at = now;
        }
        let ticket = &mut self.tickets[index];
        ticket.data = data.clone();
        ticket.issuer = session;
        ticket.notify = notify;
        if let Some((to, fence)) = ticket.claim {
            let (resource, ticket) = (resource.clone(), name.clone());
            self.events.push(Event::TicketUpdated { to, resource, ticket, data, fence });
        }
        Ok(Reply::Done)
    }

    pub(super) fn adopt(&mut self, session: SessionId, owner: &Owner) -> Answer {
        self.living(session)?;
        let is_new = !self.owners.contains_key(&session);
        if self.owners.entry(session).or_insert_with(|| owner.clone()) == owner {
            Ok(Reply::Adopted(is_new))
        } else {
            Err(Refusal::SessionNotFound)
        }
    }

    /// Whether somebody who may not do that to any ticket may do it to this one.
    fn reaches(&self, session: SessionId, index: usize, reach: Reach) -> bool {
        let Ticket { issuer, claim, .. } = &self.tickets[index];
        let is_claimed = claim.is_some_and(|(claimant, _)| claimant == session);
        *issuer == session || (reach == Reach::IssuedOrClaimed && is_claimed)
    }

    pub(super) fn revoke(
        &mut self,
        session: SessionId,
        resource: &Name,
        name: &Name,
        reach: Reach,
    ) -> Answer {
        let lives = self.sessions.contains_key(&session);
        let ticket = self.ticket(resource, name).filter(|_| lives);
        if reach != Reach::Any && !ticket.is_some_and(|it| self.reaches(session, it, reach)) {
            return Err(Refusal::Forbidden);
        }
        self.living(session)?;
        if !self.is_known(resource.as_str()) {
            return Err(Refusal::ResourceNotFound);
        }
        if self.kind(resource) == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let index = self.ticket(resource, name).ok_or(Refusal::TicketNotFound)?;
        if let Some((to, fence)) = self.tickets[index].claim {
            let (resource, ticket, reason) = (resource.clone(), name.clone(), LossReason::Revoked);
            self.events.push(Event::TicketRevoked { to, resource, ticket, fence, reason });
        }
        if self.tickets[index].issuer != session {
            self.tell_of_release(resource, name);
            self.tell_of_taking(resource, name, session);
        }
        self.tickets.remove(index);
        Ok(Reply::Done)
    }

    pub(super) fn watch(&mut self, session: SessionId, resource: Name, changes: bool) -> Answer {
        self.living(session)?;
        let same = |watch: &&mut Watch| watch.session == session && watch.resource == resource;
        let watching = self.watches.iter().filter(|watch| watch.session == session).count();
        let figures = self.figures(&resource);
        match self.watches.iter_mut().find(same) {
            Some(watch) => watch.changes = changes,
            None if watching >= WATCHES_MAX => return Err(Refusal::Limit(Limit::Watches)),
            None => self.watches.push(Watch { session, resource, changes }),
        }
        Ok(Reply::Watching(figures))
    }

    pub(super) fn blind(&mut self, to: SessionId, resource: Name) -> Answer {
        let before = self.watches.len();
        self.unwatch(to, &resource)?;
        let ended = self.watches.len() < before;
        if ended {
            self.events.push(Event::WatchEnded { to, resource });
        }
        Ok(Reply::Cancelled(ended))
    }

    pub(super) fn unwatch(&mut self, session: SessionId, resource: &Name) -> Answer {
        self.living(session)?;
        self.watches.retain(|watch| watch.session != session || watch.resource != *resource);
        Ok(Reply::Done)
    }
}
