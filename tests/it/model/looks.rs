//! What those see who look at one resource of the model.

use ticketd::machine::{Fence, HolderView, LookView, Name, TicketState, TicketView, WaiterView};

use super::{Hold, Model};

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
        let is_lost = hold.holder.session().is_none();
        HolderView {
            party: self.party(&hold.holder),
            ticket: ticket.cloned(),
            fence: hold.fence,
            since_ms: hold.since_ms,
            mode: hold.mode,
            data: hold.data.clone(),
            // A lost claim has been counted already.
            attempt: index.map(|index| self.tickets[index].attempts + u32::from(!is_lost)),
            hold_ms: hold.hold_ms,
        }
    }

    /// Whether that very grant is in force.
    pub(crate) fn is_good(&self, resource: &Name, ticket: Option<&Name>, fence: Fence) -> bool {
        let mut holds = self.holds_of(resource);
        holds.any(|hold| {
            let is_that = ticket.is_none_or(|ticket| hold.ticket.as_ref() == Some(ticket));
            hold.fence == fence && is_that
        })
    }

    /// The tickets of a resource in order of their age, those of one state or all.
    pub(crate) fn tickets_in(
        &self,
        resource: &Name,
        suits: impl Fn(TicketState) -> bool,
    ) -> Vec<TicketView> {
        let here = self.tickets.iter().filter(|ticket| ticket.resource == *resource);
        let views = here.map(|ticket| self.view(ticket));
        views.filter(|view| suits(view.state)).collect()
    }
}
