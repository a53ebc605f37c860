//! Tickets that nobody holds: free, in the order in which they go; delayed; dead.

use std::cmp::Reverse;

use super::command::{Refusal, Reply};
use super::event::Event;
use super::extras::{Delay, ResourceExtra};
use super::list::List;
use super::names::{DelayId, Name, REVIVE_SLICE, SessionId};
use super::rows::{ResourceKey, Ticket, TicketKey, TicketStanding};
use super::tables::Machine;

impl Machine {
    /// The free ticket that goes first: of the greatest priority, the one that is free for longest.
    pub(super) fn first_free(&self, key: ResourceKey) -> Option<TicketKey> {
        let resource = &self.tables.resources[key];
        let plain = resource.free.first();
        let Some(extra) = &resource.extra else { return plain };
        let first = extra.urgent.iter().rev().find_map(|list| list.first()).or(plain);
        let Some(&(_, _, moved)) = extra.moved.first() else { return first };
        let Some(first) = first else { return Some(moved) };
        let rank = |key: TicketKey| {
            let ticket = &self.tables.tickets[key];
            (Reverse(ticket.priority), ticket.place)
        };
        Some(if rank(moved) < rank(first) { moved } else { first })
    }

    /// A ticket that nobody holds goes behind the free ones of its priority.
    pub(super) fn enter_free(&mut self, key: TicketKey) {
        let place = self.serial();
        let ticket = &mut self.tables.tickets[key];
        assert!(
            ticket.standing == TicketStanding::Free,
            "a ticket became free that is not to be had"
        );
        ticket.place = place;
        let resource = ticket.resource;
        self.list_free(key);
        if let Some(at) = self.tables.resources[resource].touched {
            self.touched[at as usize].freed = true;
        }
    }

    /// Lists a free ticket as the last of its priority.
    pub(super) fn list_free(&mut self, key: TicketKey) {
        let tables = &mut self.tables;
        let Ticket { resource, priority, .. } = tables.tickets[key];
        let resource = &mut tables.resources[resource];
        assert!(resource.changing, "a ticket becomes free outside of a change");
        let list = match priority {
            0 => &mut resource.free,
            _ => &mut resource.extra_mut().urgent[usize::from(priority) - 1],
        };
        list.push(&mut tables.tickets, key, |t| &mut t.in_free);
    }

    /// A ticket is no longer among the free: it is granted, delayed, or it vanishes.
    pub(super) fn leave_free(&mut self, key: TicketKey) {
        let tables = &mut self.tables;
        let Ticket { resource, priority, place, standing, .. } = tables.tickets[key];
        assert!(standing == TicketStanding::Free, "a ticket that is not free was among the free");
        let resource = &mut tables.resources[resource];
        assert!(resource.changing, "a free ticket goes outside of a change");
        if let Some(extra) = &mut resource.extra
            && extra.moved.remove(&(Reverse(priority), place, key))
        {
            return;
        }
        let list = match priority {
            0 => &mut resource.free,
            _ => &mut resource.extra_mut().urgent[usize::from(priority) - 1],
        };
        list.remove(&mut tables.tickets, key, |t| &mut t.in_free);
    }

    /// A ticket gets another priority. A free one keeps the moment at which it became free.
    pub(super) fn give_priority(&mut self, key: TicketKey, priority: u8) {
        let Ticket { resource, place, standing, .. } = self.tables.tickets[key];
        if self.tables.tickets[key].priority == priority {
            return;
        }
        if standing != TicketStanding::Free {
            self.tables.tickets[key].priority = priority;
            return;
        }
        self.change(resource, |machine| {
            machine.leave_free(key);
            machine.tables.tickets[key].priority = priority;
            let extra = machine.tables.resources[resource].extra_mut();
            extra.moved.insert((Reverse(priority), place, key));
        });
    }

