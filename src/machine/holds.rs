//! Holds: grants in force, of locks and of tickets alike. They begin, are told of, and end.

use super::command::{Grant, Kind, LockGrant, Mode, Parting, Party, Reply, TicketGrant};
use super::event::{Event, LossReason, ReleaseReason};
use super::extras::HoldExtra;
use super::list::Link;
use super::names::Fence;
use super::rows::{Held, Hold, HoldKey, ResourceKey, SessionKey, TicketKey, TicketStanding};
use super::tables::Machine;
use super::tally::GrantHow;

/// How a claim ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClaimEnd<'a> {
    pub(super) reason: ReleaseReason,
    /// Whether the attempt counts.
    pub(super) counts: bool,
    /// What the claimant wants to become of the ticket.
    pub(super) parting: Option<&'a Parting>,
    /// The ticket vanishes with it.
    pub(super) vanishes: bool,
}

impl ClaimEnd<'_> {
    /// One that counts, and of which the claimant says nothing.
    pub(super) const fn by(reason: ReleaseReason) -> Self {
        Self { reason, counts: true, parting: None, vanishes: false }
    }
}

impl Machine {
    /// A session comes to hold something that is there to be held, by a new fence.
    pub(super) fn begin_hold(
        &mut self,
        session: SessionKey,
        resource: ResourceKey,
        what: Held,
        extra: Option<Box<HoldExtra>>,
        how: GrantHow,
    ) -> HoldKey {
        assert!(!self.tables.sessions[session].ending, "one that ends is granted more");
        self.count_grant(what, how);
        let (fence, since) = (self.fence(), self.now());
        let (in_session, in_resource) = (Link::default(), Link::default());
        self.tie_hold(Hold {
            session,
            resource,
            what,
            fence,
            since,
            extra,
            in_session,
            in_resource,
        })
    }

    /// Ties a hold into the tables. Its fence must be the greatest of its lists.
    pub(super) fn tie_hold(&mut self, hold: Hold) -> HoldKey {
        let (what, resource, fence) = (hold.what, hold.resource, hold.fence);
        let (holder, hold_ms) = (hold.holder(), hold.hold_ms());
        self.stand(resource, what.kind());
        let tables = &mut self.tables;
        let key = tables.holds.insert(hold);
        match what {
            Held::Lock(mode) => {
                let first = tables.resources[resource].holds.first();
                let fits = |first: HoldKey| tables.holds[first].what == Held::Lock(Mode::Shared);
                let fits = mode == Mode::Shared && first.is_none_or(fits);
                assert!(first.is_none() || fits, "a lock was granted beside another's");
            }
            Held::Ticket(ticket) => {
                let ticket = &mut tables.tickets[ticket];
                assert!(ticket.standing == TicketStanding::Free, "a ticket was granted twice");
                ticket.standing = TicketStanding::Held(key);
                tables.claims += 1;
            }
        }
        assert!(tables.claims <= tables.holds.len(), "there are more claims than holds");
        let list = &mut tables.resources[resource].holds;
        list.push(&mut tables.holds, key, |h| &mut h.in_resource);
        match holder {
            Some(session) => {
                self.list_with_holder(key, session);
                if hold_ms.is_some() {
                    self.tables.timed.insert(fence, key);
                }
            }
            None => drop(self.tables.lost.insert(fence, key)),
        }
        self.touch_holders_by(what, resource);
        key
    }

    /// A hold is listed with the session that has it.
    fn list_with_holder(&mut self, key: HoldKey, session: SessionKey) {
        let tables = &mut self.tables;
        let Hold { resource, what, fence, .. } = tables.holds[key];
        let holder = &mut tables.sessions[session];
        if what != Held::Lock(Mode::Exclusive) {
            let former = holder.by_resource.insert((resource, fence), key);
            assert!(former.is_none(), "a fence was given twice");
        }
        let list = match what {
            Held::Lock(_) => &mut holder.locks,
            Held::Ticket(_) => &mut holder.claims,
        };
        list.push(&mut tables.holds, key, |h| &mut h.in_session);
    }

    /// A hold is no longer listed with the session that has it.
    pub(super) fn unlist_with_holder(&mut self, key: HoldKey, session: SessionKey) {
        let tables = &mut self.tables;
        let Hold { resource, what, fence, .. } = tables.holds[key];
        let holder = &mut tables.sessions[session];
        if what != Held::Lock(Mode::Exclusive) {
            let former = holder.by_resource.remove(&(resource, fence));
            assert!(former == Some(key), "a session lacks a hold of its own");
        }
        let list = match what {
            Held::Lock(_) => &mut holder.locks,
            Held::Ticket(_) => &mut holder.claims,
        };
        list.remove(&mut tables.holds, key, |h| &mut h.in_session);
    }

