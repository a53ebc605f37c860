//! The tables and the counters: all that the machine is, and how something in it is found.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::arena::Arena;
use super::command::{Figures, Refusal};
use super::index::Index;
use super::list::List;
use super::names::{
    Account, DelayId, Fence, NUMBER_END, Name, NodeId, SessionId, SessionInfo, WaitId,
};
use super::rows::{
    AccountKey, AccountRow, Group, Hold, HoldKey, Resource, ResourceKey, Session, SessionKey,
    Ticket, TicketKey, Wait, WaitKey, Watch, WatchKey,
};
use super::tally::Teller;

/// A watched resource that the command under way has touched.
#[derive(Clone, Debug)]
pub(super) struct Touched {
    pub(super) resource: ResourceKey,
    pub(super) before: Figures,
    pub(super) freed: bool,
    /// Holders of a lock, or what they make known, are others.
    pub(super) holders: bool,
}

/// All tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    pub(super) sessions: Arena<Session>,
    pub(super) session_ids: Index,
    pub(super) accounts: Arena<AccountRow>,
    pub(super) account_keys: BTreeMap<Account, AccountKey>,
    pub(super) resources: Arena<Resource>,
    pub(super) resource_names: Index,
    pub(super) tickets: Arena<Ticket>,
    pub(super) ticket_names: Index,
    pub(super) holds: Arena<Hold>,
    /// Claims that end by themselves.
    pub(super) timed: BTreeMap<Fence, HoldKey>,
    /// Holds that were lost, and stay for a while.
    pub(super) lost: BTreeMap<Fence, HoldKey>,
    /// Tickets that are free only later.
    pub(super) delayed: BTreeMap<DelayId, TicketKey>,
    pub(super) waits: Arena<Wait>,
    /// Of a wait that stands in several queues, the first place is found.
    pub(super) wait_ids: Index,
    pub(super) groups: Arena<Group>,
    /// Places that others of the same session join: a lock's, a named ticket's, and that of the
    /// requests for any ticket.
    pub(super) merging: Index,
    pub(super) watches: Arena<Watch>,
    pub(super) watch_of: Index,
    /// Known resources in which nothing stands, in the order in which they were emptied.
    pub(super) emptied: List,
    /// Sessions that are condemned.
    pub(super) condemned: usize,
    /// Known resources, in order of their names.
    pub(super) known: BTreeMap<Name, ResourceKey>,
    /// Tickets that go to nobody any more.
    pub(super) dead: usize,
    /// Resources that are paused.
    pub(super) paused: usize,
    /// Holds of tickets; all others are of locks.
    pub(super) claims: usize,
}

impl Tables {
    /// The session of that id, living or condemned.
    pub(super) fn find_session(&self, id: &SessionId) -> Option<SessionKey> {
        self.session_ids.get(id, |key| self.sessions[key].info.id == *id)
    }

    /// The resource of that name, known or only watched.
    pub(super) fn find_resource(&self, name: &str) -> Option<ResourceKey> {
        self.resource_names.get(name, |key| self.resources[key].name.as_str() == name)
    }

    /// The ticket of that name in a resource.
    pub(super) fn find_ticket(&self, resource: ResourceKey, name: &str) -> Option<TicketKey> {
        self.ticket_names.get((resource, name), |key| {
            let ticket = &self.tickets[key];
            ticket.resource == resource && ticket.name.as_str() == name
        })
    }

    /// The wait of that id; of several places, the first.
    pub(super) fn find_wait(&self, id: WaitId) -> Option<WaitKey> {
        self.wait_ids.get(id, |key| self.waits[key].id == id)
    }

    /// The place that others of a session join which ask for the same.
    pub(super) fn find_place(
        &self,
        session: SessionKey,
        resource: ResourceKey,
        ticket: Option<&Name>,
    ) -> Option<WaitKey> {
        self.merging.get((session, resource, ticket), |key| {
            let wait = &self.waits[key];
            wait.session == session && wait.resource == resource && wait.ticket.as_ref() == ticket
        })
    }

    /// A session's watch of a resource.
    pub(super) fn find_watch(
        &self,
        session: SessionKey,
        resource: ResourceKey,
    ) -> Option<WatchKey> {
        self.watch_of.get((session, resource), |key| {
            let watch = &self.watches[key];
            watch.session == session && watch.resource == resource
        })
    }
}

/// The whole state, and the only way to change it: [`Machine::apply`].
#[derive(Clone, Debug)]
pub struct Machine {
    pub(super) tables: Tables,
    pub(super) next_fence: u64,
    pub(super) next_wait: u64,
    /// Orders what has no id of its own: places of tickets, watches, issues.
    pub(super) serial: u64,
    /// How many times a resource was emptied.
    pub(super) emptied_mark: u64,
    /// The time that was told last, in ms since 1970.
    pub(super) clock_ms: u64,
    /// The nodes that joined and are not gone.
    pub(super) nodes: BTreeSet<NodeId>,
    /// Watched resources that the command under way has touched.
    pub(super) touched: Vec<Touched>,
    /// Tickets that the change under way has made free, to be offered to those who wait.
    pub(super) freed: VecDeque<TicketKey>,
    /// Counts what happens.
    pub(super) teller: Teller,
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
            clock_ms: 0,
            nodes: BTreeSet::new(),
            touched: Vec::new(),
            freed: VecDeque::new(),
            teller: Teller::default(),
        }
    }

    pub(super) fn session_key(&self, id: SessionId) -> Result<SessionKey, Refusal> {
        self.living_key(&id).ok_or(Refusal::SessionNotFound)
    }

    pub(super) fn living_key(&self, id: &SessionId) -> Option<SessionKey> {
        let key = self.tables.find_session(id)?;
        (!self.tables.sessions[key].condemned).then_some(key)
    }

    pub(super) fn info(&self, session: SessionKey) -> &Arc<SessionInfo> {
        &self.tables.sessions[session].info
    }

    /// The resource of that name, known or only watched.
    pub(super) fn resource_key(&self, name: &str) -> Option<ResourceKey> {
        self.tables.find_resource(name)
    }

    /// The resource of that name, if it is known.
    pub(super) fn known_key(&self, name: &str) -> Result<ResourceKey, Refusal> {
        self.resource_key(name)
            .filter(|&key| self.tables.resources[key].known)
            .ok_or(Refusal::ResourceNotFound)
    }

    /// The resource of that name, entered if it is new. It must come to stand or be watched.
    pub(super) fn resource_entry(&mut self, name: &Name) -> ResourceKey {
        self.resource_key(name.as_str()).unwrap_or_else(|| {
            let key = self.tables.resources.insert(Resource::new(name.clone()));
            self.tables.resource_names.insert(name.as_str(), key);
            key
        })
    }

    pub(super) fn fence(&mut self) -> Fence {
        let fence = self.next_fence;
        assert!(fence < NUMBER_END, "fences are used up");
        self.next_fence += 1;
        Fence(fence)
    }

    pub(super) fn serial(&mut self) -> u64 {
        assert!(self.serial < u64::MAX, "serial numbers are used up");
        self.serial += 1;
        self.serial
    }
}
