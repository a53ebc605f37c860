//! Sessions that are heard, and those that do not expire because a request of theirs is under way.

use crate::deadlines::At;
use crate::machine::SessionId;

use super::core::Core;
use super::durable::Stamp;

impl Core {
    /// Something was heard from a session: its TTL runs anew. False when there is no such one.
    pub(super) fn refresh(&mut self, session: &SessionId, now: At) -> bool {
        let Some(presence) = self.presences.get(session) else { return false };
        if presence.busy == 0 {
            let due = now.after_ms(u64::from(presence.ttl.as_ms()));
            self.deadlines.set(presence.slot, due);
        }
        true
    }

    /// A request is under way: the session does not expire.
    pub(super) fn hold_open(&mut self, session: &SessionId) {
        if let Some(presence) = self.presences.get_mut(session) {
            presence.busy += 1;
            self.deadlines.set(presence.slot, At::NEVER);
        }
    }

    /// A request is under way until its answer is durable. (A slow sync ends no session.)
    pub(super) fn hold_until(&mut self, stamp: Stamp, session: SessionId) {
        if !self.durable.has(stamp) {
            self.hold_open(&session);
            self.unsettled.push_back((stamp, session));
        }
    }

    /// Something has become durable: requests that waited for it are no longer under way.
    pub(super) fn settle(&mut self, now: At) {
        while let Some(&(stamp, session)) = self.unsettled.front()
            && self.durable.has(stamp)
        {
            self.unsettled.pop_front();
            self.let_go(&session, now);
        }
    }

    /// A request is no longer under way.
    pub(super) fn let_go(&mut self, session: &SessionId, now: At) {
        if let Some(presence) = self.presences.get_mut(session) {
            presence.busy -= 1;
            self.refresh(session, now);
        }
    }
}
