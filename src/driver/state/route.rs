//! Where the machine's announcements go: into the tables, into outboxes, and to REST requests that
//! wait.

use crate::deadlines::At;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::coalesce::Change;
use crate::driver::outbox::message::{Ending, Message};
use crate::machine::{
    Event, Figures, Grant, Name, Refusal, Reply, RequestId, SessionId, WaitId, WaitOrigin,
    WaitTimeout,
};

use super::{State, narration};

impl State {
    pub(super) fn route_events(&mut self, position: LogPosition, now: At) {
        let mut events = std::mem::take(&mut self.events);
        let is_told = tracing::enabled!(tracing::Level::DEBUG);
        for event in events.drain(..) {
            if is_told {
                narration::announced(&event);
            }
            self.route_event(event, position, now);
        }
        self.undelivered.end_of_events();
        self.events = events;
    }

    fn route_event(&mut self, event: Event, position: LogPosition, now: At) {
        match event {
            Event::SessionOpened { session, ttl } => {
                self.sessions.opened(session, ttl, position, &mut self.deadlines, now);
            }
            Event::SessionEnded { session, why } => {
                self.waits.session_ended(session, &mut self.deadlines);
                if let Some(socket) = self.sessions.ended(&session, &mut self.deadlines) {
                    socket.end(Ending::SessionEnded(why), position);
                }
            }
            Event::WaitBegan { session, wait, origin, timeout } => {
                self.wait_began(session, wait, origin, timeout, now);
            }
            Event::WaitCancelled { session, wait } => self.untime(session, wait),
            Event::Withdrawn { request } => {
                self.end_request(request, Ok(Reply::NotGranted), None, position, now);
            }
            Event::Orphaned { request } => {
                self.end_request(request, Err(Refusal::SessionNotFound), None, position, now);
            }
            Event::Answered { request, grant } => self.answer_grant(request, grant, position, now),
            Event::Emptied { up_to } => self.forgetting.emptied(up_to, now),
            Event::Forgotten { up_to, more } => self.forgetting.forgotten(up_to, more),
            Event::Changed { resource, before, after, freed } => {
                self.route_change(&resource, before, after, freed, position);
            }
            Event::Granted { to, wait, ref grant } => {
                self.untime(to, wait);
                self.undelivered.told_by_socket(grant.fence());
                self.push_event(to, event, position);
            }
            Event::WaitEnded { to, wait, .. } => {
                self.untime(to, wait);
                self.push_event(to, event, position);
            }
            Event::WatchEnded { to, .. }
            | Event::TicketUpdated { to, .. }
            | Event::TicketRevoked { to, .. }
            | Event::TicketClaimed { to, .. }
            | Event::TicketReleased { to, .. }
            | Event::TicketTaken { to, .. }
            | Event::LockWanted { to, .. }
            | Event::LockLost { to, .. } => self.push_event(to, event, position),
        }
    }

    fn wait_began(
        &mut self,
        session: SessionId,
        wait: WaitId,
        origin: WaitOrigin,
        timeout: WaitTimeout,
        now: At,
    ) {
        let (place, deadlines) = ((session, wait), &mut self.deadlines);
        match origin {
            WaitOrigin::Socket => self.waits.socket_began(place, timeout, deadlines, now),
            WaitOrigin::Request(request) => {
                self.waits.request_began(request, place, timeout, deadlines, now);
                self.sessions.pin(&session, deadlines);
            }
        }
    }

    /// A wait by socket has ended.
    fn untime(&mut self, session: SessionId, wait: WaitId) {
        self.waits.socket_ended(session, wait, &mut self.deadlines);
    }

    fn push_event(&self, to: SessionId, event: Event, position: LogPosition) {
        if let Some(socket) = self.sessions.socket(&to) {
            socket.push(Message::Event(event), position);
        }
    }

    fn route_change(
        &self,
        resource: &Name,
        before: Figures,
        after: Figures,
        freed: bool,
        position: LogPosition,
    ) {
        for (session, changes) in self.machine.watchers(resource.as_str()) {
            if let Some(socket) = self.sessions.socket(&session) {
                let change = Change::new(before, after, freed, changes);
                socket.push_change(resource, change, position);
            }
        }
    }

    /// Hands a grant to a REST request. If nobody whom it answers can be told of it, it is undone.
    fn answer_grant(&mut self, request: RequestId, grant: Grant, position: LogPosition, now: At) {
        let Some(session) = self.waits.request(request).map(|wait| wait.session) else { return };
        let undelivered = self.undelivered.share(session, &grant);
        let reply = Ok(Reply::Granted { grant, fresh: true });
        self.end_request(request, reply, undelivered, position, now);
    }
}
