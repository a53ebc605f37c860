//! Issuing: tickets come, change hands among issuers, and vanish.

use super::command::{Kind, Limit, Refusal, Reply};
use super::event::{Event, LossReason};
use super::list::Link;
use super::names::{Data, ISSUED_MAX, Name, SessionId};
use super::rows::{Body, ResourceKey, SessionKey, Ticket, TicketKey, Tickets};
use super::tables::{Machine, enter};

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
        let found =
            self.ticket_resource(name)?.and_then(|resource| self.ticket_key(resource, ticket));
        let adds = found.is_none_or(|key| self.tables.tickets[key as usize].issuer != session);
        if adds && self.tables.sessions[session as usize].issued.len() >= ISSUED_MAX {
            return Err(Refusal::Limit(Limit::Issued));
        }
        // Nothing below can refuse.
        if let Some(key) = found {
            self.issue_again(session, key, data, notify, out);
        } else {
            let resource = self.resource_entry(name);
            self.touch(resource);
            let key = self.new_ticket(session, resource, ticket.clone(), data.clone(), notify);
            self.free_ticket(key, out);
            self.reindex(resource);
        }
        Ok(Reply::Done)
    }

    fn new_ticket(
        &mut self,
        issuer: SessionKey,
        resource: ResourceKey,
        name: Name,
        data: Data,
        notify: bool,
    ) -> TicketKey {
        let issued = self.serial();
        let ticket = Ticket {
            name,
            data,
            resource,
            issuer,
            claim: None,
            notify,
            place: 0,
            issued,
            in_all: Link::default(),
            in_free: Link::default(),
            in_issued: Link::default(),
        };
        self.place_ticket(ticket)
    }

    /// Ties a ticket into the tables, but for its claim or its place among the free.
    pub(super) fn place_ticket(&mut self, ticket: Ticket) -> TicketKey {
        let (name, issuer, resource) = (ticket.name.clone(), ticket.issuer, ticket.resource);
        let tables = &mut self.tables;
        let key = enter(&mut tables.tickets, ticket);
        tables.ticket_names.insert((resource, name), key);
        let entry = &mut tables.resources[resource as usize];
        if matches!(entry.body, Body::Empty) {
            entry.body = Body::Tickets(Tickets::default());
        }
        let of = entry.tickets_mut();
        of.all.push(&mut tables.tickets, key, |t| &mut t.in_all);
        let list = &mut tables.sessions[issuer as usize].issued;
        list.push(&mut tables.tickets, key, |t| &mut t.in_issued);
        key
    }

    fn issue_again(
        &mut self,
        session: SessionKey,
        key: TicketKey,
        data: &Data,
        notify: bool,
        out: &mut Vec<Event>,
    ) {
        let former = self.tables.tickets[key as usize].issuer;
        if former != session {
            self.tell_taken(key, session, out);
            let number = self.serial();
            let tables = &mut self.tables;
            let list = &mut tables.sessions[former as usize].issued;
            list.remove(&mut tables.tickets, key, |t| &mut t.in_issued);
            let list = &mut tables.sessions[session as usize].issued;
            list.push(&mut tables.tickets, key, |t| &mut t.in_issued);
            tables.tickets[key as usize].issuer = session;
            tables.tickets[key as usize].issued = number;
        }
        let ticket = &mut self.tables.tickets[key as usize];
        ticket.data = data.clone();
        ticket.notify = notify;
        if let Some((claimant, fence)) = ticket.claim {
            let (resource, name) = (ticket.resource, ticket.name.clone());
            out.push(Event::TicketUpdated {
                to: self.info(claimant).id,
                resource: self.tables.resources[resource as usize].name.clone(),
                ticket: name,
                data: data.clone(),
                fence,
            });
        }
    }

    pub(super) fn revoke(
        &mut self,
        session: SessionId,
        name: &Name,
        ticket: &Name,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let resource = self.known_key(name.as_str())?;
        if self.tables.resources[resource as usize].kind() == Some(Kind::Lock) {
            return Err(Refusal::WrongKind);
        }
        let key = self.ticket_key(resource, ticket).ok_or(Refusal::TicketNotFound)?;
        // Nothing below can refuse.
        self.tell_claimant(key, LossReason::Revoked, out);
        if self.tables.tickets[key as usize].issuer != session {
            self.tell_issuer_of_release(key, out);
            self.tell_taken(key, session, out);
        }
        self.vanish(key);
        Ok(Reply::Done)
    }

    /// Takes a ticket out of all tables.
    pub(super) fn vanish(&mut self, key: TicketKey) {
        let ticket = &self.tables.tickets[key as usize];
        let (resource, claimed) = (ticket.resource, ticket.claim.is_some());
        self.touch(resource);
        if claimed {
            self.unclaim(key);
        }
        let tables = &mut self.tables;
        let of = tables.resources[resource as usize].tickets_mut();
        if !claimed {
            of.free.remove(&mut tables.tickets, key, |t| &mut t.in_free);
        }
        of.all.remove(&mut tables.tickets, key, |t| &mut t.in_all);
        let emptied = of.all.is_empty();
        let issuer = tables.tickets[key as usize].issuer;
        let list = &mut tables.sessions[issuer as usize].issued;
        list.remove(&mut tables.tickets, key, |t| &mut t.in_issued);
        let gone = tables.tickets.remove(key as usize);
        tables.ticket_names.remove(&(resource, gone.name));
        if emptied {
            tables.resources[resource as usize].body = Body::Empty;
        }
        self.reindex(resource);
    }

    /// Tells the claimant, if there is one, that its claim is lost.
    pub(super) fn tell_claimant(&self, key: TicketKey, reason: LossReason, out: &mut Vec<Event>) {
        let ticket = &self.tables.tickets[key as usize];
        if let Some((claimant, fence)) = ticket.claim {
            let claimant = &self.tables.sessions[claimant as usize];
            if !claimant.ending {
                out.push(Event::TicketRevoked {
                    to: claimant.info.id,
                    resource: self.tables.resources[ticket.resource as usize].name.clone(),
                    ticket: ticket.name.clone(),
                    fence,
                    reason,
                });
            }
        }
    }

    fn tell_taken(&self, key: TicketKey, by: SessionKey, out: &mut Vec<Event>) {
        let ticket = &self.tables.tickets[key as usize];
        out.push(Event::TicketTaken {
            to: self.info(ticket.issuer).id,
            resource: self.tables.resources[ticket.resource as usize].name.clone(),
            ticket: ticket.name.clone(),
            by: self.info(by).name.clone(),
        });
    }
}
