//! The machine: who holds what, and who is next. It reads no clock, opens no file, awaits nothing
//! and draws no lots; given the same commands it gives the same answers. Replay relies on it.
//!
//! Sessions open and end, tickets are issued, claimed, released and revoked, locks are taken and
//! given back, and whoever must wait stands in a queue (protocol, section 1). Durations are kept
//! here, times are not: when something runs out is the driver's to know and to say.
//!
//! One invariant carries the rest: **no wait stands while something free would be accepted by
//! it.** Whatever becomes free is granted in the same step, so a newcomer can never barge.

mod check;
mod claims;
mod command;
mod ending;
mod event;
mod index;
mod issuing;
mod list;
mod locks;
mod names;
mod query;
mod ranks;
mod slices;
mod snapshot;
mod tables;
mod view;
mod waits;
mod watches;

pub use command::{
    Applied, Command, Figures, Grant, Kind, Limit, LockGrant, Refusal, Reply, TicketGrant,
};
pub use event::{EndReason, Event, LossReason};
pub use names::{
    BadName, DATA_MAX_BYTES, Data, Fence, HOLDS_MAX, ISSUED_MAX, NAME_MAX_BYTES, NUMBER_END, Name,
    RequestId, SessionId, SessionInfo, SessionName, TTL_MAX_MS, TTL_MIN_MS, Ttl, WAIT_MAX_MS,
    WAITERS_MAX, WAITS_MAX, WATCHES_MAX, WaitId, WaitOrigin, WaitRequest, WaitTimeout,
};
pub use slices::{SLICE_MAX, Scan};
pub use snapshot::{
    Damage, ResourceSnapshot, SessionSnapshot, Snapshot, TicketSnapshot, WaitSnapshot,
    WatchSnapshot,
};
pub use view::{
    Counts, IssuedState, ResourceView, SessionState, SessionView, Stakes, TicketView, WaitState,
    WatchState,
};

use std::sync::Arc;

use tables::{Body, Resource, ResourceKey, Session, SessionKey, Tables, Touched, enter};

/// Most resources that one `Forget` takes, so that no step is long.
pub const FORGET_SLICE: usize = 1000;

/// The whole state, and the only way to change it: [`Machine::apply`].
#[derive(Clone, Debug)]
pub struct Machine {
    tables: Tables,
    next_fence: u64,
    next_wait: u64,
    /// Orders what has no id of its own: places of tickets, watches, issues.
    serial: u64,
    /// How many times a resource was emptied.
    emptied_mark: u64,
    /// Watched resources that the command under way has touched.
    touched: Vec<Touched>,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// An empty machine. Its first fence and its first wait id are 1.
    #[must_use]
    pub fn new() -> Self {
        Self {
            tables: Tables::default(),
            next_fence: 1,
            next_wait: 1,
            serial: 0,
            emptied_mark: 0,
            touched: Vec::new(),
        }
    }

    /// Carries out one command and appends what it has to announce to `events`.
    ///
    /// # Panics
    /// When the tables disagree, which is a bug: the caller must not go on.
    pub fn apply(&mut self, command: &Command, events: &mut Vec<Event>) -> Applied {
        let mark = self.emptied_mark;
        let reply = self.carry_out(command, events);
        if !self.touched.is_empty() {
            self.announce_changes(events);
        }
        if self.emptied_mark != mark {
            events.push(Event::Emptied { up_to: self.emptied_mark });
        }
        Applied::new(command, reply)
    }

    /// Announces what there is, as if it began now: to whoever follows the events from here on.
    pub fn announce(&self, events: &mut Vec<Event>) {
        let mut sessions: Vec<_> =
            self.tables.sessions.iter().map(|(_, session)| session).collect();
        sessions.retain(|session| !session.condemned);
        sessions.sort_unstable_by_key(|session| session.info.id);
        for session in &sessions {
            let (id, ttl) = (session.info.id, session.info.ttl);
            events.push(Event::SessionOpened { session: id, ttl });
        }
        for session in sessions {
            let keys = session.waits.keys(&self.tables.waits, |wait| &wait.in_session);
            for wait in keys.map(|key| &self.tables.waits[key as usize]) {
                events.extend(wait.origins().map(|(origin, timeout)| Event::WaitBegan {
                    session: session.info.id,
                    wait: wait.id,
                    origin,
                    timeout,
                }));
            }
        }
        if !self.tables.emptied.is_empty() {
            events.push(Event::Emptied { up_to: self.emptied_mark });
        }
    }

    fn carry_out(&mut self, command: &Command, out: &mut Vec<Event>) -> Result<Reply, Refusal> {
        use Command as C;
        match command {
            C::Boot { fence } => Ok(self.boot(*fence, out)),
            C::Open { session, name, ttl, source } => {
                out.push(Event::SessionOpened { session: *session, ttl: *ttl });
                Ok(self.open(*session, name.clone(), *ttl, source.clone()))
            }
            C::Close { session } => self.close(*session, out),
            C::Condemn { sessions } => Ok(self.condemn(sessions, out)),
            C::Expire { sessions } => Ok(self.expire(sessions, out)),
            C::Issue { session, resource, ticket, data, notify } => {
                self.issue(*session, resource, ticket, data, *notify, out)
            }
            C::Revoke { session, resource, ticket } => self.revoke(*session, resource, ticket, out),
            C::Claim { session, resource, ticket, wait_request, again } => match ticket {
                Some(ticket) => self.claim_named(*session, resource, ticket, *wait_request, out),
                None => self.claim_any(*session, resource, *wait_request, *again, out),
            },
            C::Release { session, resource, ticket, fence, by_socket } => {
                self.release(*session, resource, ticket, *fence, *by_socket, out)
            }
            C::Lock { session, resource, wait_request } => {
                self.lock(*session, resource, *wait_request, out)
            }
            C::Unlock { session, resource, fence, by_socket } => {
                self.unlock(*session, resource, *fence, *by_socket, out)
            }
            C::Cancel { session, wait } => self.cancel(*session, *wait, out),
            C::TimeOut { wait } => Ok(self.time_out(*wait, out)),
            C::Withdraw { wait, request } => Ok(self.withdraw(*wait, *request, out)),
            C::Watch { session, resource, changes } => self.watch(*session, resource, *changes),
            C::Unwatch { session, resource } => self.unwatch(*session, resource),
            C::Forget { up_to } => Ok(self.forget(*up_to, out)),
        }
    }

