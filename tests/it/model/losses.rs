//! How holds end in the model: given back, taken, timed out, or lost for a while.

use ticketd::machine::{
    Event, Fence, Kind, LossReason, Name, Parting, Refusal, ReleaseReason, Reply, SessionId,
    SessionName,
};

use super::{Answer, Hold, Model, Whose};

impl Model {
    /// A grant is in force no more.
    pub(super) fn end_hold(&mut self, fence: Fence) -> Hold {
        let index = self.holds.iter().position(|hold| hold.fence == fence).expect("it is held");
        let hold = self.holds.remove(index);
        if hold.hold_ms.is_some() {
            self.events.push(Event::HoldEnded { fence });
        }
        hold
    }

    /// A claim ends, is counted unless it is said otherwise, and the ticket goes on.
    pub(super) fn end_claim(
        &mut self,
        resource: &Name,
        name: &Name,
        reason: ReleaseReason,
        parting: &Parting,
    ) {
        let claim = self.claim(resource, name).expect("it is held");
        let fence = claim.fence;
        if claim.holder.session().is_some() {
            let index = self.ticket(resource, name).expect("it is held");
            self.tickets[index].attempts += u32::from(!parting.untried);
            let dead = parting.dead || self.is_worn_out(index);
            self.tickets[index].attempts -= u32::from(!parting.untried);
            self.tell_of_release(resource, name, reason, parting, dead);
            self.tickets[index].attempts += u32::from(!parting.untried);
        }
        self.end_hold(fence);
        self.settle(resource, name, parting);
    }

    /// Tells the issuer, if it wants to know, that the claim is about to end.
    pub(super) fn tell_of_release(
        &mut self,
        resource: &Name,
        name: &Name,
        reason: ReleaseReason,
        parting: &Parting,
        dead: bool,
    ) {
        let index = self.ticket(resource, name).expect("it is still there");
        let claim = self.claim(resource, name).expect("it is held");
        let ticket = &self.tickets[index];
        if let (true, Some(to)) = (ticket.notify, ticket.issuer.session()) {
            let claimant = claim.holder.session().expect("it was not lost");
            let event = Event::TicketReleased {
                to,
                resource: resource.clone(),
                ticket: name.clone(),
                claimant: self.info(claimant).name.clone(),
                fence: claim.fence,
                reason,
                attempt: ticket.attempts + 1,
                note: parting.note.clone(),
                dead,
            };
            self.events.push(event);
        }
    }

    /// All that a session holds ends with it, or stays for `delay_ms` as nobody's.
    pub(super) fn end_holds_of(&mut self, session: SessionId, delay_ms: u32) {
        let mine = |hold: &&Hold| hold.holder.is(session);
        let (locks, claims): (Vec<&Hold>, Vec<&Hold>) =
            self.holds.iter().filter(mine).partition(|hold| hold.ticket.is_none());
        let fences: Vec<Fence> = locks.iter().chain(&claims).map(|hold| hold.fence).collect();
        for fence in fences {
            let hold = self.holds.iter().find(|hold| hold.fence == fence).expect("it is held");
            let (resource, ticket) = (hold.resource.clone(), hold.ticket.clone());
            if delay_ms > 0 {
                self.lose(fence, &resource, ticket.as_ref(), delay_ms);
            } else if let Some(name) = ticket {
                self.end_claim(&resource, &name, ReleaseReason::Gone, &Parting::default());
            } else {
                self.end_hold(fence);
                self.admit(&resource);
            }
        }
    }

    fn lose(&mut self, fence: Fence, resource: &Name, ticket: Option<&Name>, delay_ms: u32) {
        if let Some(name) = ticket {
            let index = self.ticket(resource, name).expect("it is held");
            self.tickets[index].attempts += 1;
            let dead = self.is_worn_out(index);
            self.tickets[index].attempts -= 1;
            let parting = Parting::default();
            self.tell_of_release(resource, name, ReleaseReason::Gone, &parting, dead);
            self.tickets[index].attempts += 1;
        }
        let index = self.holds.iter().position(|hold| hold.fence == fence).expect("it is held");
        let session = self.holds[index].holder.session().expect("it was not lost before");
        let name = self.info(session).name.clone();
        if self.holds[index].hold_ms.is_some() {
            self.events.push(Event::HoldEnded { fence });
        }
        self.holds[index].holder = Whose::Nobodys(name);
        self.holds[index].hold_ms = Some(delay_ms);
        self.events.push(Event::HoldLost { fence, delay_ms });
    }

