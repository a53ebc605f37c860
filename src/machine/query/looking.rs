//! Looking at one resource: who holds, who waits, which tickets there are; and which resources.

use super::types::{HolderView, LookView, TicketState, TicketView, TimedClaim, WaiterView};
use crate::machine::command::{Figures, Kind, Mode};
use crate::machine::names::{Fence, Name, WaitId};
use crate::machine::rows::{Held, HoldKey, ResourceKey, Ticket, TicketKey, TicketStanding};
use crate::machine::tables::Machine;

/// How a ticket stands, without when that ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketStateKind {
    /// Anybody may claim it.
    Free,
    /// It is claimed, or was by one that is lost.
    Held,
    /// It is free only later.
    Delayed,
    /// It goes to nobody any more.
    Dead,
}

impl TicketState {
    /// Without when it ends.
    #[must_use]
    pub fn kind(self) -> TicketStateKind {
        match self {
            Self::Free => TicketStateKind::Free,
            Self::Held => TicketStateKind::Held,
            Self::Delayed { .. } => TicketStateKind::Delayed,
            Self::Dead => TicketStateKind::Dead,
        }
    }
}

impl Machine {
    /// A resource with up to `limit` of those who hold it and of those who wait; an unknown one is
    /// empty.
    #[must_use]
    pub fn look(&self, name: &str, limit: usize) -> LookView {
        let Some(key) = self.resource_key(name) else { return LookView::default() };
        let resource = &self.tables.resources[key];
        let holds = resource.holds.keys(&self.tables.holds, |h| &h.in_resource);
        let holders = holds.take(limit).map(|hold| self.holder_view(hold)).collect();
        let waiters = self.waiters(key, limit);
        let more = resource.holds.len() > limit || resource.waiting() as usize > limit;
        LookView { figures: resource.figures(), holders, waiters, more }
    }

    /// Up to `most` of those who hold a lock, in order of their fences; of other resources none.
    #[must_use]
    pub fn holders(&self, name: &str, most: usize) -> Vec<HolderView> {
        let Some(key) = self.resource_key(name) else { return Vec::new() };
        let resource = &self.tables.resources[key];
        let is_lock = resource.kind == Some(Kind::Lock);
        let holds = resource.holds.keys(&self.tables.holds, |h| &h.in_resource);
        holds.take(if is_lock { most } else { 0 }).map(|hold| self.holder_view(hold)).collect()
    }

    fn holder_view(&self, key: HoldKey) -> HolderView {
        let hold = &self.tables.holds[key];
        let (mode, ticket) = match hold.what {
            Held::Lock(mode) => (mode, None),
            Held::Ticket(ticket) => (Mode::Exclusive, Some(&self.tables.tickets[ticket])),
        };
        let is_here = hold.holder().is_some();
        HolderView {
            party: self.party(key),
            ticket: ticket.map(|ticket| ticket.name.clone()),
            fence: hold.fence,
            since_ms: hold.since.ms(),
            mode,
            data: hold.extra.as_ref().and_then(|extra| extra.data.clone()),
            // That of one that is lost was counted.
            attempt: ticket.map(|ticket| ticket.attempts.saturating_add(u32::from(is_here))),
            hold_ms: hold.hold_ms(),
        }
    }

    fn waiters(&self, key: ResourceKey, limit: usize) -> Vec<WaiterView> {
        let tables = &self.tables;
        let resource = &tables.resources[key];
        let (Some(queue), Some(kind)) = (&resource.queue, resource.kind) else {
            return Vec::new();
        };
        let ids = queue.ranks.first(limit);
        let view = |(id, position): (u64, u32)| {
            let leader = tables.find_wait(WaitId(id))?;
            let mut places = self.places(leader).into_iter();
            let place = places.find(|&place| tables.waits[place].resource == key)?;
            let wait = &tables.waits[place];
            Some(WaiterView {
                session: self.info(wait.session).clone(),
                position,
                since_ms: wait.since.ms(),
                kind,
                mode: wait.mode,
                ticket: wait.ticket.clone(),
            })
        };
        ids.zip(1..).filter_map(view).collect()
    }

