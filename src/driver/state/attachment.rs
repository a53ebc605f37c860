//! Which socket speaks for which session, and the state that it is told.

use std::sync::Arc;

use crate::access::Subject;
use crate::deadlines::At;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::message::{Answered, Ending, Message, RequestMark, WholeState};
use crate::machine::{Fence, Grant, Refusal};

use super::State;
use super::speaker::{Speaker, ping_ms};
use super::watched::{HOLDERS_OF_WATCHES_MAX, holders_of_watches};

/// Most issued tickets that a state has from the visit that asks for it.
const ISSUED_WHOLE_MAX: usize = 1000;

/// The fences of those of some grants that end by themselves.
fn timed(grants: &[Grant]) -> impl Iterator<Item = Fence> {
    grants.iter().filter_map(|grant| match grant {
        Grant::Ticket(grant) => grant.hold_ms.map(|_| grant.fence),
        Grant::Lock(_) => None,
    })
}

impl State {
    /// Whether the session has that socket.
    pub(in crate::driver) fn is_current(&self, speaker: &Speaker) -> bool {
        let socket = self.sessions.socket(&speaker.session);
        socket.is_some_and(|socket| Arc::ptr_eq(socket, &speaker.outbox))
    }

    /// Whether a socket may speak for its session, as far as is known before its turn.
    pub(in crate::driver) fn may_speak(&self, speaker: &Speaker) -> bool {
        self.is_current(speaker)
            || self.queue.is_some() && self.sessions.socket(&speaker.session).is_none()
    }

    /// Gives a session its socket, until whose first answer it does not expire; a socket that it
    /// had is cut.
    pub(super) fn attach(&mut self, speaker: &Speaker, subject: Option<Subject>) {
        if let Some(older) = self.sessions.attach(&speaker.session, speaker.outbox.clone()) {
            older.cut(Ending::Replaced);
        }
        self.sessions.set_subject(&speaker.session, subject);
        self.pin(&speaker.session);
    }

    /// Tells a socket the whole state, as it is at that position.
    pub(super) fn say_state(
        &self,
        speaker: &Speaker,
        id: RequestMark,
        position: LogPosition,
        now: At,
    ) {
        let (session, outbox) = (&speaker.session, &speaker.outbox);
        let lacks_issued = self.machine.issued_count(session) > ISSUED_WHOLE_MAX;
        let state = if lacks_issued {
            self.machine.state_head(session)
        } else {
            self.machine.state(session)
        };
        let Some(session) = state else {
            let gone = Answered::Reply(Err(Refusal::SessionNotFound));
            return outbox.push(Message::Answer(id, gone), position);
        };
        for hold in &session.holds {
            self.undelivered.confirm(hold.fence());
        }
        let lacks_holders = session.watches.len() > HOLDERS_OF_WATCHES_MAX;
        let watches = if lacks_holders { &[][..] } else { &session.watches };
        let whole = WholeState {
            holders: holders_of_watches(&self.machine, watches),
            lefts: self.lefts(timed(&session.holds), now),
            session,
            resumed: speaker.resumed,
            epoch: self.epoch.clone(),
            ping_ms: ping_ms(speaker.ttl),
            lacks_issued,
            lacks_holders,
        };
        outbox.push(Message::Answer(id, Answered::State(Box::new(whole))), position);
        if !self.mode.may_stay() {
            outbox.end(Ending::GoingAway, position);
        }
    }
}
