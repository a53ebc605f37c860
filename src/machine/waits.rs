//! Waits: begun, given up, timed out. A wait is one place, by however many origins it is waited.

use super::command::{Kind, Limit, Mode, Refusal, Reply};
use super::event::{Event, WaitEndReason};
use super::list::Link;
use super::names::{
    Data, NUMBER_END, Name, NodeId, RequestId, SessionId, WAITERS_MAX, WAITS_MAX, WaitId,
    WaitOrigin, WaitRequest,
};
use super::rows::{ResourceKey, SessionKey, Wait, WaitKey};
use super::tables::Machine;

/// What a wait is for.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) kind: Kind,
    /// That very ticket.
    pub(super) ticket: Option<Name>,
    /// In which mode, if it is for a lock.
    pub(super) mode: Mode,
    /// What is made known when a lock is granted.
    pub(super) data: Option<Data>,
    /// How long the claim lasts, in ms, if it says so.
    pub(super) hold_ms: Option<u32>,
}

impl Wish {
    /// One that says nothing else.
    pub(super) const fn of(kind: Kind) -> Self {
        Self { kind, ticket: None, mode: Mode::Exclusive, data: None, hold_ms: None }
    }
}

impl Machine {
    /// Enters a session in a queue, or joins the place that it has already. A session has one
    /// place per lock and per named ticket, and its requests for any ticket share one; only a
    /// socket's wait for any ticket is always one more.
    pub(super) fn join(
        &mut self,
        session: SessionKey,
        name: &Name,
        wish: Wish,
        wait_request: WaitRequest,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let is_any = wish.kind == Kind::Tickets && wish.ticket.is_none();
        let merges = !(is_any && wait_request.origin == WaitOrigin::Socket);
        let resource = self.resource_key(name.as_str());
        if let Some(resource) = resource
            && !is_any
            && let Some(circle) = self.circle(session, resource, wish.ticket.as_ref())
        {
            return Ok(Reply::Deadlock(circle));
        }
        if merges
            && let Some(resource) = resource
            && let Some(key) = self.tables.find_place(session, resource, wish.ticket.as_ref())
        {
            self.strengthen(key, wish);
            let id = self.add_origin(key, wait_request, out);
            return Ok(Reply::Queued { wait: id, position: self.position(resource, id) });
        }
        if self.tables.sessions[session].waits.len() >= WAITS_MAX {
            return Err(Refusal::Limit(Limit::Waits));
        }
        let waiting = resource.map_or(0, |key| self.tables.resources[key].waiting());
        if waiting as usize >= WAITERS_MAX {
            return Err(Refusal::Limit(Limit::Waiters));
        }
        // Nothing below can refuse.
        let resource = self.resource_entry(name);
        let id = self.next_wait_id();
        let wait = self.new_wait(id, session, resource, &wish, merges);
        let key = self.change(resource, |machine| machine.enter_queue(wait, wish.kind));
        let waits = self.tables.sessions[session].waits.len();
        assert!(waits <= WAITS_MAX, "a session has more waits than it may");
        assert!(self.next_for_lock(resource).is_none(), "a wait was begun for what is free");
        let id = self.add_origin(key, wait_request, out);
        if waiting == 0 && wish.kind == Kind::Lock {
            self.tell_holders_of_waiters(resource, out);
        }
        Ok(Reply::Queued { wait: id, position: self.position(resource, id) })
    }

    /// A place is asked for once more: it has the stronger mode of both, and what was said last.
    fn strengthen(&mut self, key: WaitKey, wish: Wish) {
        let wait = &mut self.tables.waits[key];
        wait.mode = wait.mode.max(wish.mode);
        wait.data = wish.data.or(wait.data.take());
        wait.hold_ms = wish.hold_ms.or(wait.hold_ms);
    }

    pub(super) fn next_wait_id(&mut self) -> WaitId {
        let id = WaitId(self.next_wait);
        assert!(id.0 < NUMBER_END, "wait ids are used up");
        self.next_wait += 1;
        id
    }

