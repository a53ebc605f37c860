//! Who would wait for ever: circles of sessions that do nothing else while they wait.

use std::collections::BTreeSet;

use ticketd::machine::{BlockedSession, CIRCLE_STEPS_MAX, Kind, Name, SessionId, Sought};

use super::Model;

/// A walk from a session to whom it would wait for, to whom those wait for, and so on.
struct Walk {
    caller: SessionId,
    /// Who waits for what, from the caller to where the walk is.
    path: Vec<(SessionId, Name)>,
    /// From whom it went on already.
    seen: BTreeSet<SessionId>,
    steps: usize,
}

impl Model {
    /// The circle that a session's wait for a lock, or for that ticket, would close.
    pub(super) fn circle(
        &self,
        caller: SessionId,
        resource: &Name,
        ticket: Option<&Name>,
    ) -> Option<Vec<BlockedSession>> {
        if !self.is_blocking(caller) {
            return None;
        }
        let path = vec![(caller, resource.clone())];
        let mut walk = Walk { caller, path, seen: BTreeSet::new(), steps: 0 };
        let blocked = |(session, resource): (SessionId, Name)| BlockedSession {
            session: self.info(session),
            resource,
        };
        let closes = self.closes(&mut walk, resource, ticket);
        closes.then(|| walk.path.into_iter().map(blocked).collect())
    }

    fn closes(&self, walk: &mut Walk, resource: &Name, ticket: Option<&Name>) -> bool {
        if self.stands_still(resource) {
            return false;
        }
        let holds = self.holds_of(resource).filter(|hold| hold.ticket.as_ref() == ticket);
        for holder in holds.filter_map(|hold| hold.holder.session()) {
            walk.steps += 1;
            if walk.steps > CIRCLE_STEPS_MAX {
                return false;
            }
            if holder == walk.caller {
                return true;
            }
            if !self.is_blocking(holder) || !walk.seen.insert(holder) {
                continue;
            }
            for place in self.places.iter().filter(|place| place.session == holder) {
                let Sought::One(next) = &place.sought else { continue };
                if place.kind == Kind::Tickets && place.ticket.is_none() {
                    continue;
                }
                walk.path.push((holder, next.clone()));
                if self.closes(walk, next, place.ticket.as_ref()) {
                    return true;
                }
                walk.path.pop();
            }
        }
        false
    }

    fn is_blocking(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session) && self.conducts[&session].blocking
    }
}
