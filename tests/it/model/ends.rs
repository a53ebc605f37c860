//! How things end in the model: waits, whole sessions, and what is remembered of the emptied.

use std::collections::BTreeSet;

use ticketd::machine::{
    EndReason, Event, FORGET_SLICE, Fence, LossReason, Name, NodeId, Reply, RequestId, SessionId,
    WaitEndReason, WaitId,
};

use super::{Answer, Model, Place};

impl Model {
    pub(super) fn boot(&mut self, fence: Fence) -> Answer {
        self.next_fence = self.next_fence.max(fence);
        self.part(NodeId::ALONE)?;
        let condemned: Vec<SessionId> = self.condemned.keys().copied().collect();
        self.end(&condemned, EndReason::Expired)
    }

    pub(super) fn part(&mut self, node: NodeId) -> Answer {
        for place in &mut self.places {
            place.requests.retain(|request| request.node != node);
        }
        self.clear_places();
        Ok(Reply::Done)
    }

    pub(super) fn cancel(&mut self, session: SessionId, wait: WaitId) -> Answer {
        self.living(session)?;
        let mine = |place: &&mut Place| place.wait == wait && place.session == session;
        let socket = self.places.iter_mut().find(mine).and_then(|place| place.socket.take());
        self.clear_places();
        Ok(Reply::Cancelled(socket.is_some()))
    }

    pub(super) fn end_wait(&mut self, wait: WaitId, reason: WaitEndReason) -> Answer {
        let place = self.places.iter_mut().find(|place| place.wait == wait);
        if let Some(place) = place.filter(|place| place.socket.is_some()) {
            place.socket = None;
            let (to, resource) = (place.session, place.resource.clone());
            self.events.push(Event::WaitEnded { to, wait, resource, reason });
        }
        self.clear_places();
        Ok(Reply::Done)
    }

    pub(super) fn withdraw(&mut self, wait: WaitId, request: RequestId) -> Answer {
        if let Some(place) = self.places.iter_mut().find(|place| place.wait == wait) {
            place.requests.retain(|&one| one != request);
        }
        self.clear_places();
        Ok(Reply::Done)
    }

    /// Places where nobody waits any more leave their queues.
    fn clear_places(&mut self) {
        self.places.retain(|place| !place.has_no_way());
    }

    /// Ends sessions, but for what they hold.
    pub(super) fn condemn(&mut self, sessions: &[SessionId]) -> Answer {
        let mut ending: Vec<SessionId> = Vec::new();
        for &session in sessions {
            if self.sessions.contains_key(&session) && !ending.contains(&session) {
                ending.push(session);
            }
        }
        self.give_up(&ending);
        for session in ending {
            let info = self.sessions.remove(&session).expect("it lives");
            self.condemned.insert(session, info);
            self.events.push(Event::SessionEnded { session, why: EndReason::Expired });
        }
        Ok(Reply::Done)
    }

    fn give_up(&mut self, ending: &[SessionId]) {
        self.watches.retain(|watch| !ending.contains(&watch.session));
        for &session in ending {
            self.end_waits(session);
        }
        for &session in ending {
            self.end_issued(session, ending);
        }
    }

    /// Ends sessions, all in one step.
    pub(super) fn end(&mut self, sessions: &[SessionId], why: EndReason) -> Answer {
        let mut ending: Vec<SessionId> = Vec::new();
        for &session in sessions {
            let is_there =
                self.sessions.contains_key(&session) || self.condemned.contains_key(&session);
            if is_there && !ending.contains(&session) {
                ending.push(session);
            }
        }
        self.give_up(&ending);
        for &session in &ending {
            self.end_locks(session);
            self.end_claims(session);
        }
        for session in ending {
            if self.condemned.remove(&session).is_none() {
                self.sessions.remove(&session);
                self.events.push(Event::SessionEnded { session, why });
            }
        }
        Ok(Reply::Done)
    }

    fn end_waits(&mut self, session: SessionId) {
        for place in self.places.extract_if(.., |place| place.session == session) {
            for request in place.requests {
                self.events.push(Event::Orphaned { request });
            }
        }
    }

    fn end_issued(&mut self, session: SessionId, ending: &[SessionId]) {
        let mut issued: Vec<_> =
            self.tickets.extract_if(.., |ticket| ticket.issuer == session).collect();
        issued.sort_by_key(|ticket| ticket.issued_at);
        for ticket in issued {
            if let Some((to, fence)) = ticket.claim
                && !ending.contains(&to)
            {
                let (resource, ticket) = (ticket.resource, ticket.name);
                let reason = LossReason::IssuerGone;
                self.events.push(Event::TicketRevoked { to, resource, ticket, fence, reason });
            }
        }
    }

    fn end_locks(&mut self, session: SessionId) {
        let mut locks: Vec<_> = self.locks.extract_if(.., |lock| lock.holder == session).collect();
        locks.sort_by_key(|lock| lock.fence);
        for lock in locks {
            self.pass_lock_on(&lock.resource);
        }
    }

    fn end_claims(&mut self, session: SessionId) {
        let mut claims: Vec<(Fence, Name, Name)> = Vec::new();
        for ticket in &self.tickets {
            if let Some((claimant, fence)) = ticket.claim
                && claimant == session
            {
                claims.push((fence, ticket.resource.clone(), ticket.name.clone()));
            }
        }
        claims.sort();
        for (_, resource, name) in claims {
            self.tell_of_release(&resource, &name);
            self.set_free(&resource, &name);
        }
    }

    pub(super) fn forget(&mut self, up_to: u64) -> Answer {
        let due = |model: &Self| -> BTreeSet<(u64, Name)> {
            let emptied =
                |(name, known): (&Name, &super::Known)| Some((known.emptied?, name.clone()));
            model.known.iter().filter_map(emptied).filter(|(mark, _)| *mark <= up_to).collect()
        };
        for (_, name) in due(self).into_iter().take(FORGET_SLICE) {
            self.known.remove(&name);
        }
        Ok(Reply::Forgotten { more: !due(self).is_empty() })
    }
}