    /// A ticket that is in no list is to be free only later.
    pub(super) fn begin_delay(&mut self, key: TicketKey, delay_ms: u32, out: &mut Vec<Event>) {
        let delay = DelayId(self.serial());
        let until_ms = self.clock_ms.saturating_add(delay_ms.into());
        self.tie_delay(key, Delay { id: delay, ms: delay_ms, until_ms });
        out.push(Event::DelayBegan { delay, delay_ms, until_ms });
    }

    /// Ties a delay into the tables.
    pub(super) fn tie_delay(&mut self, key: TicketKey, delay: Delay) {
        let tables = &mut self.tables;
        let ticket = &mut tables.tickets[key];
        assert!(
            ticket.standing == TicketStanding::Free,
            "a ticket is delayed that is not to be had"
        );
        ticket.standing = TicketStanding::Delayed;
        ticket.extra_mut().delay = Some(delay);
        let resource = &mut tables.resources[ticket.resource];
        assert!(resource.changing, "a ticket is delayed outside of a change");
        resource.extra_mut().delayed += 1;
        let former = tables.delayed.insert(delay.id, key);
        assert!(former.is_none(), "a delay's number was given twice");
    }

    /// A delay is over, or not wanted any more. The ticket is in no list then.
    pub(super) fn end_delay(&mut self, key: TicketKey, out: &mut Vec<Event>) {
        let tables = &mut self.tables;
        let ticket = &mut tables.tickets[key];
        assert!(ticket.standing == TicketStanding::Delayed, "a delay ended that had not begun");
        ticket.standing = TicketStanding::Free;
        let Some(delay) = ticket.extra_mut().delay.take() else {
            panic!("a delayed ticket has no delay")
        };
        let resource = &mut tables.resources[ticket.resource];
        assert!(resource.changing, "a delay ends outside of a change");
        let extra = resource.extra_mut();
        assert!(extra.delayed > 0, "the delayed were miscounted");
        extra.delayed -= 1;
        let former = tables.delayed.remove(&delay.id);
        assert!(former == Some(key), "a delay was of another ticket");
        out.push(Event::DelayEnded { delay: delay.id });
    }

    pub(super) fn ripen(&mut self, delays: &[DelayId], out: &mut Vec<Event>) -> Reply {
        for delay in delays {
            let Some(&key) = self.tables.delayed.get(delay) else { continue };
            let resource = self.tables.tickets[key].resource;
            self.change(resource, |machine| {
                machine.end_delay(key, out);
                machine.freed.push_back(key);
                machine.admit(resource, out);
            });
        }
        Reply::Done
    }

    /// A ticket that is in no list goes to nobody any more.
    pub(super) fn enter_dead(&mut self, key: TicketKey) {
        let place = self.serial();
        self.tables.tickets[key].place = place;
        self.list_dead(key);
    }

    /// Lists a ticket as the last of the dead.
    pub(super) fn list_dead(&mut self, key: TicketKey) {
        let tables = &mut self.tables;
        let ticket = &mut tables.tickets[key];
        assert!(ticket.standing == TicketStanding::Free, "a ticket dies that is not to be had");
        ticket.standing = TicketStanding::Dead;
        let resource = &mut tables.resources[ticket.resource];
        assert!(resource.changing, "a ticket dies outside of a change");
        let list = &mut resource.extra_mut().dead;
        list.push(&mut tables.tickets, key, |t| &mut t.in_free);
        tables.dead += 1;
    }

    /// A ticket is no longer among the dead. It is in no list then, and what was counted of it is
    /// forgotten.
    pub(super) fn leave_dead(&mut self, key: TicketKey) {
        let tables = &mut self.tables;
        let ticket = &mut tables.tickets[key];
        assert!(
            ticket.standing == TicketStanding::Dead,
            "a ticket that is not dead was among the dead"
        );
        ticket.standing = TicketStanding::Free;
        ticket.attempts = 0;
        if let Some(extra) = &mut ticket.extra {
            extra.note = None;
        }
        let resource = &mut tables.resources[ticket.resource];
        assert!(resource.changing, "a dead ticket goes outside of a change");
        let list = &mut resource.extra_mut().dead;
        list.remove(&mut tables.tickets, key, |t| &mut t.in_free);
        tables.dead -= 1;
    }