    pub(super) fn new_wait(
        &self,
        id: WaitId,
        session: SessionKey,
        resource: ResourceKey,
        wish: &Wish,
        merges: bool,
    ) -> Wait {
        Wait {
            id,
            session,
            resource,
            ticket: wish.ticket.clone(),
            socket: None,
            requests: Vec::new(),
            merges,
            mode: wish.mode,
            data: wish.data.clone(),
            hold_ms: wish.hold_ms,
            since: self.now(),
            group: None,
            in_queue: Link::default(),
            in_session: Link::default(),
        }
    }

    /// Tells all who hold a lock that somebody waits for it now.
    fn tell_holders_of_waiters(&self, key: ResourceKey, out: &mut Vec<Event>) {
        let tables = &self.tables;
        let resource = &tables.resources[key];
        let is_held = !resource.holds.is_empty() || !resource.is_open();
        assert!(is_held, "somebody waits for a lock that nobody holds");
        let holds = resource.holds.keys(&tables.holds, |h| &h.in_resource);
        let holders = holds.filter_map(|hold| tables.holds[hold].holder());
        out.extend(holders.map(|holder| Event::LockWanted {
            to: self.info(holder).id,
            resource: resource.name.clone(),
            waiting: resource.waiting(),
        }));
    }

    /// A wait that stands has one more origin.
    pub(super) fn add_origin(
        &mut self,
        key: WaitKey,
        wait_request: WaitRequest,
        out: &mut Vec<Event>,
    ) -> WaitId {
        let wait = &mut self.tables.waits[key];
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
        assert!(!self.tables.waits[key].is_deserted(), "a wait began by no origin");
        wait
    }

    /// Takes a wait that no origin is left of out of its queue.
    fn give_up_if_deserted(&mut self, key: WaitKey, out: &mut Vec<Event>) {
        let wait = &self.tables.waits[key];
        if wait.is_deserted() {
            for place in self.places(key) {
                let resource = self.tables.waits[place].resource;
                self.change(resource, |machine| {
                    machine.leave_queue(place);
                    machine.admit(resource, out);
                });
            }
        }
    }

    pub(super) fn cancel(
        &mut self,
        session: SessionId,
        id: WaitId,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session_key = self.session_key(session)?;
        let Some(key) = self.tables.find_wait(id) else {
            return Ok(Reply::Cancelled(false));
        };
        let wait = &mut self.tables.waits[key];
        if wait.session != session_key || wait.socket.take().is_none() {
            return Ok(Reply::Cancelled(false));
        }
        out.push(Event::WaitCancelled { session, wait: id });
        self.give_up_if_deserted(key, out);
        Ok(Reply::Cancelled(true))
    }

    /// A socket waits no more, and is told why.
    pub(super) fn end_wait(
        &mut self,
        id: WaitId,
        reason: WaitEndReason,
        out: &mut Vec<Event>,
    ) -> Reply {
        if let Some(key) = self.tables.find_wait(id) {
            let wait = &mut self.tables.waits[key];
            if wait.socket.take().is_some() {
                let to = self.tables.sessions[wait.session].info.id;
                let sought = self.sought(&self.tables.waits[key]);
                out.push(Event::WaitEnded { to, wait: id, sought, reason });
                self.give_up_if_deserted(key, out);
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
        if let Some(key) = self.tables.find_wait(id) {
            let wait = &mut self.tables.waits[key];
            let before = wait.requests.len();
            wait.requests.retain(|&waiting| waiting != request);
            if wait.requests.len() < before {
                out.push(Event::Withdrawn { request });
                self.give_up_if_deserted(key, out);
            }
        }
        Reply::Done
    }

    /// A node is gone, and the connections of all its requests are.
    pub(super) fn drop_requests(&mut self, node: NodeId, out: &mut Vec<Event>) {
        let mut gone: Vec<RequestId> = Vec::new();
        let mut waits: Vec<(WaitId, WaitKey)> = Vec::new();
        for (key, wait) in self.tables.waits.iter_mut() {
            let before = gone.len();
            gone.extend(wait.requests.extract_if(.., |request| request.node == node));
            if gone.len() > before && wait.is_deserted() {
                waits.push((wait.id, key));
            }
        }
        gone.sort_unstable();
        out.extend(gone.into_iter().map(|request| Event::Withdrawn { request }));
        waits.sort_unstable();
        let keys: Vec<WaitKey> = waits.into_iter().map(|(_, key)| key).collect();
        self.leave_together(&keys, out, |_, _| {});
    }
}
