//! How things end in the model: waits, whole sessions, and what is remembered of the emptied.

use std::collections::BTreeSet;

use ticketd::machine::{
    EndReason, Event, FORGET_SLICE, Fence, LossReason, Name, NodeId, Reply, RequestId, SessionId,
    WaitEndReason, WaitId,
};

use super::{Answer, Model, Place, Ticket, Whose};

impl Model {
    pub(super) fn boot(&mut self, fence: Fence) -> Answer {
        self.next_fence = self.next_fence.max(fence);
        self.part(NodeId::ALONE)?;
        let condemned: Vec<SessionId> = self.condemned.keys().copied().collect();
        self.end(&condemned, EndReason::Expired, true)
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
            let (to, sought) = (place.session, place.sought.clone());
            self.events.push(Event::WaitEnded { to, wait, sought, reason });
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

    /// Places where nobody waits any more leave their queues; who stood behind them may come next.
    fn clear_places(&mut self) {
        let gone: Vec<Place> = self.places.extract_if(.., |place| place.has_no_way()).collect();
        self.look_at_queues(&gone);
    }

    /// The queues that those places left, in order of their names.
    fn look_at_queues(&mut self, gone: &[Place]) {
        let queues: BTreeSet<&Name> =
            gone.iter().flat_map(|place| place.sought.resources()).collect();
        for queue in queues {
            self.admit(queue);
        }
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
        let mut gone = Vec::new();
        for &session in ending {
            gone.extend(self.end_waits(session));
        }
        self.look_at_queues(&gone);
        for &session in ending {
            self.end_issued(session, ending);
        }
    }

    /// Ends sessions, all in one step. What they hold is lost, if that matters to them.
    pub(super) fn end(&mut self, sessions: &[SessionId], why: EndReason, lost: bool) -> Answer {
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
            let delay_ms = if lost { self.conducts[&session].delay_ms } else { 0 };
            self.end_holds_of(session, delay_ms);
        }
        for session in ending {
            if self.condemned.remove(&session).is_none() {
                self.sessions.remove(&session);
                self.events.push(Event::SessionEnded { session, why });
            }
        }
        Ok(Reply::Done)
    }

    fn end_waits(&mut self, session: SessionId) -> Vec<Place> {
        let gone = self.places.extract_if(.., |place| place.session == session);
        let gone: Vec<Place> = gone.collect();
        for &request in gone.iter().flat_map(|place| &place.requests) {
            self.events.push(Event::Orphaned { request });
        }
        gone
    }

    /// What a session issued vanishes, or stays as nobody's.
    fn end_issued(&mut self, session: SessionId, ending: &[SessionId]) {
        let mine = |ticket: &&Ticket| ticket.issuer.is(session);
        let mut issued: Vec<(u64, Name, Name)> = Vec::new();
        for ticket in self.tickets.iter().filter(mine) {
            issued.push((ticket.issued_at, ticket.resource.clone(), ticket.name.clone()));
        }
        issued.sort();
        for (_, resource, name) in issued {
            let index = self.ticket(&resource, &name).expect("it is there");
            if self.tickets[index].terms.stay {
                self.tickets[index].issuer = Whose::Nobodys(self.info(session).name.clone());
                self.tickets[index].notify = false;
                continue;
            }
            let claim = self.claim(&resource, &name).map(|it| (it.holder.session(), it.fence));
            if let Some((Some(to), fence)) = claim
                && !ending.contains(&to)
            {
                let (resource, ticket) = (resource.clone(), name.clone());
                let reason = LossReason::IssuerGone;
                self.events.push(Event::TicketRevoked { to, resource, ticket, fence, reason });
            }
            if let Some((_, fence)) = claim {
                self.end_hold(fence);
            }
            self.end_delay(&resource, &name);
            self.tickets.remove(index);
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
