//! Holds that end though their holders did not say so: by force, in time, lost with a session, or
//! taken back.

use super::command::{Kind, Refusal, Reply};
use super::event::{Event, LossReason, ReleaseReason};
use super::holds::ClaimEnd;
use super::names::{Fence, Name, SessionId};
use super::rows::{Held, HoldKey, NOBODY, SessionKey};
use super::tables::Machine;

impl Machine {
    pub(super) fn force(
        &mut self,
        by: Option<SessionId>,
        name: &Name,
        ticket: Option<&Name>,
        only: Option<Fence>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let by = by.map(|by| self.session_key(by)).transpose()?;
        match ticket {
            None => self.force_lock(by, name, only, out),
            Some(ticket) => self.force_claim(by, name, ticket, only, out),
        }
    }

    fn force_lock(
        &mut self,
        by: Option<SessionKey>,
        name: &Name,
        only: Option<Fence>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let key = self.held_lock(name)?;
        let holds = self.tables.resources[key].holds;
        let keys = holds.keys(&self.tables.holds, |h| &h.in_resource);
        let keys: Vec<HoldKey> = keys.filter(|&hold| self.is_by(hold, only)).collect();
        if keys.is_empty() {
            return Err(Refusal::NotHolder);
        }
        // Nothing below can refuse.
        self.change(key, |machine| {
            for hold in keys {
                machine.tell_of_force(hold, by, out);
                machine.end_hold(hold, out);
            }
            machine.admit(key, out);
        });
        Ok(Reply::Done)
    }

    fn force_claim(
        &mut self,
        by: Option<SessionKey>,
        name: &Name,
        ticket: &Name,
        only: Option<Fence>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let resource = self.known_key(name.as_str())?;
        if self.tables.resources[resource].kind == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let found = self.tables.find_ticket(resource, ticket.as_str());
        let Some(hold) = found.and_then(|ticket| self.tables.tickets[ticket].hold()) else {
            return Ok(Reply::Released(false));
        };
        if !self.is_by(hold, only) {
            return Err(Refusal::NotHolder);
        }
        // Nothing below can refuse.
        self.tell_of_force(hold, by, out);
        self.pass_on(hold, ClaimEnd::by(ReleaseReason::Forced), out);
        Ok(Reply::Released(true))
    }

    /// Tells a holder that another ends its hold.
    fn tell_of_force(&self, hold: HoldKey, by: Option<SessionKey>, out: &mut Vec<Event>) {
        if by.is_none_or(|by| self.tables.holds[hold].session != by) {
            let by = by.map(|by| self.info(by).name.clone());
            self.tell_of_loss(hold, LossReason::Forced(by), out);
        }
    }

    /// A grant of which nobody could be told is undone.
    pub(super) fn take_back(
        &mut self,
        session: SessionId,
        name: &Name,
        ticket: Option<&Name>,
        fence: Fence,
        out: &mut Vec<Event>,
    ) -> Reply {
        let hold = self.living_key(&session).and_then(|session| {
            let resource = self.resource_key(name.as_str())?;
            let hold = match ticket {
                None => self.lock_hold(resource, session)?,
                Some(ticket) => {
                    let ticket = self.tables.find_ticket(resource, ticket.as_str())?;
                    self.ticket_hold(ticket, session)?
                }
            };
            self.is_by(hold, Some(fence)).then_some(hold)
        });
        if let Some(hold) = hold {
            let end = ClaimEnd { counts: false, ..ClaimEnd::by(ReleaseReason::Released) };
            self.pass_on(hold, end, out);
        }
        Reply::Released(hold.is_some())
    }

    /// The time of claims is up.
    pub(super) fn end_timed(&mut self, fences: &[Fence], out: &mut Vec<Event>) -> Reply {
        for fence in fences {
            if let Some(&hold) = self.tables.timed.get(fence) {
                self.tell_of_loss(hold, LossReason::TimedOut, out);
                self.pass_on(hold, ClaimEnd::by(ReleaseReason::TimedOut), out);
            }
        }
        Reply::Done
    }

    /// Lost holds have stayed for long enough.
    pub(super) fn end_lost(&mut self, fences: &[Fence], out: &mut Vec<Event>) -> Reply {
        for fence in fences {
            if let Some(&hold) = self.tables.lost.get(fence) {
                self.pass_on(hold, ClaimEnd::by(ReleaseReason::Gone), out);
            }
        }
        Reply::Done
    }

    /// A session that ends loses a hold, which stays for a while as nobody's. A claim has ended all
    /// the same.
    pub(super) fn lose(&mut self, key: HoldKey, out: &mut Vec<Event>) {
        let hold = &self.tables.holds[key];
        let (resource, session, fence, what) = (hold.resource, hold.session, hold.fence, hold.what);
        let delay_ms = self.tables.sessions[session].conduct.delay_ms;
        let name = self.info(session).name.clone();
        self.change(resource, |machine| {
            machine.count_attempt(key, ClaimEnd::by(ReleaseReason::Gone), out);
            machine.unlist_with_holder(key, session);
            let tables = &mut machine.tables;
            if tables.timed.remove(&fence).is_some() {
                out.push(Event::HoldEnded { fence });
            }
            let hold = &mut tables.holds[key];
            hold.session = NOBODY;
            let extra = hold.extra.get_or_insert_default();
            (extra.hold_ms, extra.lost_by) = (Some(delay_ms), Some(name));
            let former = tables.lost.insert(fence, key);
            assert!(former.is_none(), "a hold was lost twice");
            out.push(Event::HoldLost { fence, delay_ms });
            if matches!(what, Held::Lock(_)) {
                machine.touch_holders(resource);
            }
        });
    }
}
