//! Waits: places in the one queue of a resource, joined, left, granted and timed out.

use super::command::{Grant, Limit, Refusal, Reply};
use super::event::Event;
use super::names::{
    NUMBER_END, Name, RequestId, SessionId, WAITERS_MAX, WAITS_MAX, WaitId, WaitOrigin, WaitRequest,
};
use super::rows::{Body, Queue, ResourceKey, SessionKey, Wait, WaitKey};
use super::tables::{Machine, enter};

impl Machine {
    /// Enters a session in a queue, or joins the place that it has already. `shared` tells
    /// whether the session has one such place, however often it asks.
    pub(super) fn join(
        &mut self,
        session: SessionKey,
        name: &Name,
        ticket: Option<&Name>,
        wait_request: WaitRequest,
        shared: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        if shared
            && let Some(resource) = self.resource_key(name.as_str())
            && let Some(key) = self.tables.shared.get(&(session, resource, ticket.cloned()))
        {
            let id = self.add_origin(key, wait_request, out);
            return Ok(Reply::Queued { wait: id, position: self.position(resource, id) });
        }
        if self.tables.sessions[session as usize].waits.len() >= WAITS_MAX {
            return Err(Refusal::Limit(Limit::Waits));
        }
        let waiting = self
            .resource_key(name.as_str())
            .map_or(0, |resource| self.tables.resources[resource as usize].waiting() as usize);
        if waiting >= WAITERS_MAX {
            return Err(Refusal::Limit(Limit::Waiters));
        }
        // Nothing below can refuse.
        let resource = self.resource_entry(name);
        self.touch(resource);
        let key = self.enqueue(session, resource, ticket, shared);
        let id = self.add_origin(key, wait_request, out);
        self.reindex(resource);
        if waiting == 0
            && let Body::Lock { holder, .. } = self.tables.resources[resource as usize].body
        {
            let to = self.info(holder).id;
            out.push(Event::LockWanted { to, resource: name.clone(), waiting: 1 });
        }
        Ok(Reply::Queued { wait: id, position: self.position(resource, id) })
    }

    fn enqueue(
        &mut self,
        session: SessionKey,
        resource: ResourceKey,
        ticket: Option<&Name>,
        shared: bool,
    ) -> WaitKey {
        let id = WaitId(self.next_wait);
        assert!(id.0 < NUMBER_END, "wait ids are used up");
        self.next_wait += 1;
        let wait = Wait {
            id,
            session,
            resource,
            ticket: ticket.cloned(),
            socket: None,
            requests: Vec::new(),
            shared,
            in_queue: super::list::Link::default(),
            in_session: super::list::Link::default(),
        };
        self.place(wait)
    }

    /// A wait that stands has one more origin.
    fn add_origin(
        &mut self,
        key: WaitKey,
        wait_request: WaitRequest,
        out: &mut Vec<Event>,
    ) -> WaitId {
        let wait = &mut self.tables.waits[key as usize];
        match wait_request.origin {
            WaitOrigin::Socket => wait.socket = wait.socket.max(Some(wait_request.timeout)),
            WaitOrigin::Request(request) => wait.requests.push(request),
        }
        let (wait, session) = (wait.id, wait.session);
        let session = self.info(session).id;
        out.push(Event::WaitBegan {
            session,
            wait,
            origin: wait_request.origin,
            timeout: wait_request.timeout,
        });
        wait
    }

    /// Ties a wait into the tables. Its id must be the greatest of its queue.
    pub(super) fn place(&mut self, wait: Wait) -> WaitKey {
        let (id, session, resource) = (wait.id, wait.session, wait.resource);
        let (ticket, shared) = (wait.ticket.clone(), wait.shared);
        let tables = &mut self.tables;
        let key = enter(&mut tables.waits, wait);
        tables.wait_ids.insert(id, key);
        if shared {
            tables.shared.insert((session, resource, ticket.clone()), key);
        }
        let queue = tables.resources[resource as usize].queue.get_or_insert_default();
        queue.ranks.push(id.0);
        let list = match ticket {
            None => &mut queue.any,
            Some(ticket) => queue.named.entry(ticket).or_default(),
        };
        list.push(&mut tables.waits, key, |w| &mut w.in_queue);
        let list = &mut tables.sessions[session as usize].waits;
        list.push(&mut tables.waits, key, |w| &mut w.in_session);
        key
    }

    /// Takes a wait out of all tables. The caller touches before and settles after.
    pub(super) fn leave_queue(&mut self, key: WaitKey) -> Wait {
        let tables = &mut self.tables;
        let wait = &tables.waits[key as usize];
        let (id, session, resource) = (wait.id, wait.session, wait.resource);
        let ticket = wait.ticket.clone();
        let list = &mut tables.sessions[session as usize].waits;
        list.remove(&mut tables.waits, key, |w| &mut w.in_session);
        let resource = &mut tables.resources[resource as usize];
        let Some(queue) = &mut resource.queue else { panic!("a wait is in no queue") };
        leave_list(queue, &mut tables.waits, key, ticket.as_ref());
        queue.ranks.remove(id.0);
        if queue.ranks.len() == 0 {
            resource.queue = None;
        }
        tables.wait_ids.remove(&id);
        let wait = tables.waits.remove(key as usize);
        if wait.shared {
            tables.shared.remove(&(session, wait.resource, ticket));
        }
        wait
    }

