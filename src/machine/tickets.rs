//! Issuing: tickets come, change hands among issuers, and vanish.

use super::command::{Kind, Limit, Reach, Refusal, Reply};
use super::event::{Event, LossReason};
use super::list::Link;
use super::names::{Data, ISSUED_MAX, Name, SessionId};
use super::rows::{ResourceKey, SessionKey, Ticket, TicketKey};
use super::tables::Machine;

impl Machine {
    pub(super) fn issue(
        &mut self,
        session: SessionId,
        name: &Name,
        ticket: &Name,
        data: &Data,
        notify: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let found = self
            .ticket_resource(name)?
            .and_then(|resource| self.tables.find_ticket(resource, ticket.as_str()));
        let adds = found.is_none_or(|key| self.tables.tickets[key].issuer != session);
        if adds && self.tables.sessions[session].issued.len() >= ISSUED_MAX {
            return Err(Refusal::Limit(Limit::Issued));
        }
        // Nothing below can refuse.
        if let Some(key) = found {
            self.issue_again(session, key, data, notify, out);
        } else {
            let resource = self.resource_entry(name);
            let ticket = self.new_ticket(session, resource, ticket.clone(), data.clone(), notify);
            self.change(resource, |machine| {
                let key = machine.tie_ticket(ticket);
                machine.list_with_issuer(key);
                machine.freed.push_back(key);
                machine.admit(resource, out);
            });
        }
        let issued = self.tables.sessions[session].issued.len();
        assert!(issued <= ISSUED_MAX, "a session issued more than it may");
        assert!(issued > 0, "what was issued is nobody's");
        Ok(Reply::Done)
    }

    fn new_ticket(
        &mut self,
        issuer: SessionKey,
        resource: ResourceKey,
        name: Name,
        data: Data,
        notify: bool,
    ) -> Ticket {
        let issued = self.serial();
        Ticket {
            name,
            data,
            resource,
            issuer,
            hold: None,
            notify,
            place: 0,
            issued,
            in_all: Link::default(),
            in_free: Link::default(),
            in_issued: Link::default(),
        }
    }

    /// Ties a ticket into the tables, but for its issuer's list, and for its hold or its place
    /// among the free. It must be the youngest of its resource.
    pub(super) fn tie_ticket(&mut self, ticket: Ticket) -> TicketKey {
        let resource = ticket.resource;
        assert!(ticket.hold.is_none(), "a new ticket is held");
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
        key
    }

    /// A ticket is its issuer's latest.
    pub(super) fn list_with_issuer(&mut self, key: TicketKey) {
        let tables = &mut self.tables;
        let issuer = tables.tickets[key].issuer;
        let list = &mut tables.sessions[issuer].issued;
        assert!(list.len() < tables.tickets.len(), "more tickets are listed than there are");
        list.push(&mut tables.tickets, key, |t| &mut t.in_issued);
        self.issued_one(issuer);
    }

    fn issue_again(
        &mut self,
        session: SessionKey,
        key: TicketKey,
        data: &Data,
        notify: bool,
        out: &mut Vec<Event>,
    ) {
        let former = self.tables.tickets[key].issuer;
        if former != session {
            self.tell_taken(key, session, out);
            let number = self.serial();
            let tables = &mut self.tables;
            let list = &mut tables.sessions[former].issued;
            list.remove(&mut tables.tickets, key, |t| &mut t.in_issued);
            tables.tickets[key].issuer = session;
            tables.tickets[key].issued = number;
            self.issued_one_less(former);
            self.list_with_issuer(key);
        }
        let ticket = &mut self.tables.tickets[key];
        ticket.data = data.clone();
        ticket.notify = notify;
        if let Some(hold) = ticket.hold {
            let ticket = ticket.name.clone();
            let hold = &self.tables.holds[hold];
            out.push(Event::TicketUpdated {
                to: self.info(hold.session).id,
                resource: self.tables.resources[hold.resource].name.clone(),
                ticket,
                data: data.clone(),
                fence: hold.fence,
            });
        }
    }

    pub(super) fn revoke(
        &mut self,
        session: SessionId,
        name: &Name,
        ticket: &Name,
        reach: Reach,
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
        // Nothing below can refuse.
        self.tell_claimant(key, LossReason::Revoked, out);
        if self.tables.tickets[key].issuer != session {
            if let Some(hold) = self.tables.tickets[key].hold {
                self.tell_issuer_of_release(hold, out);
            }
            self.tell_taken(key, session, out);
        }
        self.vanish(key);
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
    pub(super) fn vanish(&mut self, key: TicketKey) {
        let ticket = &self.tables.tickets[key];
        let (resource, issuer, hold) = (ticket.resource, ticket.issuer, ticket.hold);
        self.change(resource, |machine| {
            match hold {
                Some(hold) => drop(machine.end_hold(hold)),
                None => machine.leave_free(key),
            }
            let tables = &mut machine.tables;
            let list = &mut tables.resources[resource].tickets;
            list.remove(&mut tables.tickets, key, |t| &mut t.in_all);
            let list = &mut tables.sessions[issuer].issued;
            list.remove(&mut tables.tickets, key, |t| &mut t.in_issued);
            let gone = tables.tickets.remove(key);
            assert!(gone.hold.is_none(), "a held ticket vanished");
            tables.ticket_names.remove((resource, gone.name.as_str()), key);
            machine.issued_one_less(issuer);
        });
    }

    /// Tells the claimant, if there is one, that its claim is lost.
    pub(super) fn tell_claimant(&self, key: TicketKey, reason: LossReason, out: &mut Vec<Event>) {
        let ticket = &self.tables.tickets[key];
        let Some(hold) = ticket.hold else { return };
        let hold = &self.tables.holds[hold];
        let claimant = &self.tables.sessions[hold.session];
        if !claimant.ending {
            out.push(Event::TicketRevoked {
                to: claimant.info.id,
                resource: self.tables.resources[ticket.resource].name.clone(),
                ticket: ticket.name.clone(),
                fence: hold.fence,
                reason,
            });
        }
    }

    fn tell_taken(&self, key: TicketKey, by: SessionKey, out: &mut Vec<Event>) {
        let ticket = &self.tables.tickets[key];
        out.push(Event::TicketTaken {
            to: self.info(ticket.issuer).id,
            resource: self.tables.resources[ticket.resource].name.clone(),
            ticket: ticket.name.clone(),
            by: self.info(by).name.clone(),
        });
    }
}
