//! Sessions that are heard, and those that do not expire because a request of theirs is under way.

use crate::deadlines::At;
use crate::machine::SessionId;

use super::core::Core;
use super::watermark::LogPosition;

impl Core {
    /// Something was heard from a session: its TTL runs anew. False when there is no such one.
    pub(super) fn refresh(&mut self, session: &SessionId, now: At) -> bool {
        let Some(entry) = self.sessions.get(session) else { return false };
        if entry.pins == 0 {
            let due = now.after_ms(u64::from(entry.ttl.as_ms()));
            self.deadlines.set(entry.slot, due);
        }
        true
    }

    /// A request is under way: the session does not expire.
    pub(super) fn pin(&mut self, session: &SessionId) {
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.pins += 1;
            self.deadlines.set(entry.slot, At::NEVER);
        }
    }

    /// A request is under way until its answer is durable. (A slow sync ends no session.)
    pub(super) fn hold_until(&mut self, position: LogPosition, session: SessionId) {
        if !self.watermark.has(position) {
            self.pin(&session);
            self.uncommitted.push_back((position, session));
        }
    }

    /// Something has become durable: requests that waited for it are no longer under way.
    pub(super) fn release(&mut self, now: At) {
        while let Some(&(position, session)) = self.uncommitted.front()
            && self.watermark.has(position)
        {
            self.uncommitted.pop_front();
            self.unpin(&session, now);
        }
    }

    /// A request is no longer under way.
    pub(super) fn unpin(&mut self, session: &SessionId, now: At) {
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.pins -= 1;
            self.refresh(session, now);
        }
    }
}