    /// Takes a wait that has no way left out of its queue.
    fn give_up(&mut self, key: WaitKey) {
        let resource = self.tables.waits[key as usize].resource;
        self.touch(resource);
        self.leave_queue(key);
        self.reindex(resource);
    }

    fn give_up_if_deserted(&mut self, key: WaitKey) {
        let wait = &self.tables.waits[key as usize];
        if wait.socket.is_none() && wait.requests.is_empty() {
            self.give_up(key);
        }
    }

    pub(super) fn cancel(
        &mut self,
        session: SessionId,
        id: WaitId,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session_key = self.session_key(session)?;
        let Some(key) = self.tables.wait_ids.get(&id) else {
            return Ok(Reply::Cancelled(false));
        };
        let wait = &mut self.tables.waits[key as usize];
        if wait.session != session_key || wait.socket.take().is_none() {
            return Ok(Reply::Cancelled(false));
        }
        out.push(Event::WaitCancelled { session, wait: id });
        self.give_up_if_deserted(key);
        Ok(Reply::Cancelled(true))
    }

    pub(super) fn time_out(&mut self, id: WaitId, out: &mut Vec<Event>) -> Reply {
        if let Some(key) = self.tables.wait_ids.get(&id) {
            let wait = &mut self.tables.waits[key as usize];
            if wait.socket.take().is_some() {
                let resource = self.tables.resources[wait.resource as usize].name.clone();
                let to = self.tables.sessions[wait.session as usize].info.id;
                out.push(Event::WaitEnded { to, wait: id, resource });
                self.give_up_if_deserted(key);
            }
        }
        Reply::Done
    }

    pub(super) fn withdraw(
        &mut self,
        id: WaitId,
        request: RequestId,
        out: &mut Vec<Event>,
    ) -> Reply {
        if let Some(key) = self.tables.wait_ids.get(&id) {
            let wait = &mut self.tables.waits[key as usize];
            let before = wait.requests.len();
            wait.requests.retain(|&waiting| waiting != request);
            if wait.requests.len() < before {
                out.push(Event::Withdrawn { request });
                self.give_up_if_deserted(key);
            }
        }
        Reply::Done
    }

    /// After a restart the connections of all requests are gone.
    pub(super) fn drop_requests(&mut self) {
        let keys: Vec<WaitKey> = self
            .tables
            .waits
            .iter()
            .filter(|(_, wait)| !wait.requests.is_empty())
            .filter_map(|(key, _)| u32::try_from(key).ok())
            .collect();
        let mut keys: Vec<(WaitId, WaitKey)> =
            keys.into_iter().map(|key| (self.tables.waits[key as usize].id, key)).collect();
        keys.sort_unstable();
        for (_, key) in keys {
            self.tables.waits[key as usize].requests = Vec::new();
            self.give_up_if_deserted(key);
        }
    }

    /// The earliest wait for a lock.
    pub(super) fn first_for_lock(&self, resource: ResourceKey) -> Option<WaitKey> {
        self.tables.resources[resource as usize].queue.as_ref()?.any.first()
    }

    /// The earliest wait that accepts the ticket of that name.
    pub(super) fn first_for_ticket(&self, resource: ResourceKey, ticket: &Name) -> Option<WaitKey> {
        let queue = self.tables.resources[resource as usize].queue.as_ref()?;
        let any = queue.any.first();
        let named = queue.named.get(ticket).and_then(|list| list.first());
        let id = |key: WaitKey| self.tables.waits[key as usize].id;
        match (any, named) {
            (Some(any), Some(named)) => Some(if id(any) < id(named) { any } else { named }),
            (any, named) => any.or(named),
        }
    }

    /// Tells all who wait at a place that it was granted.
    pub(super) fn answer_wait(&mut self, ended: Wait, grant: &Grant, out: &mut Vec<Event>) {
        if ended.socket.is_some() {
            let to = self.info(ended.session).id;
            out.push(Event::Granted { to, wait: ended.id, grant: grant.clone() });
        }
        out.extend(
            ended
                .requests
                .into_iter()
                .map(|request| Event::Answered { request, grant: grant.clone() }),
        );
    }

    pub(super) fn position(&self, resource: ResourceKey, wait: WaitId) -> u32 {
        let queue = &self.tables.resources[resource as usize].queue;
        queue.as_ref().map_or(0, |queue| queue.ranks.rank(wait.0))
    }
}

fn leave_list(
    queue: &mut Queue,
    waits: &mut slab::Slab<Wait>,
    key: WaitKey,
    ticket: Option<&Name>,
) {
    let Some(ticket) = ticket else {
        return queue.any.remove(waits, key, |w| &mut w.in_queue);
    };
    let Some(list) = queue.named.get_mut(ticket) else { panic!("a wait is in no list") };
    list.remove(waits, key, |w| &mut w.in_queue);
    if list.is_empty() {
        queue.named.remove(ticket);
    }
}
