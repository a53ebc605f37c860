//! Locks: taken, waited for, given back.

use super::command::{BlockedSession, Kind, Limit, LockAsk, Mode, Refusal, Reply};
use super::event::{Event, LossReason, ReleaseReason};
use super::extras::HoldExtra;
use super::holds::ClaimEnd;
use super::names::{Data, Fence, HOLDERS_MAX, HOLDS_MAX, Name, SessionId, WaitRequest};
use super::rows::{Held, HoldKey, ResourceKey, SessionKey};
use super::tables::Machine;
use super::tally::GrantHow;
use super::waits::Wish;

/// What a hold has that makes a value known.
pub(super) fn known(data: Option<Data>) -> Option<Box<HoldExtra>> {
    let data = data.filter(|data| !data.as_bytes().is_empty())?;
    Some(Box::new(HoldExtra { data: Some(data), ..HoldExtra::default() }))
}

impl Machine {
    pub(super) fn lock(
        &mut self,
        session: SessionId,
        name: &Name,
        wait_request: Option<WaitRequest>,
        ask: &LockAsk,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let found = self.resource_key(name.as_str());
        if found.is_some_and(|key| self.tables.resources[key].kind == Some(Kind::Tickets)) {
            return Err(Refusal::WrongKind);
        }
        let hold = found.and_then(|key| self.lock_hold(key, session));
        if let Some(fence) = ask.fence {
            let hold = hold.filter(|&hold| self.is_by(hold, Some(fence)));
            return hold.map(|hold| self.confirm(hold, ask)).ok_or(Refusal::NotHolder);
        }
        if ask.steal {
            return self.steal(session, name, hold, ask, out);
        }
        if let Some(hold) = hold {
            if ask.mode == Mode::Exclusive
                && self.tables.holds[hold].what == Held::Lock(Mode::Shared)
            {
                let (session, resource) = (self.info(session).clone(), name.clone());
                return Ok(Reply::Deadlock(vec![BlockedSession { session, resource }]));
            }
            return Ok(self.confirm(hold, ask));
        }
        if found.is_some_and(|key| !self.is_free_lock(key, ask.mode)) {
            let Some(wait_request) = wait_request else { return Ok(Reply::NotGranted) };
            let wish = Wish { mode: ask.mode, data: ask.data.clone(), ..Wish::of(Kind::Lock) };
            return self.join(session, name, wish, wait_request, out);
        }
        self.may_hold_more(session)?;
        // Nothing below can refuse.
        let key = self.resource_entry(name);
        let (what, extra) = (Held::Lock(ask.mode), known(ask.data.clone()));
        let hold = self.change(key, |machine| {
            machine.begin_hold(session, key, what, extra, GrantHow::AtOnce)
        });
        assert!(self.lock_hold(key, session) == Some(hold), "a lock was granted to nobody");
        Ok(self.granted(hold, true))
    }

    /// Whether a session may hold one more.
    pub(super) fn may_hold_more(&self, session: SessionKey) -> Result<(), Refusal> {
        let is_full = self.tables.sessions[session].holds() >= HOLDS_MAX;
        if is_full { Err(Refusal::Limit(Limit::Holds)) } else { Ok(()) }
    }

    /// A grant stands, and what its holder makes known is replaced, if that is asked for.
    fn confirm(&mut self, hold: HoldKey, ask: &LockAsk) -> Reply {
        if let Some(data) = &ask.data {
            let row = &self.tables.holds[hold];
            let (resource, empty) = (row.resource, data.as_bytes().is_empty());
            let former = row.extra.as_ref().and_then(|extra| extra.data.as_ref());
            let data = (!empty).then(|| data.clone());
            if former != data.as_ref() {
                self.change(resource, |machine| {
                    let row = &mut machine.tables.holds[hold];
                    row.extra.get_or_insert_default().data = data;
                    machine.touch_holders(resource);
                });
            }
        }
        self.granted(hold, false)
    }

    /// Whether a try is granted: nobody holds it in a mode that does not fit, and nobody waits.
    fn is_free_lock(&self, key: ResourceKey, mode: Mode) -> bool {
        let resource = &self.tables.resources[key];
        assert!(resource.kind != Some(Kind::Tickets), "tickets are taken for a lock");
        resource.queue.is_none() && resource.is_open() && self.fits(key, mode)
    }

    /// Whether a lock can be held in a mode beside those who hold it.
    pub(super) fn fits(&self, key: ResourceKey, mode: Mode) -> bool {
        let holds = &self.tables.resources[key].holds;
        let Some(first) = holds.first() else { return true };
        mode == Mode::Shared
            && self.tables.holds[first].what == Held::Lock(Mode::Shared)
            && holds.len() < HOLDERS_MAX
    }

    /// A lock is taken from all who hold it, before all who wait.
    fn steal(
        &mut self,
        session: SessionKey,
        name: &Name,
        own: Option<HoldKey>,
        ask: &LockAsk,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let found = self.resource_key(name.as_str());
        if found.is_some_and(|key| !self.tables.resources[key].is_open()) {
            return Ok(Reply::NotGranted);
        }
        if own.is_none() {
            self.may_hold_more(session)?;
        }
        // Nothing below can refuse.
        let key = self.resource_entry(name);
        let by = LossReason::Forced(Some(self.info(session).name.clone()));
        let extra = known(ask.data.clone());
        let hold = self.change(key, |machine| {
            let holds = machine.tables.resources[key].holds;
            let keys: Vec<HoldKey> =
                holds.keys(&machine.tables.holds, |h| &h.in_resource).collect();
            for hold in keys {
                if Some(hold) != own {
                    machine.tell_of_loss(hold, by.clone(), out);
                }
                machine.end_hold(hold, out);
            }
            let what = Held::Lock(Mode::Exclusive);
            machine.begin_hold(session, key, what, extra, GrantHow::Stolen)
        });
        Ok(self.granted(hold, true))
    }

    pub(super) fn unlock(
        &mut self,
        session: SessionId,
        name: &Name,
        only: Option<Fence>,
        by_socket: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session_key = self.session_key(session)?;
        let key = self.held_lock(name)?;
        let hold = self.lock_hold(key, session_key).ok_or(Refusal::NotHolder)?;
        if !self.is_by(hold, only) {
            return Err(Refusal::NotHolder);
        }
        // Nothing below can refuse.
        if !by_socket {
            self.tell_of_loss(hold, LossReason::Released, out);
        }
        self.pass_on(hold, ClaimEnd::by(ReleaseReason::Released), out);
        Ok(Reply::Done)
    }

    /// The lock of that name, which somebody holds, or did and lost it.
    pub(super) fn held_lock(&self, name: &Name) -> Result<ResourceKey, Refusal> {
        let key = self.known_key(name.as_str())?;
        let resource = &self.tables.resources[key];
        match resource.kind {
            Some(Kind::Tickets) => Err(Refusal::WrongKind),
            Some(Kind::Lock) if !resource.holds.is_empty() => Ok(key),
            Some(Kind::Lock) | None => Err(Refusal::NotLocked),
        }
    }
}