    /// Takes a hold out of the tables. What was held is nobody's then: the caller says what next.
    pub(super) fn end_hold(&mut self, key: HoldKey, out: &mut Vec<Event>) -> Hold {
        let tables = &mut self.tables;
        let hold = &tables.holds[key];
        let (what, resource, fence, holder) = (hold.what, hold.resource, hold.fence, hold.holder());
        assert!(tables.resources[resource].changing, "a hold ends outside of a change");
        if let Held::Ticket(ticket) = what {
            let ticket = &mut tables.tickets[ticket];
            let is_held = ticket.standing == TicketStanding::Held(key);
            assert!(is_held, "a ticket is held by another hold");
            ticket.standing = TicketStanding::Free;
            tables.claims -= 1;
        }
        if hold.extra.is_some() {
            let timed = tables.timed.remove(&fence).or_else(|| tables.lost.remove(&fence));
            out.extend(timed.map(|_| Event::HoldEnded { fence }));
        }
        if let Some(session) = holder {
            self.unlist_with_holder(key, session);
        }
        let tables = &mut self.tables;
        let list = &mut tables.resources[resource].holds;
        list.remove(&mut tables.holds, key, |h| &mut h.in_resource);
        self.touch_holders_by(what, resource);
        let hold = self.tables.holds.remove(key);
        self.count_hold(what, hold.since);
        hold
    }

    #[inline]
    fn touch_holders_by(&mut self, what: Held, resource: ResourceKey) {
        if what.kind() == Kind::Lock {
            self.touch_holders(resource);
        }
    }

    /// A hold ends, and what was held goes to whom it suits first.
    pub(super) fn pass_on(&mut self, key: HoldKey, end: ClaimEnd<'_>, out: &mut Vec<Event>) {
        let resource = self.tables.holds[key].resource;
        self.change(resource, |machine| {
            machine.count_attempt(key, end, out);
            let ended = machine.end_hold(key, out);
            if let Held::Ticket(ticket) = ended.what {
                machine.settle(ticket, end.parting, out);
            }
            machine.admit(resource, out);
        });
    }

    /// A claim ends, or is lost: it is counted, and the ticket's issuer is told.
    pub(super) fn count_attempt(&mut self, key: HoldKey, end: ClaimEnd<'_>, out: &mut Vec<Event>) {
        let hold = &self.tables.holds[key];
        let (Held::Ticket(ticket), Some(_)) = (hold.what, hold.holder()) else { return };
        let row = &mut self.tables.tickets[ticket];
        let attempt = row.attempts.saturating_add(1);
        if end.counts {
            row.attempts = attempt;
        }
        let note = end.parting.and_then(|parting| parting.note.as_ref());
        if let Some(note) = note {
            row.extra_mut().note = Some(note.clone());
        }
        let is_over = row.is_spent() || end.parting.is_some_and(|parting| parting.dead);
        let dead = is_over && !end.vanishes;
        let row = &self.tables.tickets[ticket];
        assert!(
            row.standing == TicketStanding::Held(key),
            "a claim's end is told of after it ended"
        );
        if let (true, Some(issuer)) = (row.notify, row.issuer()) {
            let hold = &self.tables.holds[key];
            out.push(Event::TicketReleased {
                to: self.info(issuer).id,
                resource: self.tables.resources[hold.resource].name.clone(),
                ticket: row.name.clone(),
                claimant: self.info(hold.session).name.clone(),
                fence: hold.fence,
                reason: end.reason,
                attempt,
                note: note.cloned(),
                dead,
            });
        }
    }

    /// What becomes of a ticket whose hold has ended: it is dead, delayed, or to be offered.
    pub(super) fn settle(
        &mut self,
        ticket: TicketKey,
        parting: Option<&Parting>,
        out: &mut Vec<Event>,
    ) {
        let is_over = parting.is_some_and(|parting| parting.dead);
        let delay_ms = parting.map_or(0, |parting| parting.delay_ms);
        if is_over || self.tables.tickets[ticket].is_spent() {
            self.enter_dead(ticket);
        } else if delay_ms > 0 {
            self.begin_delay(ticket, delay_ms, out);
        } else {
            self.freed.push_back(ticket);
        }
    }

    /// The hold of a lock by that session.
    pub(super) fn lock_hold(&self, resource: ResourceKey, session: SessionKey) -> Option<HoldKey> {
        let row = &self.tables.resources[resource];
        let first = row.holds.first().filter(|_| row.kind == Some(Kind::Lock))?;
        match self.tables.holds[first].what {
            Held::Lock(Mode::Shared) => self.first_by_resource(session, resource),
            _ => Some(first).filter(|&key| self.tables.holds[key].session == session),
        }
    }

    /// The hold with the lowest fence that a session has in a resource, of those of many.
    pub(super) fn first_by_resource(
        &self,
        session: SessionKey,
        resource: ResourceKey,
    ) -> Option<HoldKey> {
        let by_resource = &self.tables.sessions[session].by_resource;
        let (&(found, _), &hold) = by_resource.range((resource, Fence(0))..).next()?;
        (found == resource).then_some(hold)
    }

