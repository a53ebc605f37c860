//! Where the machine's announcements go: into the tables, into outboxes, and to REST requests that
//! wait.

use crate::deadlines::At;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::coalesce::{Change, News};
use crate::driver::outbox::message::{Ending, Message};
use crate::machine::{
    Event, Figures, Grant, Name, Refusal, Reply, RequestId, SessionId, WaitId, WaitOrigin,
    WaitTimeout,
};

use super::watched::watched_holders;
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
                self.progress.session_ended(session);
                self.progress.moved();
                if let Some(socket) = self.sessions.ended(&session, &mut self.deadlines) {
                    socket.end(Ending::SessionEnded(why), position);
                }
            }
            Event::WaitBegan { session, wait, origin, timeout } => {
                self.wait_began(session, wait, origin, timeout, now);
            }
            Event::WaitCancelled { session, wait } => self.untime(session, wait),
            Event::HoldTimed { fence, hold_ms, .. } => {
                self.timings.claim_began(fence, hold_ms, &mut self.deadlines, now);
            }
            Event::HoldLost { fence, delay_ms } => {
                self.timings.hold_lost(fence, delay_ms, &mut self.deadlines, now);
            }
            Event::HoldEnded { fence } => self.timings.hold_ended(fence, &mut self.deadlines),
            Event::DelayBegan { delay, delay_ms, .. } => {
                self.timings.delay_began(delay, delay_ms, &mut self.deadlines, now);
            }
            Event::DelayEnded { delay } => self.timings.delay_ended(delay, &mut self.deadlines),
            Event::Serving { resource } => self.serving.add(resource),
            Event::Withdrawn { request } => {
                self.end_request(request, Ok(Reply::NotGranted), None, position, now);
            }
            Event::Orphaned { request } => {
                self.end_request(request, Err(Refusal::SessionNotFound), None, position, now);
            }
            Event::Answered { request, grant } => self.answer_grant(request, grant, position, now),
            Event::Emptied { up_to } => self.forgetting.emptied(up_to, now),
            Event::Forgotten { up_to, more } => self.forgetting.forgotten(up_to, more),
            Event::Changed { resource, before, after, freed, holders } => {
                let news = self.news(&resource, (before, after), freed, holders);
                self.route_change(&resource, news, after, position);
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
        if self.progress.ended(session, wait)
            && let Some(socket) = self.sessions.socket(&session)
        {
            socket.drop_moved(wait);
        }
        self.progress.moved();
    }

    fn push_event(&self, to: SessionId, event: Event, position: LogPosition) {
        if let Some(socket) = self.sessions.socket(&to) {
            socket.push(Message::Event(event), position);
        }
    }

    /// What has happened to a watched resource.
    fn news(
        &self,
        resource: &Name,
        (before, after): (Figures, Figures),
        freed: bool,
        holders: bool,
    ) -> News {
        let news = News::of(before, after, freed, holders);
        // A lock that was given back in a pause is to be had when that ends.
        let is_resumed = before.paused && !after.paused && after.kind.is_none();
        let lock = news.lock
            || is_resumed
                && self.machine.resource_head(resource.as_str()).is_some_and(|it| it.is_lock);
        News { lock, ..news }
    }

    fn route_change(&self, resource: &Name, news: News, figures: Figures, position: LogPosition) {
        // The same for all.
        let mut holders = None;
        for (session, changes) in self.machine.watchers(resource.as_str()) {
            if let Some(socket) = self.sessions.socket(&session) {
                let change = if changes {
                    let of_now = || watched_holders(&self.machine, resource, &figures);
                    let holders = holders.get_or_insert_with(of_now).clone();
                    Change::new(news, figures, holders)
                } else {
                    Change::new(News { changed: false, ..news }, figures, None)
                };
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
