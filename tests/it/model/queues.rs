//! Queues in the model: who joins, who comes next, and what stands still.

use ticketd::machine::{
    Data, Event, Fence, Grant, HOLDS_MAX, Kind, Limit, Mode, Name, PAUSED_MAX, Refusal, Reply,
    SERVE_SLICE, SessionId, Sought, WAITERS_MAX, WAITS_MAX, WaitId, WaitOrigin, WaitRequest,
    WaitTimeout,
};

use super::{Answer, Model, Pause, Place};

/// What a wait is for.
#[derive(Clone)]
pub(super) enum Want {
    /// The lock.
    Lock { mode: Mode, data: Option<Data> },
    /// That ticket, or any.
    Ticket { ticket: Option<Name>, hold_ms: Option<u32> },
}

impl Model {
    pub(super) fn may_hold_more(&self, session: SessionId) -> Result<(), Refusal> {
        let holds = self.holds.iter().filter(|hold| hold.holder.is(session)).count();
        if holds >= HOLDS_MAX { Err(Refusal::Limit(Limit::Holds)) } else { Ok(()) }
    }

    /// Joins the queue, or the place that the session already has there for the same.
    pub(super) fn join(
        &mut self,
        session: SessionId,
        resource: &Name,
        want: Want,
        wait_request: WaitRequest,
    ) -> Answer {
        // For any ticket, only requests share a place: a socket gets one more ticket each time.
        let any = matches!(want, Want::Ticket { ticket: None, .. });
        let ticket = match &want {
            Want::Lock { .. } => None,
            Want::Ticket { ticket, .. } => ticket.clone(),
        };
        let WaitRequest { origin, timeout } = wait_request;
        let shares = |place: &Place| match origin {
            WaitOrigin::Socket => !any,
            WaitOrigin::Request(_) => !any || place.socket.is_none(),
        };
        let same = self.places.iter().position(|place| {
            place.session == session
                && place.sought == Sought::One(resource.clone())
                && place.ticket == ticket
                && shares(place)
        });
        let index = match same {
            Some(index) => index,
            None => self.new_place(session, Sought::One(resource.clone()), &want)?,
        };
        let place = &mut self.places[index];
        place.add_origin(origin, timeout);
        match want {
            Want::Lock { mode, data } => {
                place.mode = place.mode.max(mode);
                place.data = data.or(place.data.take());
            }
            Want::Ticket { hold_ms, .. } => place.hold_ms = hold_ms.or(place.hold_ms),
        }
        let wait = place.wait;
        Ok(Reply::Queued { wait, position: self.position(resource, wait) })
    }

    /// Joins several queues by one wait, which nothing else joins.
    pub(super) fn join_several(
        &mut self,
        session: SessionId,
        resources: &[Name],
        timeout: WaitTimeout,
        hold_ms: Option<u32>,
    ) -> Answer {
        let want = Want::Ticket { ticket: None, hold_ms };
        let index = self.new_place(session, Sought::FirstOf(resources.into()), &want)?;
        self.places[index].add_origin(WaitOrigin::Socket, timeout);
        self.places[index].hold_ms = hold_ms;
        let wait = self.places[index].wait;
        let position = self.least_position(&self.places[index]);
        Ok(Reply::Queued { wait, position })
    }

    pub(super) fn least_position(&self, place: &Place) -> u32 {
        let resources = place.sought.resources().iter();
        let least = resources.map(|resource| self.position(resource, place.wait)).min();
        least.expect("it stands somewhere")
    }

    fn new_place(
        &mut self,
        session: SessionId,
        sought: Sought,
        want: &Want,
    ) -> Result<usize, Refusal> {
        let mine = self.places.iter().filter(|place| place.session == session);
        let standing: usize = mine.map(|place| place.sought.resources().len()).sum();
        if standing + sought.resources().len() > WAITS_MAX {
            return Err(Refusal::Limit(Limit::Waits));
        }
        if sought.resources().iter().any(|queue| self.queue(queue).len() >= WAITERS_MAX) {
            return Err(Refusal::Limit(Limit::Waiters));
        }
        let wait = self.next_wait;
        self.next_wait = WaitId(wait.0 + 1);
        let (kind, ticket, mode) = match want {
            Want::Lock { mode, .. } => (Kind::Lock, None, *mode),
            Want::Ticket { ticket, .. } => (Kind::Tickets, ticket.clone(), Mode::Exclusive),
        };
        self.places.push(Place {
            wait,
            session,
            sought,
            kind,
            ticket,
            mode,
            data: None,
            hold_ms: None,
            since_ms: self.clock_ms,
            socket: None,
            requests: Vec::new(),
        });
        Ok(self.places.len() - 1)
    }

