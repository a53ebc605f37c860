//! What those see who look at one resource of the model.

use ticketd::machine::{Event, Fence, Figures, HolderView, LookView, Name, TimedClaim, WaiterView};

use super::{Hold, Model, Pause, Standing};

impl Model {
    /// See [`ticketd::machine::Machine::look`].
    pub(crate) fn look(&self, resource: &Name, limit: usize) -> LookView {
        let holds: Vec<&Hold> = self.holds_of(resource).collect();
        let queue = self.queue(resource);
        let more = holds.len() > limit || queue.len() > limit;
        let waiters = queue.into_iter().take(limit).map(|place| WaiterView {
            session: self.info(place.session),
            position: self.position(resource, place.wait),
            since_ms: place.since_ms,
            kind: place.kind,
            mode: place.mode,
            ticket: place.ticket.clone(),
        });
        LookView {
            figures: self.figures(resource),
            holders: holds.into_iter().take(limit).map(|hold| self.holder_view(hold)).collect(),
            waiters: waiters.collect(),
            more,
        }
    }

    fn holder_view(&self, hold: &Hold) -> HolderView {
        let ticket = hold.ticket.as_ref();
        let index = ticket.and_then(|name| self.ticket(&hold.resource, name));
        HolderView {
            party: self.party(&hold.holder),
            ticket: ticket.cloned(),
            fence: hold.fence,
            since_ms: hold.since_ms,
            mode: hold.mode,
            data: hold.data.clone(),
            attempt: index.map(|index| self.attempt(&self.tickets[index])),
            hold_ms: hold.hold_ms,
        }
    }

    /// Whether that very grant is in force; a lost one is not.
    pub(crate) fn is_good(&self, resource: &Name, ticket: Option<&Name>, fence: Fence) -> bool {
        let mut holds = self.holds_of(resource);
        holds.any(|hold| {
            let is_that = ticket.is_none_or(|ticket| hold.ticket.as_ref() == Some(ticket));
            hold.fence == fence && is_that && hold.holder.session().is_some()
        })
    }

    /// See [`ticketd::machine::Machine::timed_claim`].
    pub(crate) fn timed_claim(&self, fence: Fence) -> Option<TimedClaim> {
        let timed = |hold: &&Hold| hold.fence == fence && hold.hold_ms.is_some();
        let Hold { resource, ticket, holder, .. } = self.holds.iter().find(timed)?;
        let (resource, ticket) = (resource.clone(), ticket.clone()?);
        Some(TimedClaim { session: holder.session()?, resource, ticket })
    }

    /// See [`ticketd::machine::Machine::resources_page`].
    pub(crate) fn resources_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(Name, Figures)> {
        let mut names = self.resource_names();
        names.retain(|name| name.as_str().starts_with(prefix));
        names.retain(|name| after.is_none_or(|after| name.as_str() > after));
        names.truncate(limit);
        names.into_iter().map(|name| (name.clone(), self.figures(&name))).collect()
    }

    /// What the driver's clocks are to be told after a start, in order of the words.
    pub(crate) fn to_be_timed(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for &Hold { ref holder, fence, hold_ms, .. } in &self.holds {
            match (holder.session(), hold_ms) {
                (_, None) => {}
                (Some(session), Some(hold_ms)) => {
                    events.push(Event::HoldTimed { session, fence, hold_ms });
                }
                (None, Some(delay_ms)) => events.push(Event::HoldLost { fence, delay_ms }),
            }
        }
        for ticket in &self.tickets {
            if let Standing::Delayed { delay, delay_ms, until_ms } = ticket.standing {
                events.push(Event::DelayBegan { delay, delay_ms, until_ms });
            }
        }
        for (resource, pause) in &self.pauses {
            if *pause == Pause::Serving {
                events.push(Event::Serving { resource: resource.clone() });
            }
        }
        events.sort_by_key(|event| format!("{event:?}"));
        events
    }
}
