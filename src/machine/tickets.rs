//! Issuing: tickets come, change hands among issuers, and vanish.

use super::command::{Kind, Limit, Reach, Refusal, Reply, TicketTerms};
use super::event::{Event, LossReason, ReleaseReason};
use super::extras::TicketExtra;
use super::holds::ClaimEnd;
use super::list::Link;
use super::names::{Data, Fence, ISSUED_MAX, Name, SessionId, TICKETS_MAX};
use super::rows::{NOBODY, ResourceKey, SessionKey, Ticket, TicketKey, TicketStanding};
use super::tables::Machine;
use super::tally::HoldEnd;

/// A ticket as it is issued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issue<'a> {
    pub(super) resource: &'a Name,
    pub(super) ticket: &'a Name,
    pub(super) data: &'a Data,
    pub(super) notify: bool,
    pub(super) terms: &'a TicketTerms,
}

impl Machine {
    pub(super) fn issue(
        &mut self,
        session: SessionId,
        issue: &Issue<'_>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let resource = self.ticket_resource(issue.resource)?;
        let found =
            resource.and_then(|resource| self.tables.find_ticket(resource, issue.ticket.as_str()));
        if issue.terms.only_new && found.is_some() {
            return Err(Refusal::TicketExists);
        }
        let adds = found.is_none_or(|key| self.tables.tickets[key].issuer != session);
        if adds && self.tables.sessions[session].issued.len() >= ISSUED_MAX {
            return Err(Refusal::Limit(Limit::Issued));
        }
        let is_full = |key: ResourceKey| self.tables.resources[key].tickets.len() >= TICKETS_MAX;
        if found.is_none() && resource.is_some_and(is_full) {
            return Err(Refusal::Limit(Limit::Tickets));
        }
        // Nothing below can refuse.
        match found {
            Some(key) => self.issue_again(session, key, issue, out),
            None => self.issue_new(session, issue, out),
        }
        let issued = self.tables.sessions[session].issued.len();
        assert!(issued <= ISSUED_MAX, "a session issued more than it may");
        assert!(issued > 0, "what was issued is nobody's");
        Ok(Reply::Done)
    }

    fn issue_new(&mut self, issuer: SessionKey, issue: &Issue<'_>, out: &mut Vec<Event>) {
        let Issue { data, notify, terms, .. } = *issue;
        let resource = self.resource_entry(issue.resource);
        let number = self.serial();
        let ticket = Ticket {
            name: issue.ticket.clone(),
            data: data.clone(),
            resource,
            issuer,
            standing: TicketStanding::Free,
            notify,
            stays: terms.stay,
            priority: terms.priority,
            attempts: 0,
            place: 0,
            issued: number,
            number,
            extra: extra_by(terms),
            in_all: Link::default(),
            in_free: Link::default(),
            in_issued: Link::default(),
        };
        self.change(resource, |machine| {
            let key = machine.tie_ticket(ticket);
            machine.list_with_issuer(key, issuer);
            machine.offer(key, terms.delay_ms, out);
        });
    }

    /// A ticket that is in no list is to be had, at once or later.
    fn offer(&mut self, key: TicketKey, delay_ms: u32, out: &mut Vec<Event>) {
        if delay_ms > 0 {
            self.begin_delay(key, delay_ms, out);
        } else {
            self.freed.push_back(key);
            self.admit(self.tables.tickets[key].resource, out);
        }
    }

    /// Ties a ticket into the tables, but for its issuer's list, and for its hold or its place
    /// among the free. It must be the youngest of its resource.
    pub(super) fn tie_ticket(&mut self, ticket: Ticket) -> TicketKey {
        let (resource, number, stays) = (ticket.resource, ticket.number, ticket.stays);
        assert!(ticket.standing == TicketStanding::Free, "a new ticket is held");
        debug_assert!(
            self.tables.find_ticket(resource, ticket.name.as_str()).is_none(),
            "a resource has two tickets of one name"
        );
        self.stand(resource, Kind::Tickets);
        let tables = &mut self.tables;
        let key = tables.tickets.insert(ticket);
        let name = tables.tickets[key].name.as_str();
        tables.ticket_names.insert((resource, name), key);
        let list = &mut tables.resources[resource].tickets;
        list.push(&mut tables.tickets, key, |t| &mut t.in_all);
        if stays {
            self.order_by_age(resource);
        }
        if let Some(extra) = &mut self.tables.resources[resource].extra
            && let Some(by_age) = &mut extra.by_age
        {
            by_age.insert(number, key);
        }
        key
    }

