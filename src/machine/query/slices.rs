//! Looking at what is too large for one query: slice by slice, and anything may change in between.
//!
//! Tickets, sessions and resources are gone through by their keys. What stays keeps its key, so it
//! is seen exactly once; what comes or goes meanwhile may be seen or not. Keys of what has gone are
//! used again, so each slice finds its session or resource anew, by id or name.

use std::ops::Bound;

use super::types::{IssuedState, ResourceView, SessionView, TicketView};
use crate::machine::arena::Arena;
use crate::machine::names::{Fence, Name, SessionId};
use crate::machine::rows::{ResourceKey, SessionKey, Ticket, TicketKey};
use crate::machine::tables::Machine;

const SLOTS_MAX: u32 = 16 * 1024;
/// Most of them that it shows.
pub const SLICE_MAX: usize = 1024;

/// How far a query in slices has come. A new one begins.
#[derive(Debug, Default)]
pub struct Scan {
    /// The key to go on from.
    next: u32,
    /// The claim to go on behind.
    claim: Option<(ResourceKey, Fence)>,
    /// What was issued or granted later has come since the first slice.
    begun: Option<(u64, u64)>,
    /// There is no more.
    pub done: bool,
}

impl Scan {
    fn begin(&mut self, machine: &Machine) -> (u64, u64) {
        *self.begun.get_or_insert((machine.serial, machine.next_fence))
    }

    /// Goes on through a table: `pick` says what is shown of an entry.
    fn go_on<T, V>(
        &mut self,
        rows: &Arena<T>,
        mut pick: impl FnMut(u32, &T) -> Option<V>,
    ) -> Vec<V> {
        let mut seen = Vec::new();
        let end = rows.end().min(self.next + SLOTS_MAX);
        while self.next < end && seen.len() < SLICE_MAX {
            seen.extend(rows.get(self.next).and_then(|row| pick(self.next, row)));
            self.next += 1;
        }
        self.done = self.next >= rows.end();
        seen
    }
}

impl Machine {
    /// How much a session's view would list; `None` when there is no such session.
    #[must_use]
    pub fn session_size(&self, id: &SessionId) -> Option<usize> {
        let session = &self.tables.sessions[self.living_key(id)?];
        Some(session.holds() + session.issued.len())
    }

    /// How much a resource's view would list; `None` when it is not known.
    #[must_use]
    pub fn resource_size(&self, name: &str) -> Option<usize> {
        let resource = &self.tables.resources[self.known_key(name).ok()?];
        Some(resource.tickets.len().max(resource.holds.len()).max(1))
    }

    /// How many tickets a session has issued that are there yet.
    #[must_use]
    pub fn issued_count(&self, id: &SessionId) -> usize {
        let key = self.living_key(id);
        key.map_or(0, |key| self.tables.sessions[key].issued.len())
    }

    /// A session's view without its tickets.
    #[must_use]
    pub fn session_head(&self, id: &SessionId) -> Option<SessionView> {
        let key = self.living_key(id)?;
        let (info, locks) = (self.info(key).clone(), self.lock_names(key));
        Some(SessionView { info, claims: Vec::new(), issued: Vec::new(), locks })
    }

    /// A resource's view without its tickets.
    #[must_use]
    pub fn resource_head(&self, name: &str) -> Option<ResourceView> {
        self.known_key(name).ok().map(|key| self.resource_head_at(key))
    }

    /// Ids of sessions.
    pub fn session_ids_slice(&self, scan: &mut Scan) -> Vec<SessionId> {
        scan.go_on(&self.tables.sessions, |_, session| {
            (!session.condemned).then_some(session.info.id)
        })
    }

    /// Names of known resources. One that was forgotten and came again may be seen twice.
    pub fn resource_names_slice(&self, scan: &mut Scan) -> Vec<Name> {
        scan.go_on(&self.tables.resources, |_, resource| {
            resource.known.then(|| resource.name.clone())
        })
    }

    /// Tickets of a resource, by their names; `None` when it is not known. A ticket that was
    /// revoked and issued again may be seen twice.
    pub fn tickets_slice(&self, name: &str, scan: &mut Scan) -> Option<Vec<(Name, TicketView)>> {
        let key = self.known_key(name).ok()?;
        Some(scan.go_on(&self.tables.tickets, |at, ticket| {
            (ticket.resource == key).then(|| (ticket.name.clone(), self.ticket_view(at)))
        }))
    }

    /// Tickets that a session issued, numbered from the oldest to the newest; `None` when there is
    /// no such session.
    pub fn issued_slice(&self, id: &SessionId, scan: &mut Scan) -> Option<Vec<(u64, TicketView)>> {
        let key = self.living_key(id)?;
        Some(self.issued_by(key, scan, |at, _| self.ticket_view(at)))
    }

    /// The same, as the session's state lists them.
    pub fn issued_states_slice(
        &self,
        id: &SessionId,
        scan: &mut Scan,
    ) -> Option<Vec<(u64, IssuedState)>> {
        let key = self.living_key(id)?;
        Some(self.issued_by(key, scan, |_, ticket| self.issued_state(ticket)))
    }

    /// What the session issued since the first slice is passed over: it may be there a second time
    /// then.
    fn issued_by<V>(
        &self,
        key: SessionKey,
        scan: &mut Scan,
        view: impl Fn(TicketKey, &Ticket) -> V,
    ) -> Vec<(u64, V)> {
        let (serial, _) = scan.begin(self);
        scan.go_on(&self.tables.tickets, |at, ticket| {
            let is_shown = ticket.issuer == key && ticket.issued <= serial;
            is_shown.then(|| (ticket.issued, view(at, ticket)))
        })
    }

    /// Tickets that a session holds, by their fences; `None` when there is no such session.
    pub fn claims_slice(
        &self,
        id: &SessionId,
        scan: &mut Scan,
    ) -> Option<Vec<(Fence, TicketView)>> {
        let key = self.living_key(id)?;
        let (_, next_fence) = scan.begin(self);
        let behind = scan.claim.map_or(Bound::Unbounded, Bound::Excluded);
        let claims = &self.tables.sessions[key].by_resource;
        let mut seen = Vec::new();
        let mut passed = 0;
        for (&(resource, fence), &hold) in claims.range((behind, Bound::Unbounded)) {
            // What was granted since may be there a second time.
            if fence.0 < next_fence {
                seen.extend(self.held_ticket(hold).map(|ticket| (fence, ticket)));
            }
            scan.claim = Some((resource, fence));
            passed += 1;
            if passed == SLICE_MAX {
                return Some(seen);
            }
        }
        scan.done = true;
        Some(seen)
    }
}
