//! Tickets in the model: issued, given back, revoked, revived, and what becomes of them.

use ticketd::machine::{
    Data, DelayId, Event, Fence, ISSUED_MAX, Kind, Limit, LossReason, Name, Parting, REVIVE_SLICE,
    Reach, Refusal, ReleaseReason, Reply, SessionId, TICKETS_MAX, TicketTerms,
};

use super::{Answer, Model, Standing, Ticket, Whose, count};

impl Model {
    pub(super) fn issue(
        &mut self,
        session: SessionId,
        resource: &Name,
        name: &Name,
        data: Data,
        notify: bool,
        terms: TicketTerms,
    ) -> Answer {
        self.living(session)?;
        self.may_be(resource, Kind::Tickets)?;
        let former = self.ticket(resource, name);
        if terms.only_new && former.is_some() {
            return Err(Refusal::TicketExists);
        }
        let issued = self.tickets.iter().filter(|ticket| ticket.issuer.is(session)).count();
        let mine = former.is_some_and(|index| self.tickets[index].issuer.is(session));
        if !mine && issued >= ISSUED_MAX {
            return Err(Refusal::Limit(Limit::Issued));
        }
        let here = self.tickets.iter().filter(|ticket| ticket.resource == *resource);
        if former.is_none() && here.count() >= TICKETS_MAX {
            return Err(Refusal::Limit(Limit::Tickets));
        }
        let now = self.tick();
        let Some(index) = former else {
            self.tickets.push(Ticket {
                resource: resource.clone(),
                name: name.clone(),
                data,
                issuer: Whose::Its(session),
                notify,
                terms,
                standing: Standing::Free(now),
                attempts: 0,
                note: None,
                issued_at: now,
            });
            self.begin_to_stand(resource, name, terms.delay_ms);
            return Ok(Reply::Done);
        };
        if !mine {
            self.tell_of_taking(resource, name, session);
            self.tickets[index].issued_at = now;
        }
        let ticket = &mut self.tickets[index];
        ticket.data = data.clone();
        ticket.issuer = Whose::Its(session);
        ticket.notify = notify;
        ticket.terms = terms;
        self.stand_again(resource, name, data);
        Ok(Reply::Done)
    }

    /// What it means for a ticket that is there that it was issued again.
    fn stand_again(&mut self, resource: &Name, name: &Name, data: Data) {
        let index = self.ticket(resource, name).expect("it is there");
        let terms = self.tickets[index].terms;
        if let Some(claim) = self.claim(resource, name) {
            if let Some(to) = claim.holder.session() {
                let (resource, ticket, fence) = (resource.clone(), name.clone(), claim.fence);
                self.events.push(Event::TicketUpdated { to, resource, ticket, data, fence });
            }
            return;
        }
        match self.tickets[index].standing {
            Standing::Free(_) if terms.delay_ms == 0 => {}
            Standing::Dead(_) => {
                self.tickets[index].attempts = 0;
                self.tickets[index].note = None;
                self.begin_to_stand(resource, name, terms.delay_ms);
            }
            Standing::Free(_) | Standing::Delayed { .. } => {
                self.end_delay(resource, name);
                self.begin_to_stand(resource, name, terms.delay_ms);
            }
        }
    }

    /// It is free, now or later.
    fn begin_to_stand(&mut self, resource: &Name, name: &Name, delay_ms: u32) {
        if delay_ms == 0 {
            return self.set_free(resource, name);
        }
        let delay = self.next_delay;
        self.next_delay = DelayId(delay.0 + 1);
        let until_ms = self.clock_ms + u64::from(delay_ms);
        let index = self.ticket(resource, name).expect("it is there");
        self.tickets[index].standing = Standing::Delayed { delay, delay_ms, until_ms };
        self.events.push(Event::DelayBegan { delay, delay_ms, until_ms });
    }

    /// A delay that there may be is over, or not wanted any more.
    pub(super) fn end_delay(&mut self, resource: &Name, name: &Name) {
        let index = self.ticket(resource, name).expect("it is there");
        if let Standing::Delayed { delay, .. } = self.tickets[index].standing {
            self.events.push(Event::DelayEnded { delay });
        }
    }

    /// Where a ticket goes that is not held any more.
    pub(super) fn settle(&mut self, resource: &Name, name: &Name, parting: &Parting) {
        let index = self.ticket(resource, name).expect("it is there");
        if parting.dead || self.is_worn_out(index) {
            self.tickets[index].standing = Standing::Dead(self.tick());
        } else {
            self.begin_to_stand(resource, name, parting.delay_ms);
        }
    }

    /// Whether it was tried as often as it may be.
    pub(super) fn is_worn_out(&self, index: usize) -> bool {
        let Ticket { terms, attempts, .. } = &self.tickets[index];
        terms.attempts.is_some_and(|most| *attempts >= u32::from(most))
    }

    /// It goes to whoever is the first to wait for it, or stays free.
    fn set_free(&mut self, resource: &Name, name: &Name) {
        let now = self.tick();
        let index = self.ticket(resource, name).expect("it is there");
        self.tickets[index].standing = Standing::Free(now);
        self.admit(resource);
        if self.claim(resource, name).is_none() {
            self.freed.insert(resource.clone());
        }
    }