    /// A ticket is its issuer's latest.
    pub(super) fn list_with_issuer(&mut self, key: TicketKey, issuer: SessionKey) {
        let tables = &mut self.tables;
        assert!(tables.tickets[key].issuer == issuer, "a ticket is listed with another's");
        let list = &mut tables.sessions[issuer].issued;
        assert!(list.len() < tables.tickets.len(), "more tickets are listed than there are");
        list.push(&mut tables.tickets, key, |t| &mut t.in_issued);
        self.issued_one(issuer);
    }

    /// A ticket is no longer its issuer's, if that is not gone.
    fn unlist_with_issuer(&mut self, key: TicketKey) {
        let tables = &mut self.tables;
        let Some(issuer) = tables.tickets[key].issuer() else { return };
        let list = &mut tables.sessions[issuer].issued;
        list.remove(&mut tables.tickets, key, |t| &mut t.in_issued);
        self.issued_one_less(issuer);
    }

    fn issue_again(
        &mut self,
        session: SessionKey,
        key: TicketKey,
        issue: &Issue<'_>,
        out: &mut Vec<Event>,
    ) {
        let Issue { data, notify, terms, .. } = *issue;
        if self.tables.tickets[key].issuer != session {
            self.tell_taken(key, session, out);
            self.unlist_with_issuer(key);
            let number = self.serial();
            let ticket = &mut self.tables.tickets[key];
            (ticket.issuer, ticket.issued) = (session, number);
            self.list_with_issuer(key, session);
        }
        self.give_priority(key, terms.priority);
        let ticket = &mut self.tables.tickets[key];
        let (resource, standing) = (ticket.resource, ticket.standing);
        (ticket.data, ticket.notify, ticket.stays) = (data.clone(), notify, terms.stay);
        let kept = ticket.extra.take();
        ticket.extra = extra_by(terms);
        if let Some(TicketExtra { note, delay, .. }) = kept.map(|kept| *kept)
            && (note.is_some() || delay.is_some())
        {
            let extra = ticket.extra_mut();
            (extra.note, extra.delay) = (note, delay);
        }
        if terms.stay {
            self.order_by_age(resource);
        }
        self.change(resource, |machine| match standing {
            TicketStanding::Free if terms.delay_ms == 0 => {}
            TicketStanding::Free => {
                machine.leave_free(key);
                machine.begin_delay(key, terms.delay_ms, out);
            }
            TicketStanding::Delayed => {
                machine.end_delay(key, out);
                machine.offer(key, terms.delay_ms, out);
            }
            TicketStanding::Dead => {
                machine.leave_dead(key);
                machine.offer(key, terms.delay_ms, out);
            }
            TicketStanding::Held(_) => machine.tell_updated(key, out),
        });
    }

    /// Tells the claimant, if it is there, that its ticket was issued again.
    fn tell_updated(&self, key: TicketKey, out: &mut Vec<Event>) {
        let ticket = &self.tables.tickets[key];
        let Some(hold) = ticket.hold().map(|hold| &self.tables.holds[hold]) else { return };
        let Some(claimant) = hold.holder() else { return };
        out.push(Event::TicketUpdated {
            to: self.info(claimant).id,
            resource: self.tables.resources[ticket.resource].name.clone(),
            ticket: ticket.name.clone(),
            data: ticket.data.clone(),
            fence: hold.fence,
        });
    }