    /// The hold of a ticket by that session.
    pub(super) fn ticket_hold(&self, ticket: TicketKey, session: SessionKey) -> Option<HoldKey> {
        let hold = self.tables.tickets[ticket].hold();
        hold.filter(|&key| self.tables.holds[key].session == session)
    }

    /// Whether a hold is by that fence, if it must be by a certain one.
    pub(super) fn is_by(&self, hold: HoldKey, only: Option<Fence>) -> bool {
        only.is_none_or(|only| only == self.tables.holds[hold].fence)
    }

    pub(super) fn granted(&self, hold: HoldKey, fresh: bool) -> Reply {
        Reply::Granted { grant: self.grant(hold), fresh }
    }

    /// A hold, as its holder is told of it.
    pub(super) fn grant(&self, key: HoldKey) -> Grant {
        let tables = &self.tables;
        let hold = &tables.holds[key];
        let resource = &tables.resources[hold.resource];
        let (name, fence) = (resource.name.clone(), hold.fence);
        match hold.what {
            Held::Lock(mode) => {
                let waiting = resource.waiting();
                Grant::Lock(LockGrant { resource: name, fence, waiting, mode })
            }
            Held::Ticket(ticket) => {
                let issuer = self.issuer(ticket);
                let ticket = &tables.tickets[ticket];
                let hold_ms = hold.hold_ms();
                let is_counted =
                    ticket.stays || hold_ms.is_some() || ticket.most_attempts().is_some();
                Grant::Ticket(TicketGrant {
                    resource: name,
                    ticket: ticket.name.clone(),
                    data: ticket.data.clone(),
                    fence,
                    issuer,
                    claimant: self.info(hold.session).clone(),
                    attempt: is_counted.then(|| ticket.attempts.saturating_add(1)),
                    hold_ms,
                })
            }
        }
    }

    /// Who issued a ticket.
    pub(super) fn issuer(&self, ticket: TicketKey) -> Party {
        let ticket = &self.tables.tickets[ticket];
        match ticket.issuer() {
            Some(issuer) => Party::Here(self.info(issuer).clone()),
            None => match ticket.extra.as_ref().and_then(|extra| extra.issued_by.clone()) {
                Some(name) => Party::Gone(name),
                None => panic!("a ticket was issued by nobody"),
            },
        }
    }

    /// Who has a hold, or had it when it was lost.
    pub(super) fn party(&self, hold: HoldKey) -> Party {
        let hold = &self.tables.holds[hold];
        match hold.holder() {
            Some(session) => Party::Here(self.info(session).clone()),
            None => match hold.extra.as_ref().and_then(|extra| extra.lost_by.clone()) {
                Some(name) => Party::Gone(name),
                None => panic!("a hold was lost by nobody"),
            },
        }
    }

    /// Tells of a claim that has begun: the ticket's issuer, if it wants to know, and whoever times
    /// it.
    pub(super) fn tell_of_claim(&self, key: HoldKey, out: &mut Vec<Event>) {
        let hold = &self.tables.holds[key];
        let Held::Ticket(ticket) = hold.what else { return };
        let ticket = &self.tables.tickets[ticket];
        assert!(ticket.standing == TicketStanding::Held(key), "a claim is told of that is not one");
        if let (true, Some(issuer)) = (ticket.notify, ticket.issuer()) {
            out.push(Event::TicketClaimed {
                to: self.info(issuer).id,
                resource: self.tables.resources[hold.resource].name.clone(),
                ticket: ticket.name.clone(),
                claimant: self.info(hold.session).name.clone(),
                fence: hold.fence,
            });
        }
        self.tell_of_time(key, out);
    }

    /// Tells whoever times it how long a claim lasts.
    pub(super) fn tell_of_time(&self, key: HoldKey, out: &mut Vec<Event>) {
        let hold = &self.tables.holds[key];
        if let (Some(hold_ms), Some(session)) = (hold.hold_ms(), hold.holder()) {
            let (session, fence) = (self.info(session).id, hold.fence);
            out.push(Event::HoldTimed { session, fence, hold_ms });
        }
    }

    /// Tells a holder, if there is one that stays, that its hold is lost.
    pub(super) fn tell_of_loss(&self, key: HoldKey, reason: LossReason, out: &mut Vec<Event>) {
        let hold = &self.tables.holds[key];
        let Some(holder) = hold.holder() else { return };
        let holder = &self.tables.sessions[holder];
        if holder.ending {
            return;
        }
        let (to, fence) = (holder.info.id, hold.fence);
        let resource = self.tables.resources[hold.resource].name.clone();
        out.push(match hold.what {
            Held::Lock(_) => Event::LockLost { to, resource, fence, reason },
            Held::Ticket(ticket) => {
                let ticket = self.tables.tickets[ticket].name.clone();
                Event::TicketRevoked { to, resource, ticket, fence, reason }
            }
        });
    }
}