    pub(super) fn ripen(&mut self, delays: &[DelayId]) -> Answer {
        for &due in delays {
            let ticket = self.tickets.iter().find(|ticket| match ticket.standing {
                Standing::Delayed { delay, .. } => delay == due,
                _ => false,
            });
            if let Some((resource, name)) = ticket.map(|it| (it.resource.clone(), it.name.clone()))
            {
                self.end_delay(&resource, &name);
                self.set_free(&resource, &name);
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn revive(
        &mut self,
        session: Option<SessionId>,
        resource: &Name,
        only: Option<&Name>,
    ) -> Answer {
        session.map_or(Ok(()), |session| self.living(session))?;
        self.must_be(resource, Kind::Tickets)?;
        if only.is_some_and(|only| self.ticket(resource, only).is_none()) {
            return Err(Refusal::TicketNotFound);
        }
        let mut dead: Vec<(u64, Name)> = Vec::new();
        for ticket in self.tickets.iter().filter(|ticket| ticket.resource == *resource) {
            if let Standing::Dead(since) = ticket.standing
                && only.is_none_or(|only| ticket.name == *only)
            {
                dead.push((since, ticket.name.clone()));
            }
        }
        dead.sort();
        dead.truncate(REVIVE_SLICE);
        for (_, name) in &dead {
            let index = self.ticket(resource, name).expect("it is dead");
            self.tickets[index].attempts = 0;
            self.tickets[index].note = None;
            self.set_free(resource, name);
        }
        Ok(Reply::Revived(count(dead.len())))
    }

    pub(super) fn release(
        &mut self,
        session: SessionId,
        resource: &Name,
        name: &Name,
        only: Option<Fence>,
        by_socket: bool,
        parting: &Parting,
    ) -> Answer {
        self.living(session)?;
        self.must_be(resource, Kind::Tickets)?;
        let mine = self.claim(resource, name).filter(|claim| claim.holder.is(session));
        let mine = mine.filter(|claim| only.is_none_or(|only| only == claim.fence));
        let Some(fence) = mine.map(|claim| claim.fence) else { return Ok(Reply::Released(false)) };
        if !by_socket {
            let (resource, ticket, reason) = (resource.clone(), name.clone(), LossReason::Released);
            let event = Event::TicketRevoked { to: session, resource, ticket, fence, reason };
            self.events.push(event);
        }
        if parting.note.is_some() {
            let index = self.ticket(resource, name).expect("it is held");
            self.tickets[index].note = parting.note.clone();
        }
        self.end_claim(resource, name, ReleaseReason::Released, parting);
        Ok(Reply::Released(true))
    }

    /// Whether somebody who may not do that to any ticket may do it to this one.
    fn reaches(&self, session: SessionId, index: usize, reach: Reach) -> bool {
        let Ticket { issuer, resource, name, .. } = &self.tickets[index];
        let claim = self.claim(resource, name);
        let is_claimed = claim.is_some_and(|claim| claim.holder.is(session));
        issuer.is(session) || (reach == Reach::IssuedOrClaimed && is_claimed)
    }

    pub(super) fn revoke(
        &mut self,
        session: SessionId,
        resource: &Name,
        name: &Name,
        reach: Reach,
        only: Option<Fence>,
    ) -> Answer {
        let lives = self.sessions.contains_key(&session);
        let ticket = self.ticket(resource, name).filter(|_| lives);
        if reach != Reach::Any && !ticket.is_some_and(|it| self.reaches(session, it, reach)) {
            return Err(Refusal::Forbidden);
        }
        self.living(session)?;
        self.must_be(resource, Kind::Tickets)?;
        let index = self.ticket(resource, name).ok_or(Refusal::TicketNotFound)?;
        let claim = self.claim(resource, name).map(|claim| (claim.holder.clone(), claim.fence));
        if only.is_some_and(|only| claim.as_ref().is_none_or(|(_, fence)| *fence != only)) {
            return Err(Refusal::NotHolder);
        }
        if let Some((Whose::Its(to), fence)) = claim {
            let (resource, ticket, reason) = (resource.clone(), name.clone(), LossReason::Revoked);
            self.events.push(Event::TicketRevoked { to, resource, ticket, fence, reason });
        }
        if !self.tickets[index].issuer.is(session) {
            if let Some((Whose::Its(claimant), _)) = claim {
                let by_itself = claimant == session;
                let reason =
                    if by_itself { ReleaseReason::Released } else { ReleaseReason::Forced };
                self.tell_of_release(resource, name, reason, &Parting::default(), false);
            }
            self.tell_of_taking(resource, name, session);
        }
        if let Some((_, fence)) = claim {
            self.end_hold(fence);
        }
        self.end_delay(resource, name);
        self.tickets.remove(index);
        Ok(Reply::Done)
    }

    /// Tells the issuer that another session has taken its ticket.
    fn tell_of_taking(&mut self, resource: &Name, name: &Name, by: SessionId) {
        let index = self.ticket(resource, name).expect("it is still there");
        let by = self.info(by).name.clone();
        if let Some(to) = self.tickets[index].issuer.session() {
            let (resource, ticket) = (resource.clone(), name.clone());
            self.events.push(Event::TicketTaken { to, resource, ticket, by });
        }
    }
}