    pub(super) fn revoke(
        &mut self,
        session: SessionId,
        name: &Name,
        ticket: &Name,
        reach: Reach,
        only: Option<Fence>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        if reach != Reach::Any && !self.may_revoke(session, name, ticket, reach) {
            return Err(Refusal::Forbidden);
        }
        let session = self.session_key(session)?;
        let resource = self.known_key(name.as_str())?;
        if self.tables.resources[resource].kind == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let key =
            self.tables.find_ticket(resource, ticket.as_str()).ok_or(Refusal::TicketNotFound)?;
        let hold = self.tables.tickets[key].hold();
        if only.is_some() && !hold.is_some_and(|hold| self.is_by(hold, only)) {
            return Err(Refusal::NotHolder);
        }
        // Nothing below can refuse.
        self.tell_claimant(key, LossReason::Revoked, out);
        if self.tables.tickets[key].issuer != session {
            if let Some(hold) = hold {
                let is_own = self.tables.holds[hold].session == session;
                let reason = if is_own { ReleaseReason::Released } else { ReleaseReason::Forced };
                let end = ClaimEnd { counts: false, vanishes: true, ..ClaimEnd::by(reason) };
                self.count_attempt(hold, end, out);
            }
            self.tell_taken(key, session, out);
        }
        self.vanish(key, out);
        Ok(Reply::Done)
    }

    /// Whether there is such a ticket, and a session's rights reach it.
    fn may_revoke(&self, session: SessionId, name: &Name, ticket: &Name, reach: Reach) -> bool {
        let (Some(session), Some(resource)) =
            (self.living_key(&session), self.resource_key(name.as_str()))
        else {
            return false;
        };
        let ticket = self.tables.find_ticket(resource, ticket.as_str());
        ticket.is_some_and(|ticket| self.reaches(session, ticket, reach))
    }

    /// Takes a ticket out of all tables.
    pub(super) fn vanish(&mut self, key: TicketKey, out: &mut Vec<Event>) {
        let resource = self.tables.tickets[key].resource;
        self.change(resource, |machine| {
            match machine.tables.tickets[key].standing {
                TicketStanding::Held(hold) => drop(machine.end_hold(hold, out)),
                TicketStanding::Free => machine.leave_free(key),
                TicketStanding::Delayed => machine.end_delay(key, out),
                TicketStanding::Dead => machine.leave_dead(key),
            }
            machine.unlist_with_issuer(key);
            let tables = &mut machine.tables;
            let row = &mut tables.resources[resource];
            row.tickets.remove(&mut tables.tickets, key, |t| &mut t.in_all);
            let gone = tables.tickets.remove(key);
            if let Some(by_age) = row.extra.as_mut().and_then(|extra| extra.by_age.as_mut()) {
                by_age.remove(&gone.number);
            }
            assert!(gone.standing == TicketStanding::Free, "a held ticket vanished");
            tables.ticket_names.remove((resource, gone.name.as_str()), key);
        });
    }

    /// What a session issued vanishes with it, but for what stays as nobody's.
    pub(super) fn drop_issued(&mut self, session: SessionKey, out: &mut Vec<Event>) {
        let issued = self.tables.sessions[session].issued;
        let keys: Vec<TicketKey> = issued.keys(&self.tables.tickets, |t| &t.in_issued).collect();
        for key in keys {
            if self.tables.tickets[key].stays {
                self.unlist_with_issuer(key);
                let name = self.info(session).name.clone();
                let ticket = &mut self.tables.tickets[key];
                (ticket.issuer, ticket.notify) = (NOBODY, false);
                ticket.extra_mut().issued_by = Some(name);
            } else {
                self.tell_claimant(key, LossReason::IssuerGone, out);
                self.count_as(HoldEnd::IssuerGone, |machine| machine.vanish(key, out));
            }
        }
    }

    /// Tells the claimant, if there is one, that its claim is lost.
    fn tell_claimant(&self, key: TicketKey, reason: LossReason, out: &mut Vec<Event>) {
        if let Some(hold) = self.tables.tickets[key].hold() {
            self.tell_of_loss(hold, reason, out);
        }
    }

    fn tell_taken(&self, key: TicketKey, by: SessionKey, out: &mut Vec<Event>) {
        let ticket = &self.tables.tickets[key];
        let Some(issuer) = ticket.issuer() else { return };
        out.push(Event::TicketTaken {
            to: self.info(issuer).id,
            resource: self.tables.resources[ticket.resource].name.clone(),
            ticket: ticket.name.clone(),
            by: self.info(by).name.clone(),
        });
    }
}

/// What few tickets have, as one is issued.
fn extra_by(terms: &TicketTerms) -> Option<Box<TicketExtra>> {
    let TicketTerms { attempts, hold_ms, .. } = *terms;
    (attempts.is_some() || hold_ms.is_some())
        .then(|| Box::new(TicketExtra { attempts, hold_ms, ..TicketExtra::default() }))
}
