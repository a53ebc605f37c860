//! Deadlocks: circles of sessions that do nothing else while they wait for each other.

use std::collections::BTreeSet;

use super::command::BlockedSession;
use super::names::{CIRCLE_STEPS_MAX, Name};
use super::rows::{ResourceKey, SessionKey, TicketKey};
use super::tables::Machine;

/// A search for a circle that one more wait would close.
struct Search<'a> {
    machine: &'a Machine,
    /// Who would wait.
    caller: SessionKey,
    /// Sessions that lead nowhere, or are on the way.
    seen: BTreeSet<SessionKey>,
    steps: usize,
    /// Who waits for what, from the caller on.
    way: Vec<(SessionKey, ResourceKey)>,
}

impl Machine {
    /// The circle that a wait of a blocking session would close, the session first.
    pub(super) fn circle(
        &self,
        session: SessionKey,
        resource: ResourceKey,
        ticket: Option<&Name>,
    ) -> Option<Vec<BlockedSession>> {
        if !self.tables.sessions[session].conduct.blocking {
            return None;
        }
        let (seen, way) = (BTreeSet::new(), Vec::new());
        let mut search = Search { machine: self, caller: session, seen, steps: 0, way };
        if !search.goes_round(session, resource, ticket) {
            return None;
        }
        let blocked = |&(session, resource): &(SessionKey, ResourceKey)| BlockedSession {
            session: self.info(session).clone(),
            resource: self.tables.resources[resource].name.clone(),
        };
        Some(search.way.iter().map(blocked).collect())
    }
}

impl Search<'_> {
    /// Whether a session that waits there waits for the caller in the end. The way is that of the
    /// circle then.
    fn goes_round(
        &mut self,
        session: SessionKey,
        resource: ResourceKey,
        ticket: Option<&Name>,
    ) -> bool {
        let tables = &self.machine.tables;
        if !tables.resources[resource].is_open() {
            return false;
        }
        self.way.push((session, resource));
        for holder in self.holders(resource, ticket) {
            self.steps += 1;
            if self.steps > CIRCLE_STEPS_MAX {
                break;
            }
            if holder == self.caller {
                if self.way.len() > 1 {
                    return true;
                }
            } else if tables.sessions[holder].conduct.blocking && self.seen.insert(holder) {
                let waits = tables.sessions[holder].waits.keys(&tables.waits, |w| &w.in_session);
                for wait in waits.map(|wait| &tables.waits[wait]) {
                    let is_lock =
                        tables.resources[wait.resource].kind == Some(super::command::Kind::Lock);
                    if (is_lock || wait.ticket.is_some())
                        && self.goes_round(holder, wait.resource, wait.ticket.as_ref())
                    {
                        return true;
                    }
                }
            }
        }
        self.way.pop();
        false
    }

    /// The sessions that hold what is waited for, in order of their fences.
    fn holders(&self, resource: ResourceKey, ticket: Option<&Name>) -> Vec<SessionKey> {
        let tables = &self.machine.tables;
        let holder = |hold| tables.holds[hold].holder();
        if let Some(name) = ticket {
            let ticket = tables.find_ticket(resource, name.as_str());
            let hold = ticket.and_then(|ticket: TicketKey| tables.tickets[ticket].hold());
            return hold.and_then(holder).into_iter().collect();
        }
        let holds = tables.resources[resource].holds.keys(&tables.holds, |h| &h.in_resource);
        holds.filter_map(holder).take(CIRCLE_STEPS_MAX + 1).collect()
    }
}
