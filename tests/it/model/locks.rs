//! Locks in the model: who is granted one, and how it is given back.

use ticketd::machine::{
    BlockedSession, Data, Event, Fence, Grant, HOLDERS_MAX, Kind, LockAsk, LockGrant, LossReason,
    Mode, Name, Refusal, Reply, SessionId, WaitRequest,
};

use super::{Answer, Hold, Model, Whose};
use crate::model::queues::Want;

impl Model {
    pub(super) fn lock(
        &mut self,
        session: SessionId,
        resource: &Name,
        wait_request: Option<WaitRequest>,
        ask: LockAsk,
    ) -> Answer {
        self.living(session)?;
        self.may_be(resource, Kind::Lock)?;
        let LockAsk { mode, data, fence, steal } = ask;
        let mine = self.holds_of(resource).find(|hold| hold.holder.is(session));
        let mine = mine.map(|hold| (hold.fence, hold.mode));
        if let Some(only) = fence {
            let (mine, _) = mine.filter(|(mine, _)| *mine == only).ok_or(Refusal::NotHolder)?;
            return Ok(self.confirm_lock(resource, mine, data));
        }
        if steal {
            return self.steal(session, resource, data);
        }
        match mine {
            Some((_, Mode::Shared)) if mode == Mode::Exclusive => {
                let (session, resource) = (self.info(session), resource.clone());
                return Ok(Reply::Deadlock(vec![BlockedSession { session, resource }]));
            }
            Some((fence, _)) => return Ok(self.confirm_lock(resource, fence, data)),
            None => {}
        }
        let nobody_waits = self.waiting(resource) == 0;
        if nobody_waits && !self.stands_still(resource) && self.fits(resource, mode) {
            self.may_hold_more(session)?;
            let grant = self.take_lock(session, resource, mode, data);
            return Ok(Reply::Granted { grant, fresh: true });
        }
        let Some(wait_request) = wait_request else { return Ok(Reply::NotGranted) };
        if let Some(circle) = self.circle(session, resource, None) {
            return Ok(Reply::Deadlock(circle));
        }
        let reply = self.join(session, resource, Want::Lock { mode, data }, wait_request)?;
        if nobody_waits {
            let holders = self.holds_of(resource).filter_map(|hold| hold.holder.session());
            let wanted = |to| Event::LockWanted { to, resource: resource.clone(), waiting: 1 };
            let events: Vec<Event> = holders.map(wanted).collect();
            self.events.extend(events);
        }
        Ok(reply)
    }

    /// Whether one more grant in that mode can stand beside those in force.
    pub(super) fn fits(&self, resource: &Name, mode: Mode) -> bool {
        let mut others = self.holds_of(resource);
        match mode {
            Mode::Exclusive => others.next().is_none(),
            Mode::Shared => {
                let shared = self.holds_of(resource).filter(|hold| hold.mode == Mode::Shared);
                shared.count() < HOLDERS_MAX && others.all(|hold| hold.mode == Mode::Shared)
            }
        }
    }

    /// Who has it has it, and may make something else known.
    fn confirm_lock(&mut self, resource: &Name, fence: Fence, data: Option<Data>) -> Reply {
        let hold = self.holds.iter_mut().find(|hold| hold.fence == fence).expect("it is held");
        if let Some(data) = data {
            hold.data = Some(data).filter(is_any);
        }
        let grant = self.lock_grant(resource, fence);
        Reply::Granted { grant, fresh: false }
    }

    fn steal(&mut self, session: SessionId, resource: &Name, data: Option<Data>) -> Answer {
        if self.stands_still(resource) {
            return Ok(Reply::NotGranted);
        }
        self.may_hold_more(session)?;
        let by = Some(self.info(session).name.clone());
        let fences: Vec<Fence> = self.holds_of(resource).map(|hold| hold.fence).collect();
        for fence in fences {
            let hold = self.end_hold(fence);
            if let Some(to) = hold.holder.session().filter(|to| *to != session) {
                let (resource, reason) = (hold.resource, LossReason::Forced(by.clone()));
                self.events.push(Event::LockLost { to, resource, fence, reason });
            }
        }
        let grant = self.take_lock(session, resource, Mode::Exclusive, data);
        Ok(Reply::Granted { grant, fresh: true })
    }

    pub(super) fn unlock(
        &mut self,
        session: SessionId,
        resource: &Name,
        only: Option<Fence>,
        by_socket: bool,
    ) -> Answer {
        self.living(session)?;
        self.must_be(resource, Kind::Lock)?;
        if self.holds_of(resource).next().is_none() {
            return Err(Refusal::NotLocked);
        }
        let mine = self.holds_of(resource).find(|hold| hold.holder.is(session));
        let mine = mine.filter(|hold| only.is_none_or(|only| only == hold.fence));
        let fence = mine.ok_or(Refusal::NotHolder)?.fence;
        self.end_hold(fence);
        if !by_socket {
            let (resource, reason) = (resource.clone(), LossReason::Released);
            self.events.push(Event::LockLost { to: session, resource, fence, reason });
        }
        self.admit(resource);
        Ok(Reply::Done)
    }

    pub(super) fn take_lock(
        &mut self,
        holder: SessionId,
        resource: &Name,
        mode: Mode,
        data: Option<Data>,
    ) -> Grant {
        let fence = self.fence();
        let (holder, since_ms) = (Whose::Its(holder), self.clock_ms);
        let (resource, ticket, hold_ms) = (resource.clone(), None, None);
        let (name, data) = (resource.clone(), data.filter(is_any));
        self.holds.push(Hold { resource, ticket, holder, fence, since_ms, mode, data, hold_ms });
        self.lock_grant(&name, fence)
    }

    pub(super) fn lock_grant(&self, resource: &Name, fence: Fence) -> Grant {
        let hold = self.holds.iter().find(|hold| hold.fence == fence).expect("it was granted");
        let (resource, waiting, mode) = (resource.clone(), self.waiting(resource), hold.mode);
        Grant::Lock(LockGrant { resource, fence, waiting, mode })
    }
}

/// Whether something is made known.
fn is_any(data: &Data) -> bool {
    !data.as_bytes().is_empty()
}