    pub(super) fn revive(
        &mut self,
        session: Option<SessionId>,
        name: &Name,
        ticket: Option<&Name>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        if let Some(session) = session {
            self.session_key(session)?;
        }
        self.known_key(name.as_str())?;
        let Some(key) = self.ticket_resource(name)? else { return Ok(Reply::Revived(0)) };
        let dead = self.tables.resources[key].extra.as_ref().map(|extra| extra.dead);
        let keys: Vec<TicketKey> = match ticket {
            Some(ticket) => {
                let found = self.tables.find_ticket(key, ticket.as_str());
                let found = found.ok_or(Refusal::TicketNotFound)?;
                let is_dead = self.tables.tickets[found].standing == TicketStanding::Dead;
                is_dead.then_some(found).into_iter().collect()
            }
            None => {
                let keys = dead.unwrap_or_default().keys(&self.tables.tickets, |t| &t.in_free);
                keys.take(REVIVE_SLICE).collect()
            }
        };
        // Nothing below can refuse.
        let revived = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        self.change(key, |machine| {
            for ticket in keys {
                machine.leave_dead(ticket);
                machine.freed.push_back(ticket);
                machine.admit(key, out);
            }
        });
        Ok(Reply::Revived(revived))
    }

    /// Tickets by their age are found at once from now on.
    pub(super) fn order_by_age(&mut self, key: ResourceKey) {
        let tables = &mut self.tables;
        let resource = &mut tables.resources[key];
        if resource.extra.as_ref().is_some_and(|extra| extra.by_age.is_some()) {
            return;
        }
        let all: List = resource.tickets;
        let keys = all.keys(&tables.tickets, |t| &t.in_all);
        let by_age = keys.map(|ticket| (tables.tickets[ticket].number, ticket)).collect();
        resource.extra_mut().by_age = Some(by_age);
    }

    pub(super) fn check_free(&self, key: ResourceKey, extra: &ResourceExtra) {
        let tables = &self.tables;
        for (list, priority) in extra.urgent.iter().zip(1..) {
            let mut last = 0;
            for free in list.keys(&tables.tickets, |t| &t.in_free) {
                let ticket = &tables.tickets[free];
                assert!(ticket.standing == TicketStanding::Free && ticket.priority == priority);
                assert!(ticket.place > last && ticket.resource == key);
                last = ticket.place;
            }
        }
        for &(Reverse(priority), place, free) in &extra.moved {
            let ticket = &tables.tickets[free];
            assert!(ticket.standing == TicketStanding::Free && ticket.resource == key);
            assert_eq!((ticket.priority, ticket.place), (priority, place));
        }
        let mut last = 0;
        for dead in extra.dead.keys(&tables.tickets, |t| &t.in_free) {
            let ticket = &tables.tickets[dead];
            assert!(ticket.standing == TicketStanding::Dead && ticket.resource == key);
            assert!(ticket.place > last, "the dead are out of order");
            last = ticket.place;
        }
        let resource = &tables.resources[key];
        let all = resource.tickets.keys(&tables.tickets, |t| &t.in_all);
        let all: Vec<&Ticket> = all.map(|ticket| &tables.tickets[ticket]).collect();
        let standing = |it| all.iter().filter(|ticket| ticket.standing == it).count();
        assert_eq!(standing(TicketStanding::Delayed), extra.delayed as usize);
        assert_eq!(standing(TicketStanding::Dead), extra.dead.len());
        assert_eq!(standing(TicketStanding::Free), resource.free.len() + extra.free() as usize);
        if let Some(by_age) = &extra.by_age {
            assert!(by_age.keys().copied().eq(all.iter().map(|ticket| ticket.number)));
        }
    }
}