    /// Whether that very grant is in force, be it a lock's or a ticket's.
    #[must_use]
    pub fn is_good(&self, name: &str, ticket: Option<&str>, fence: Fence) -> bool {
        let Some(key) = self.resource_key(name) else { return false };
        let is_it = |hold: HoldKey| {
            let hold = &self.tables.holds[hold];
            hold.fence == fence && hold.holder().is_some()
        };
        if let Some(ticket) = ticket {
            let ticket = self.tables.find_ticket(key, ticket);
            let hold = ticket.and_then(|ticket: TicketKey| self.tables.tickets[ticket].hold());
            return hold.is_some_and(is_it);
        }
        let mut holds =
            self.tables.resources[key].holds.keys(&self.tables.holds, |h| &h.in_resource);
        holds.any(is_it)
    }

    /// The claim of that grant, if it ends by itself.
    #[must_use]
    pub fn timed_claim(&self, fence: Fence) -> Option<TimedClaim> {
        let hold = &self.tables.holds[*self.tables.timed.get(&fence)?];
        let Held::Ticket(ticket) = hold.what else { return None };
        Some(TimedClaim {
            session: self.info(hold.holder()?).id,
            resource: self.tables.resources[hold.resource].name.clone(),
            ticket: self.tables.tickets[ticket].name.clone(),
        })
    }

    /// Up to `limit` tickets of a resource whose numbers are greater than `after`, in order of
    /// their age; those that stand so, or all. An unknown resource has none.
    #[must_use]
    pub fn tickets_page(
        &self,
        name: &str,
        state: Option<TicketStateKind>,
        after: u64,
        limit: usize,
    ) -> Vec<TicketView> {
        let Some(key) = self.resource_key(name) else { return Vec::new() };
        let tables = &self.tables;
        let resource = &tables.resources[key];
        let is_of = |ticket: &TicketKey| {
            let standing = self.state_of(&tables.tickets[*ticket]).kind();
            state.is_none_or(|state| state == standing)
        };
        let extra = resource.extra.as_ref();
        let keys: Vec<TicketKey> = match extra.and_then(|extra| extra.by_age.as_ref()) {
            Some(by_age) => {
                let from = by_age.range(after.saturating_add(1)..).map(|(_, &ticket)| ticket);
                from.filter(is_of).take(limit).collect()
            }
            None => {
                let all = resource.tickets.keys(&tables.tickets, |t| &t.in_all);
                let from = all.filter(|&ticket| tables.tickets[ticket].number > after);
                from.filter(is_of).take(limit).collect()
            }
        };
        keys.into_iter().map(|ticket| self.ticket_view(ticket)).collect()
    }

    /// Up to `limit` known resources whose names begin with `prefix` and come behind `after`, in
    /// order of their names' bytes.
    #[must_use]
    pub fn resources_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<(Name, Figures)> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let from = match after {
            Some(after) if after >= prefix => Excluded(after),
            _ => Included(prefix),
        };
        let known = self.tables.known.range::<str, _>((from, Unbounded));
        let known = known.take_while(|(name, _)| name.as_str().starts_with(prefix)).take(limit);
        known.map(|(name, &key)| (name.clone(), self.tables.resources[key].figures())).collect()
    }

    /// How a ticket stands.
    pub(super) fn state_of(&self, ticket: &Ticket) -> TicketState {
        match ticket.standing {
            TicketStanding::Free => TicketState::Free,
            TicketStanding::Held(_) => TicketState::Held,
            TicketStanding::Dead => TicketState::Dead,
            TicketStanding::Delayed => {
                let delay = ticket.extra.as_ref().and_then(|extra| extra.delay);
                TicketState::Delayed { until_ms: delay.map_or(0, |delay| delay.until_ms) }
            }
        }
    }
}
