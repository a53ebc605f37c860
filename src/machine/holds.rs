//! Holds: grants in force, of locks and of tickets alike. They begin, are told of, and end.

use super::command::{Grant, Kind, LockGrant, Reply, TicketGrant};
use super::event::Event;
use super::list::Link;
use super::names::Fence;
use super::rows::{Held, Hold, HoldKey, ResourceKey, SessionKey, TicketKey};
use super::tables::Machine;

impl Machine {
    /// A session comes to hold something that is there to be held, by a new fence.
    pub(super) fn begin_hold(
        &mut self,
        session: SessionKey,
        resource: ResourceKey,
        what: Held,
    ) -> HoldKey {
        assert!(!self.tables.sessions[session].ending, "one that ends is granted more");
        let fence = self.fence();
        let (in_session, in_resource) = (Link::default(), Link::default());
        self.tie_hold(Hold { session, resource, what, fence, in_session, in_resource })
    }

    /// Ties a hold into the tables. Its fence must be the greatest of its lists.
    pub(super) fn tie_hold(&mut self, hold: Hold) -> HoldKey {
        let Hold { session, resource, what, fence, .. } = hold;
        self.stand(resource, what.kind());
        let tables = &mut self.tables;
        let key = tables.holds.insert(hold);
        let holder = &mut tables.sessions[session];
        let list = match what {
            Held::Lock => &mut holder.locks,
            Held::Ticket(ticket) => {
                let former = tables.tickets[ticket].hold.replace(key);
                assert!(former.is_none(), "a ticket was granted twice");
                let former = holder.by_resource.insert((resource, fence), key);
                assert!(former.is_none(), "a fence was given twice");
                tables.claims += 1;
                &mut holder.claims
            }
        };
        list.push(&mut tables.holds, key, |h| &mut h.in_session);
        assert!(tables.claims <= tables.holds.len(), "there are more claims than holds");
        let list = &mut tables.resources[resource].holds;
        assert!(what != Held::Lock || list.is_empty(), "a lock was granted twice");
        list.push(&mut tables.holds, key, |h| &mut h.in_resource);
        key
    }

    /// Takes a hold out of the tables. What was held is nobody's then: the caller says what next.
    pub(super) fn end_hold(&mut self, key: HoldKey) -> Hold {
        let tables = &mut self.tables;
        let Hold { session, resource, what, fence, .. } = tables.holds[key];
        assert!(tables.resources[resource].changing, "a hold ends outside of a change");
        let holder = &mut tables.sessions[session];
        let list = match what {
            Held::Lock => &mut holder.locks,
            Held::Ticket(ticket) => {
                let former = tables.tickets[ticket].hold.take();
                assert!(former == Some(key), "a ticket is held by another hold");
                let former = holder.by_resource.remove(&(resource, fence));
                assert!(former == Some(key), "a session lacks a hold of its own");
                tables.claims -= 1;
                &mut holder.claims
            }
        };
        list.remove(&mut tables.holds, key, |h| &mut h.in_session);
        let list = &mut tables.resources[resource].holds;
        list.remove(&mut tables.holds, key, |h| &mut h.in_resource);
        tables.holds.remove(key)
    }

    /// A hold ends, and what was held goes to whom it suits first.
    pub(super) fn pass_on(&mut self, key: HoldKey, out: &mut Vec<Event>) {
        let resource = self.tables.holds[key].resource;
        self.change(resource, |machine| {
            let held = machine.tables.resources[resource].holds.len();
            machine.tell_issuer_of_release(key, out);
            let ended = machine.end_hold(key);
            if let Held::Ticket(ticket) = ended.what {
                machine.freed.push_back(ticket);
            }
            machine.admit(resource, out);
            let left = machine.tables.resources[resource].holds.len();
            assert!(left <= held, "more was passed on than ended");
        });
    }

    /// The hold of a lock by that session.
    pub(super) fn lock_hold(&self, resource: ResourceKey, session: SessionKey) -> Option<HoldKey> {
        let resource = &self.tables.resources[resource];
        let first = resource.holds.first().filter(|_| resource.kind == Some(Kind::Lock));
        first.filter(|&key| self.tables.holds[key].session == session)
    }

    /// The hold of a ticket by that session.
    pub(super) fn ticket_hold(&self, ticket: TicketKey, session: SessionKey) -> Option<HoldKey> {
        let hold = self.tables.tickets[ticket].hold;
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
        let name = resource.name.clone();
        match hold.what {
            Held::Lock => Grant::Lock(LockGrant {
                resource: name,
                fence: hold.fence,
                waiting: resource.waiting(),
            }),
            Held::Ticket(ticket) => {
                let ticket = &tables.tickets[ticket];
                Grant::Ticket(TicketGrant {
                    resource: name,
                    ticket: ticket.name.clone(),
                    data: ticket.data.clone(),
                    fence: hold.fence,
                    issuer: self.info(ticket.issuer).clone(),
                    claimant: self.info(hold.session).clone(),
                })
            }
        }
    }

    /// Tells a ticket's issuer, if it wants to know, that a claim has begun.
    pub(super) fn tell_issuer_of_claim(&self, key: HoldKey, out: &mut Vec<Event>) {
        let hold = &self.tables.holds[key];
        let Held::Ticket(ticket) = hold.what else { return };
        let ticket = &self.tables.tickets[ticket];
        assert!(ticket.hold == Some(key), "a claim is told of that is not one");
        if ticket.notify {
            out.push(Event::TicketClaimed {
                to: self.info(ticket.issuer).id,
                resource: self.tables.resources[hold.resource].name.clone(),
                ticket: ticket.name.clone(),
                claimant: self.info(hold.session).name.clone(),
                fence: hold.fence,
            });
        }
    }

    /// Tells a ticket's issuer, if it wants to know, that a claim is about to end.
    pub(super) fn tell_issuer_of_release(&self, key: HoldKey, out: &mut Vec<Event>) {
        let hold = &self.tables.holds[key];
        let Held::Ticket(ticket) = hold.what else { return };
        let ticket = &self.tables.tickets[ticket];
        assert!(ticket.hold == Some(key), "a claim's end is told of after it ended");
        if ticket.notify {
            out.push(Event::TicketReleased {
                to: self.info(ticket.issuer).id,
                resource: self.tables.resources[hold.resource].name.clone(),
                ticket: ticket.name.clone(),
                claimant: self.info(hold.session).name.clone(),
                fence: hold.fence,
            });
        }
    }
}