    fn open(&mut self, id: SessionId, name: SessionName, ttl: Ttl, source: Box<str>) -> Reply {
        let session = Session {
            info: Arc::new(SessionInfo { id, name, ttl, source }),
            locks: list::List::default(),
            claims: std::collections::BTreeMap::new(),
            issued: list::List::default(),
            waits: list::List::default(),
            watches: list::List::default(),
            ending: false,
            condemned: false,
        };
        let key = enter(&mut self.tables.sessions, session);
        self.tables.session_ids.insert(id, key);
        Reply::Done
    }

    fn boot(&mut self, fence: Fence, out: &mut Vec<Event>) -> Reply {
        self.next_fence = self.next_fence.max(fence.0);
        self.drop_requests();
        self.expire_condemned(out);
        Reply::Done
    }

    fn session_key(&self, id: SessionId) -> Result<SessionKey, Refusal> {
        self.living_key(&id).ok_or(Refusal::SessionNotFound)
    }

    fn living_key(&self, id: &SessionId) -> Option<SessionKey> {
        let key = self.tables.session_ids.get(id)?;
        (!self.tables.sessions[key as usize].condemned).then_some(key)
    }

    fn info(&self, session: SessionKey) -> &Arc<SessionInfo> {
        &self.tables.sessions[session as usize].info
    }

    /// The resource of that name, known or only watched.
    fn resource_key(&self, name: &str) -> Option<ResourceKey> {
        self.tables.resource_names.get(name)
    }

    /// The resource of that name, if it is known.
    fn known_key(&self, name: &str) -> Result<ResourceKey, Refusal> {
        self.resource_key(name)
            .filter(|&key| self.tables.resources[key as usize].known)
            .ok_or(Refusal::ResourceNotFound)
    }

    /// The resource of that name, entered if it is new. It must come to stand or be watched.
    fn resource_entry(&mut self, name: &Name) -> ResourceKey {
        self.resource_key(name.as_str()).unwrap_or_else(|| {
            let key = enter(&mut self.tables.resources, Resource::new(name.clone()));
            self.tables.resource_names.insert(name.clone(), key);
            key
        })
    }

    fn fence(&mut self) -> Fence {
        let fence = self.next_fence;
        assert!(fence < NUMBER_END, "fences are used up");
        self.next_fence += 1;
        Fence(fence)
    }

    fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// To be called before a resource's figures change.
    #[inline]
    fn touch(&mut self, key: ResourceKey) {
        let resource = &mut self.tables.resources[key as usize];
        if resource.touched.is_none() && !resource.watchers.is_empty() {
            resource.touched = u32::try_from(self.touched.len()).ok();
            self.touched.push(Touched { resource: key, before: resource.figures(), freed: false });
        }
    }

    /// To be called after a resource's contents changed: enters it among the emptied, or takes it
    /// out from there.
    #[inline]
    fn reindex(&mut self, key: ResourceKey) {
        let tables = &mut self.tables;
        let resource = &mut tables.resources[key as usize];
        match (resource.kind(), resource.emptied) {
            (None, None) if resource.known => {
                self.emptied_mark += 1;
                resource.emptied = Some(self.emptied_mark);
                tables.emptied.push(&mut tables.resources, key, |r| &mut r.in_emptied);
            }
            (Some(kind), emptied) => {
                resource.last = kind;
                if !resource.known {
                    resource.known = true;
                    tables.known += 1;
                }
                if emptied.is_some() {
                    resource.emptied = None;
                    tables.emptied.remove(&mut tables.resources, key, |r| &mut r.in_emptied);
                }
            }
            (None, _) => {}
        }
    }

    fn forget(&mut self, up_to: u64, out: &mut Vec<Event>) -> Reply {
        for _ in 0..FORGET_SLICE {
            let Some(key) = self.oldest_emptied(up_to) else { break };
            let tables = &mut self.tables;
            tables.emptied.remove(&mut tables.resources, key, |r| &mut r.in_emptied);
            let resource = &mut tables.resources[key as usize];
            resource.emptied = None;
            resource.known = false;
            tables.known -= 1;
            self.drop_if_unused(key);
        }
        let more = self.oldest_emptied(up_to).is_some();
        out.push(Event::Forgotten { up_to, more });
        Reply::Forgotten { more }
    }

    fn oldest_emptied(&self, up_to: u64) -> Option<ResourceKey> {
        let key = self.tables.emptied.first()?;
        let number = self.tables.resources[key as usize].emptied?;
        (number <= up_to).then_some(key)
    }

    /// Takes a resource out of the tables when it is neither known nor watched.
    fn drop_if_unused(&mut self, key: ResourceKey) {
        let resource = &self.tables.resources[key as usize];
        if resource.known || !resource.watchers.is_empty() {
            return;
        }
        assert!(matches!(resource.body, Body::Empty) && resource.queue.is_none());
        assert!(resource.touched.is_none(), "a resource went while it was being reported");
        let gone = self.tables.resources.remove(key as usize);
        self.tables.resource_names.remove(gone.name.as_str());
    }
}