    pub(super) fn force_lock(
        &mut self,
        by: Option<SessionId>,
        resource: &Name,
        only: Option<Fence>,
    ) -> Answer {
        let name = self.name_of(by)?;
        self.must_be(resource, Kind::Lock)?;
        let all: Vec<Fence> = self.holds_of(resource).map(|hold| hold.fence).collect();
        if all.is_empty() {
            return Err(Refusal::NotLocked);
        }
        let forced = all.into_iter().filter(|fence| only.is_none_or(|only| only == *fence));
        let forced: Vec<Fence> = forced.collect();
        if forced.is_empty() {
            return Err(Refusal::NotHolder);
        }
        for fence in forced {
            let holder = self.end_hold(fence).holder.session();
            if let Some(to) = holder.filter(|to| by != Some(*to)) {
                let (resource, reason) = (resource.clone(), LossReason::Forced(name.clone()));
                self.events.push(Event::LockLost { to, resource, fence, reason });
            }
        }
        self.admit(resource);
        Ok(Reply::Done)
    }

    pub(super) fn force_ticket(
        &mut self,
        by: Option<SessionId>,
        resource: &Name,
        ticket: &Name,
        only: Option<Fence>,
    ) -> Answer {
        let name = self.name_of(by)?;
        self.must_be(resource, Kind::Tickets)?;
        let Some(claim) = self.claim(resource, ticket) else { return Ok(Reply::Released(false)) };
        let (holder, fence) = (claim.holder.session(), claim.fence);
        if only.is_some_and(|only| only != fence) {
            return Err(Refusal::NotHolder);
        }
        if let Some(to) = holder.filter(|to| by != Some(*to)) {
            let (resource, ticket) = (resource.clone(), ticket.clone());
            let reason = LossReason::Forced(name);
            self.events.push(Event::TicketRevoked { to, resource, ticket, fence, reason });
        }
        self.end_claim(resource, ticket, ReleaseReason::Forced, &Parting::default());
        Ok(Reply::Released(true))
    }

    fn name_of(&self, by: Option<SessionId>) -> Result<Option<SessionName>, Refusal> {
        let Some(by) = by else { return Ok(None) };
        self.living(by)?;
        Ok(Some(self.info(by).name.clone()))
    }

    pub(super) fn take_back(
        &mut self,
        session: SessionId,
        resource: &Name,
        ticket: Option<&Name>,
        fence: Fence,
    ) -> Answer {
        let hold = self.holds_of(resource).find(|hold| hold.fence == fence);
        let is_its = |hold: &Hold| hold.ticket.as_ref() == ticket && hold.holder.is(session);
        let hold = hold.filter(|_| self.sessions.contains_key(&session));
        if !hold.is_some_and(is_its) {
            return Ok(Reply::Released(false));
        }
        if let Some(name) = ticket {
            let untried = Parting { untried: true, ..Parting::default() };
            self.end_claim(resource, name, ReleaseReason::Released, &untried);
        } else {
            self.end_hold(fence);
            self.admit(resource);
        }
        Ok(Reply::Released(true))
    }

    pub(super) fn end_holds(&mut self, fences: &[Fence]) -> Answer {
        for &fence in fences {
            let due = |hold: &&Hold| hold.fence == fence && hold.hold_ms.is_some();
            let hold = self.holds.iter().find(due);
            let Some(Hold { resource, ticket: Some(name), holder: Whose::Its(to), .. }) = hold
            else {
                continue;
            };
            let (to, resource, ticket) = (*to, resource.clone(), name.clone());
            let (place, name, reason) = (resource.clone(), name.clone(), LossReason::TimedOut);
            self.events.push(Event::TicketRevoked { to, resource, ticket, fence, reason });
            self.end_claim(&place, &name, ReleaseReason::TimedOut, &Parting::default());
        }
        Ok(Reply::Done)
    }

    pub(super) fn end_lost(&mut self, fences: &[Fence]) -> Answer {
        for &fence in fences {
            let due = |hold: &&Hold| hold.fence == fence && hold.holder.session().is_none();
            let Some(hold) = self.holds.iter().find(due) else { continue };
            let (resource, ticket) = (hold.resource.clone(), hold.ticket.clone());
            if let Some(name) = ticket {
                self.end_claim(&resource, &name, ReleaseReason::Gone, &Parting::default());
            } else {
                self.end_hold(fence);
                self.admit(&resource);
            }
        }
        Ok(Reply::Done)
    }
}
