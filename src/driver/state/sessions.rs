//! Living sessions: when each ends, what keeps it from ending, and its socket. What begins and ends
//! is told by the machine's events only.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::access::Subject;
use crate::deadlines::{At, Deadlines, Slot};
use crate::driver::commit::watermark::{LogPosition, Watermark};
use crate::driver::outbox::Outbox;
use crate::machine::{SessionId, Ttl};

use super::due::Due;

/// What is known of a living session beside the machine.
#[derive(Debug)]
struct SessionEntry {
    slot: Slot,
    ttl: Ttl,
    /// Where it was opened: what waits for less is not its own.
    opened: LogPosition,
    /// Requests under way: while there are any the session does not expire.
    pins: u32,
    /// Its socket's outbox, if it has a socket.
    socket: Option<Arc<Outbox>>,
    /// The highest `attempt` that a socket attached with.
    attempt: Option<u64>,
    /// Who its last socket was, where access is asked for.
    subject: Option<Subject>,
    /// That its proof is about to end was told.
    is_warned: bool,
}

/// All living sessions.
#[derive(Debug, Default)]
pub(in crate::driver) struct Sessions {
    entries: HashMap<SessionId, SessionEntry>,
    /// Sessions whose requests wait for something to become durable.
    uncommitted: VecDeque<(LogPosition, SessionId)>,
}

impl Sessions {
    pub(super) fn opened(
        &mut self,
        session: SessionId,
        ttl: Ttl,
        opened: LogPosition,
        deadlines: &mut Deadlines<Due>,
        now: At,
    ) {
        let slot = deadlines.insert(Due::Session(session), now.after_ms(ttl.as_ms().into()));
        let entry = SessionEntry {
            slot,
            ttl,
            opened,
            pins: 0,
            socket: None,
            attempt: None,
            subject: None,
            is_warned: false,
        };
        assert!(self.entries.insert(session, entry).is_none(), "a session was opened twice");
    }

    /// A session has ended. Its socket, if it had one.
    pub(super) fn ended(
        &mut self,
        session: &SessionId,
        deadlines: &mut Deadlines<Due>,
    ) -> Option<Arc<Outbox>> {
        let entry = self.entries.remove(session)?;
        deadlines.remove(entry.slot);
        entry.socket
    }

    /// Something was heard from a session: its TTL runs anew. False when there is no such one.
    pub(super) fn refresh(
        &self,
        session: &SessionId,
        deadlines: &mut Deadlines<Due>,
        now: At,
    ) -> bool {
        let Some(entry) = self.entries.get(session) else { return false };
        if entry.pins == 0 {
            deadlines.set(entry.slot, now.after_ms(entry.ttl.as_ms().into()));
        }
        true
    }

    /// A request is under way: the session does not expire. False when there is no such one.
    pub(super) fn pin(&mut self, session: &SessionId, deadlines: &mut Deadlines<Due>) -> bool {
        let Some(entry) = self.entries.get_mut(session) else { return false };
        entry.pins += 1;
        deadlines.set(entry.slot, At::NEVER);
        true
    }

    /// A request is no longer under way.
    pub(super) fn unpin(&mut self, session: &SessionId, deadlines: &mut Deadlines<Due>, now: At) {
        if let Some(entry) = self.entries.get_mut(session) {
            assert!(entry.pins > 0, "a session was unpinned once too often");
            entry.pins -= 1;
            self.refresh(session, deadlines, now);
        }
    }

    /// A request is under way until its answer is durable. (A slow sync ends no session.)
    pub(super) fn pin_until(
        &mut self,
        position: LogPosition,
        session: SessionId,
        watermark: &Watermark,
        deadlines: &mut Deadlines<Due>,
    ) {
        if !watermark.has(position) && self.pin(&session, deadlines) {
            self.uncommitted.push_back((position, session));
        }
    }

    /// Something has become durable: requests that waited for it are no longer under way.
    pub(super) fn committed(
        &mut self,
        watermark: &Watermark,
        deadlines: &mut Deadlines<Due>,
        now: At,
    ) {
        while let Some(&(position, session)) = self.uncommitted.front()
            && watermark.has(position)
        {
            self.uncommitted.pop_front();
            if self.entries.get(&session).is_some_and(|entry| entry.opened <= position) {
                self.unpin(&session, deadlines, now);
            }
        }
    }

    pub(in crate::driver) fn ttl(&self, session: &SessionId) -> Option<Ttl> {
        self.entries.get(session).map(|entry| entry.ttl)
    }

    /// The outbox of a session's socket, if it has one.
    #[inline]
    pub(in crate::driver) fn socket(&self, session: &SessionId) -> Option<&Arc<Outbox>> {
        self.entries.get(session)?.socket.as_ref()
    }

    /// The outboxes of all sockets, in no order that means anything.
    pub(in crate::driver) fn sockets(&self) -> impl Iterator<Item = &Arc<Outbox>> {
        self.entries.values().filter_map(|entry| entry.socket.as_ref())
    }

    /// Makes that attempt the latest; false when a later one came before it.
    pub(in crate::driver) fn try_attempt(
        &mut self,
        session: &SessionId,
        attempt: Option<u64>,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(session) else { return false };
        if attempt.is_some() && attempt < entry.attempt {
            return false;
        }
        entry.attempt = entry.attempt.max(attempt);
        true
    }

    /// A session has that socket from now on. The one it had.
    pub(in crate::driver) fn attach(
        &mut self,
        session: &SessionId,
        outbox: Arc<Outbox>,
    ) -> Option<Arc<Outbox>> {
        self.entries.get_mut(session)?.socket.replace(outbox)
    }

    /// How long ago a session was last heard, in ms; 0 while a request of it is under way.
    pub(super) fn unheard_ms(
        &self,
        session: &SessionId,
        deadlines: &Deadlines<Due>,
        now: At,
    ) -> u64 {
        let Some(entry) = self.entries.get(session).filter(|entry| entry.pins == 0) else {
            return 0;
        };
        let left_us = deadlines.due(entry.slot).as_micros().saturating_sub(now.as_micros());
        u64::from(entry.ttl.as_ms()).saturating_sub(left_us.div_ceil(1000))
    }

    /// Who a session's last socket was.
    #[inline]
    pub(in crate::driver) fn subject(&self, session: &SessionId) -> Option<&Subject> {
        self.entries.get(session)?.subject.as_ref()
    }

    /// Who speaks for a session from now on; `None` is nobody any more.
    pub(super) fn set_subject(&mut self, session: &SessionId, subject: Option<Subject>) {
        if let Some(entry) = self.entries.get_mut(session) {
            entry.subject = subject;
            entry.is_warned = false;
        }
    }

    /// Whether it is to be told now that its proof is about to end. True once for each proof.
    pub(super) fn warn(&mut self, session: &SessionId) -> bool {
        let entry = self.entries.get_mut(session).filter(|entry| entry.socket.is_some());
        entry.is_some_and(|entry| !std::mem::replace(&mut entry.is_warned, true))
    }

    /// A session has that socket no more, if it still had it.
    pub(in crate::driver) fn detach(&mut self, session: &SessionId, outbox: &Arc<Outbox>) {
        if let Some(entry) = self.entries.get_mut(session)
            && entry.socket.as_ref().is_some_and(|socket| Arc::ptr_eq(socket, outbox))
        {
            entry.socket = None;
        }
    }

    /// Their ids, in no order that means anything.
    #[cfg(debug_assertions)]
    pub(super) fn ids(&self) -> impl ExactSizeIterator<Item = &SessionId> {
        self.entries.keys()
    }
}
