//! Where the machine's announcements go: into outboxes, and to REST requests that wait.

use crate::deadlines::At;
use crate::machine::{Event, Grant, RequestId, SessionId};

use super::changes::Change;
use super::core::Core;
use super::message::{Ending, Message};
use super::narration;
use super::requests::Outcome;
use super::watermark::LogPosition;

impl Core {
    pub(super) fn route_events(&mut self, position: LogPosition, now: At) {
        let mut events = std::mem::take(&mut self.events);
        let is_told = tracing::enabled!(tracing::Level::DEBUG);
        for event in events.drain(..) {
            if is_told {
                narration::announced(&event);
            }
            self.route_event(event, position, now);
        }
        self.shared = None;
        self.events = events;
    }

    fn route_event(&mut self, event: Event, position: LogPosition, now: At) {
        match event {
            Event::Answered { request, grant } => self.answer_grant(request, grant, position, now),
            Event::Orphaned { request } => {
                self.answer(request, Outcome::SessionGone, position, now);
            }
            Event::SessionEnded { session, why } => {
                self.untime_all_waits(session);
                if let Some(entry) = self.sessions.remove(&session) {
                    self.deadlines.remove(entry.slot);
                    if let Some(socket) = entry.socket {
                        socket.end(Ending::SessionEnded(why), position);
                    }
                }
            }
            Event::Changed { resource, before, after, freed } => {
                for (session, changes) in self.machine.watchers(resource.as_str()) {
                    let socket = self.sessions.get(&session).and_then(|p| p.socket.as_ref());
                    if let Some(socket) = socket {
                        let change = Change::new(before, after, freed, changes);
                        socket.push_change(&resource, change, position);
                    }
                }
            }
            Event::Granted { to, wait, ref grant } => {
                self.untime_wait(to, wait);
                // The socket is told, or finds the grant in its state when it comes back.
                self.shared = Some((grant.fence(), None));
                self.push_event(to, event, position);
            }
            Event::WaitEnded { to, wait, .. } => {
                self.untime_wait(to, wait);
                self.push_event(to, event, position);
            }
            Event::TicketUpdated { to, .. }
            | Event::TicketRevoked { to, .. }
            | Event::TicketClaimed { to, .. }
            | Event::TicketReleased { to, .. }
            | Event::TicketTaken { to, .. }
            | Event::LockWanted { to, .. }
            | Event::LockLost { to, .. } => self.push_event(to, event, position),
        }
    }

    fn push_event(&self, to: SessionId, event: Event, position: LogPosition) {
        if let Some(socket) = self.sessions.get(&to).and_then(|p| p.socket.as_ref()) {
            socket.push(Message::Event(event), position);
        }
    }

    /// Hands a grant to a REST request. If nobody whom it answers can be told of it, it is undone.
    fn answer_grant(&mut self, request: RequestId, grant: Grant, position: LogPosition, now: At) {
        let Some(session) = self.requests.get(&request).map(|p| p.session) else { return };
        let share = match &self.shared {
            Some((fence, share)) if *fence == grant.fence() => share.clone(),
            _ => {
                let share = Some(self.share(session, &grant));
                self.shared = Some((grant.fence(), share.clone()));
                share
            }
        };
        self.answer(request, Outcome::Granted { grant, share }, position, now);
    }
}
