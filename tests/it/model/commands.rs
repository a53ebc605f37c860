//! Which command does what, and the few that have no other place: sessions that come, watches.

use std::sync::Arc;

use ticketd::machine::{
    Command, EndReason, Event, Limit, Name, Owner, Refusal, Reply, SessionId, SessionInfo,
    WATCHES_MAX, WaitEndReason,
};

use super::{Answer, Model, Watch};

impl Model {
    pub(super) fn carry_out(&mut self, command: &Command) -> Answer {
        use Command as C;
        match command.clone() {
            C::Open { session, name, ttl, source, conduct } => {
                let info = SessionInfo { id: session, name, ttl, source };
                let former = self.sessions.insert(session, Arc::new(info));
                assert!(former.is_none(), "the test opens a session twice");
                self.conducts.insert(session, conduct);
                Ok(Reply::Done)
            }
            C::Adopt { session, owner } => self.adopt(session, &owner),
            C::Lock { session, resource, wait_request, ask } => {
                self.lock(session, &resource, wait_request, ask)
            }
            C::Unlock { session, resource, fence, by_socket } => {
                self.unlock(session, &resource, fence, by_socket)
            }
            C::Claim { session, resource, ticket, wait_request, again, hold_ms } => match ticket {
                Some(ticket) => self.claim_that(session, &resource, &ticket, wait_request, hold_ms),
                None => self.claim_any(session, &resource, wait_request, again, hold_ms),
            },
            C::ClaimFirst { session, resources, wait, hold_ms } => {
                self.claim_first(session, &resources, wait, hold_ms)
            }
            C::Touch { session, resource, ticket, fence, hold_ms } => {
                self.touch(session, &resource, &ticket, fence, hold_ms)
            }
            C::Issue { session, resource, ticket, data, notify, terms } => {
                self.issue(session, &resource, &ticket, data, notify, terms)
            }
            C::Revoke { session, resource, ticket, reach, fence } => {
                self.revoke(session, &resource, &ticket, reach, fence)
            }
            C::Revive { session, resource, ticket } => {
                self.revive(session, &resource, ticket.as_ref())
            }
            C::Release { session, resource, ticket, fence, by_socket, parting } => {
                self.release(session, &resource, &ticket, fence, by_socket, &parting)
            }
            C::Watch { session, resource, changes } => self.watch(session, resource, changes),
            C::Unwatch { session, resource } => self.unwatch(session, &resource),
            C::Blind { session, resource } => self.blind(session, resource),
            C::Pause { session, resource, paused } => self.pause(session, &resource, paused),
            C::Serve { resource } => Ok(self.serve(&resource)),
            C::Clock { ms } => {
                self.clock_ms = ms;
                Ok(Reply::Done)
            }
            _ => self.carry_out_an_end(command),
        }
    }

    /// Commands by which something is over.
    fn carry_out_an_end(&mut self, command: &Command) -> Answer {
        use Command as C;
        match command.clone() {
            C::Boot { fence } => self.boot(fence),
            C::Join { .. } => Ok(Reply::Done),
            C::Leave { node } | C::Bury { node } => self.part(node),
            C::Close { session, by_other } => {
                self.living(session)?;
                self.end(&[session], EndReason::Closed, by_other)
            }
            C::Condemn { sessions } => self.condemn(&sessions),
            C::Expire { sessions } => self.end(&sessions, EndReason::Expired, true),
            C::Force { by, resource, ticket, fence } => match ticket {
                Some(ticket) => self.force_ticket(by, &resource, &ticket, fence),
                None => self.force_lock(by, &resource, fence),
            },
            C::TakeBack { session, resource, ticket, fence } => {
                self.take_back(session, &resource, ticket.as_ref(), fence)
            }
            C::EndHolds { fences } => self.end_holds(&fences),
            C::EndLost { fences } => self.end_lost(&fences),
            C::Ripen { delays } => self.ripen(&delays),
            C::Cancel { session, wait } => self.cancel(session, wait),
            C::TimeOut { wait } => self.end_wait(wait, WaitEndReason::TimedOut),
            C::Forbid { wait } => self.end_wait(wait, WaitEndReason::Forbidden),
            C::Withdraw { wait, request } => self.withdraw(wait, request),
            C::Forget { up_to } => self.forget(up_to),
            other => panic!("the model does not know {other:?}"),
        }
    }

    fn adopt(&mut self, session: SessionId, owner: &Owner) -> Answer {
        self.living(session)?;
        let is_new = !self.owners.contains_key(&session);
        if self.owners.entry(session).or_insert_with(|| owner.clone()) == owner {
            Ok(Reply::Adopted(is_new))
        } else {
            Err(Refusal::SessionNotFound)
        }
    }

    fn watch(&mut self, session: SessionId, resource: Name, changes: bool) -> Answer {
        self.living(session)?;
        let same = |watch: &&mut Watch| watch.session == session && watch.resource == resource;
        let watching = self.watches.iter().filter(|watch| watch.session == session).count();
        let figures = self.figures(&resource);
        match self.watches.iter_mut().find(same) {
            Some(watch) => watch.changes = changes,
            None if watching >= WATCHES_MAX => return Err(Refusal::Limit(Limit::Watches)),
            None => self.watches.push(Watch { session, resource, changes }),
        }
        Ok(Reply::Watching(figures))
    }

    fn blind(&mut self, to: SessionId, resource: Name) -> Answer {
        let before = self.watches.len();
        self.unwatch(to, &resource)?;
        let ended = self.watches.len() < before;
        if ended {
            self.events.push(Event::WatchEnded { to, resource });
        }
        Ok(Reply::Cancelled(ended))
    }

    fn unwatch(&mut self, session: SessionId, resource: &Name) -> Answer {
        self.living(session)?;
        self.watches.retain(|watch| watch.session != session || watch.resource != *resource);
        Ok(Reply::Done)
    }
}