    pub(super) fn stands_still(&self, resource: &Name) -> bool {
        self.pauses.contains_key(resource)
    }

    /// Grants waits from the head on while something suits them, unless the resource stands still.
    pub(super) fn admit(&mut self, resource: &Name) {
        while !self.stands_still(resource) && self.admit_one(resource) {}
    }

    /// Grants the first wait that something suits, if there is one.
    fn admit_one(&mut self, resource: &Name) -> bool {
        let queue: Vec<Place> = self.queue(resource).into_iter().cloned().collect();
        if queue.first().is_some_and(|first| first.kind == Kind::Lock) {
            // A lock's queue is strictly in order.
            let first = &queue[0];
            let fits = self.fits(resource, first.mode);
            if fits {
                self.places.retain(|place| place.wait != first.wait);
                let data = first.data.clone();
                let grant = self.take_lock(first.session, resource, first.mode, data);
                self.answer(first, &grant);
            }
            return fits;
        }
        for place in queue {
            if let Some(name) = self.best_free(resource, place.ticket.as_ref()) {
                assert!(place.accepts(&name));
                self.places.retain(|one| one.wait != place.wait);
                let grant = self.take_ticket(place.session, resource, &name, place.hold_ms);
                self.answer(&place, &grant);
                self.tell_of_claim(resource, &name);
                return true;
            }
        }
        false
    }

    pub(super) fn pause(
        &mut self,
        session: Option<SessionId>,
        resource: &Name,
        paused: bool,
    ) -> Answer {
        session.map_or(Ok(()), |session| self.living(session))?;
        if paused {
            let standing = self.pauses.values().filter(|pause| **pause == Pause::Paused).count();
            let is_paused = self.pauses.get(resource) == Some(&Pause::Paused);
            if !is_paused && standing >= PAUSED_MAX {
                return Err(Refusal::Limit(Limit::Paused));
            }
            self.pauses.insert(resource.clone(), Pause::Paused);
            return Ok(Reply::Served { more: false });
        }
        if self.stands_still(resource) {
            self.pauses.insert(resource.clone(), Pause::Serving);
        }
        Ok(self.serve(resource))
    }

    pub(super) fn serve(&mut self, resource: &Name) -> Reply {
        if self.pauses.get(resource) != Some(&Pause::Serving) {
            return Reply::Served { more: false };
        }
        self.pauses.remove(resource);
        let mut served = 0;
        while served < SERVE_SLICE && self.admit_one(resource) {
            served += 1;
        }
        let more = served == SERVE_SLICE && self.would_admit(resource);
        if more {
            self.pauses.insert(resource.clone(), Pause::Serving);
            self.events.push(Event::Serving { resource: resource.clone() });
        }
        Reply::Served { more }
    }

    /// Whether something free suits a wait.
    fn would_admit(&self, resource: &Name) -> bool {
        self.queue(resource).first().is_some_and(|first| match first.kind {
            Kind::Lock => self.fits(resource, first.mode),
            Kind::Tickets => {
                let mut wanted = self.queue(resource).into_iter().map(|place| &place.ticket);
                wanted.any(|ticket| self.best_free(resource, ticket.as_ref()).is_some())
            }
        })
    }

    pub(super) fn fence(&mut self) -> Fence {
        let fence = self.next_fence;
        self.next_fence = Fence(fence.0 + 1);
        fence
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

    /// How many places there are: a wait has one in each of its queues.
    pub(super) fn standing(&self) -> usize {
        self.places.iter().map(|place| place.sought.resources().len()).sum()
    }
}
