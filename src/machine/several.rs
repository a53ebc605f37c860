//! Claims over several resources: one wait that has a place in the queue of each.

use std::sync::Arc;

use super::command::{Kind, Limit, Refusal, Reply};
use super::event::Event;
use super::names::{
    CLAIM_FIRST_MAX, Name, SessionId, Sought, WAITERS_MAX, WAITS_MAX, WaitId, WaitOrigin,
    WaitRequest, WaitTimeout,
};
use super::rows::{Group, SessionKey, Wait, WaitKey};
use super::tables::Machine;
use super::waits::Wish;

impl Machine {
    pub(super) fn claim_first(
        &mut self,
        session: SessionId,
        names: &[Name],
        wait: Option<WaitTimeout>,
        hold_ms: Option<u32>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        assert!((1..=CLAIM_FIRST_MAX).contains(&names.len()), "a claim is for too many resources");
        let session = self.session_key(session)?;
        let mut free = None;
        for name in names {
            if let Some(key) = self.ticket_resource(name)?
                && free.is_none()
                && self.tables.resources[key].is_open()
            {
                free = self.first_free(key);
            }
        }
        if let Some(ticket) = free {
            return self.claim_free(session, ticket, hold_ms, out);
        }
        let Some(timeout) = wait else { return Ok(Reply::NotGranted) };
        if self.tables.sessions[session].waits.len() + names.len() > WAITS_MAX {
            return Err(Refusal::Limit(Limit::Waits));
        }
        for name in names {
            let key = self.resource_key(name.as_str());
            let waiting = key.map_or(0, |key| self.tables.resources[key].waiting());
            if waiting as usize >= WAITERS_MAX {
                return Err(Refusal::Limit(Limit::Waiters));
            }
        }
        // Nothing below can refuse.
        let leader = self.enter_queues(session, names, timeout, hold_ms);
        let wait_request = WaitRequest { origin: WaitOrigin::Socket, timeout };
        let wait = self.add_origin(leader, wait_request, out);
        Ok(Reply::Queued { wait, position: self.least_position(leader) })
    }

    /// Enters one wait in several queues: the first of its places.
    fn enter_queues(
        &mut self,
        session: SessionKey,
        names: &[Name],
        timeout: WaitTimeout,
        hold_ms: Option<u32>,
    ) -> WaitKey {
        let (places, resources) = (Vec::with_capacity(names.len()), Arc::from(names));
        let group = self.tables.groups.insert(Group { places, resources });
        let id = self.next_wait_id();
        for (name, nth) in names.iter().zip(0..) {
            let resource = self.resource_entry(name);
            let wish = Wish { hold_ms, ..Wish::of(Kind::Tickets) };
            let wait = Wait {
                group: Some((group, nth)),
                socket: Some(timeout),
                ..self.new_wait(id, session, resource, &wish, false)
            };
            self.change(resource, |machine| machine.enter_queue(wait, Kind::Tickets));
        }
        self.tables.groups[group].places[0]
    }

    /// All places of a wait, the one that leads first.
    pub(super) fn places(&self, key: WaitKey) -> Vec<WaitKey> {
        match self.tables.waits[key].group {
            None => vec![key],
            Some((group, _)) => self.tables.groups[group].places.clone(),
        }
    }

    /// Where a wait stands.
    pub(super) fn sought(&self, wait: &Wait) -> Sought {
        match wait.group {
            None => Sought::One(self.tables.resources[wait.resource].name.clone()),
            Some((group, _)) => Sought::FirstOf(self.tables.groups[group].resources.clone()),
        }
    }

    /// Where a wait stands in that of its queues in which it comes first, counted from 1.
    pub(super) fn least_position(&self, key: WaitKey) -> u32 {
        let places = self.places(key).into_iter().map(|place| &self.tables.waits[place]);
        let position = |wait: &Wait| self.position(wait.resource, wait.id);
        places.map(position).min().unwrap_or_default()
    }

    /// Where a wait stands, and how far from the head; `None` when there is none of that id.
    #[must_use]
    pub fn position_of(&self, wait: WaitId) -> Option<(Sought, u32)> {
        let key = self.tables.find_wait(wait)?;
        Some((self.sought(&self.tables.waits[key]), self.least_position(key)))
    }

    pub(super) fn check_groups(&self) {
        let tables = &self.tables;
        let mut grouped = 0;
        for (key, group) in tables.groups.iter() {
            assert!(!group.places.is_empty() && group.places.len() == group.resources.len());
            let leader = &tables.waits[group.places[0]];
            for ((&place, name), nth) in group.places.iter().zip(group.resources.iter()).zip(0..) {
                let wait = &tables.waits[place];
                assert_eq!(wait.group, Some((key, nth)));
                assert_eq!((wait.id, wait.session), (leader.id, leader.session));
                assert_eq!((wait.socket, wait.hold_ms), (leader.socket, leader.hold_ms));
                assert!(tables.resources[wait.resource].name == *name && !wait.merges);
                grouped += 1;
            }
        }
        let all = tables.waits.iter().filter(|(_, wait)| wait.group.is_some()).count();
        assert_eq!(all, grouped);
    }
}
