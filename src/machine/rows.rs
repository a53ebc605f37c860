//! What stands in the tables: sessions, resources, tickets, holds, waits and watches, and what ties
//! them.
//!
//! Keys are addresses: they are used again, and never leave the machine.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use super::command::{Figures, Kind};
use super::list::{Link, List};
use super::names::{
    Account, AccountCounts, Data, Fence, Name, RequestId, SessionInfo, WaitId, WaitOrigin,
    WaitTimeout,
};
use super::ranks::Ranks;

pub(super) type AccountKey = u32;
pub(super) type SessionKey = u32;
pub(super) type ResourceKey = u32;
pub(super) type TicketKey = u32;
pub(super) type HoldKey = u32;
pub(super) type WaitKey = u32;
pub(super) type WatchKey = u32;

/// An account that has a session.
#[derive(Clone, Debug)]
pub(super) struct AccountRow {
    pub(super) account: Account,
    pub(super) counts: AccountCounts,
    /// The account that counts its sessions, too.
    pub(super) parent: Option<AccountKey>,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) info: Arc<SessionInfo>,
    /// With whose others it is counted.
    pub(super) account: AccountKey,
    /// Its holds of locks, in order of their fences.
    pub(super) locks: List,
    /// Its holds of tickets, in order of their fences.
    pub(super) claims: List,
    /// Those of its holds that their resource does not lead to at once: one of many.
    pub(super) by_resource: BTreeMap<(ResourceKey, Fence), HoldKey>,
    /// Tickets issued, oldest first.
    pub(super) issued: List,
    /// Places in queues, oldest first.
    pub(super) waits: List,
    /// Watches, oldest first.
    pub(super) watches: List,
    /// Ends in the step under way.
    pub(super) ending: bool,
    /// Has ended, but for its holds.
    pub(super) condemned: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) name: Name,
    /// That of the first thing that came to stand in it, until nothing does.
    pub(super) kind: Option<Kind>,
    /// The kind that it has, or had before it was emptied.
    pub(super) last: Kind,
    /// Something stands in it, or did a while ago.
    pub(super) known: bool,
    /// A change of what stands in it is under way.
    pub(super) changing: bool,
    /// The grants in force, in order of their fences: a lock's holder, or the claims of tickets.
    pub(super) holds: List,
    /// All tickets, oldest first.
    pub(super) tickets: List,
    /// The tickets that anybody may take, in the order in which they go.
    pub(super) free: List,
    /// Who waits; `None` when nobody does.
    pub(super) queue: Option<Box<Queue>>,
    pub(super) watchers: List,
    /// When it was emptied, if it is empty and known.
    pub(super) emptied: Option<NonZeroU64>,
    pub(super) in_emptied: Link,
    /// Place in the list of what the command under way has touched.
    pub(super) touched: Option<u32>,
}

/// A grant in force.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) session: SessionKey,
    pub(super) resource: ResourceKey,
    pub(super) what: Held,
    pub(super) fence: Fence,
    pub(super) in_session: Link,
    pub(super) in_resource: Link,
}

/// What is held of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// The lock that the resource is.
    Lock,
    /// One of its tickets.
    Ticket(TicketKey),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// Waits for the lock, or for any ticket.
    pub(super) any: List,
    /// Waits for a certain ticket.
    pub(super) named: BTreeMap<Name, List>,
    pub(super) ranks: Ranks,
}

#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) name: Name,
    pub(super) data: Data,
    pub(super) resource: ResourceKey,
    pub(super) issuer: SessionKey,
    /// The hold of it, unless it is free.
    pub(super) hold: Option<HoldKey>,
    pub(super) notify: bool,
    /// Grows with every ticket that becomes free: keeps the order in an image.
    pub(super) place: u64,
    /// Grows with every (take-over by) issue: keeps the order in an image.
    pub(super) issued: u64,
    pub(super) in_all: Link,
    pub(super) in_free: Link,
    pub(super) in_issued: Link,
}

#[derive(Clone, Debug)]
pub(super) struct Wait {
    pub(super) id: WaitId,
    pub(super) session: SessionKey,
    pub(super) resource: ResourceKey,
    pub(super) ticket: Option<Name>,
    /// How long the socket waits, if it does.
    pub(super) socket: Option<WaitTimeout>,
    /// The requests that wait, in order of joining.
    pub(super) requests: Vec<RequestId>,
    /// Whether others of the session that ask for the same join this place.
    pub(super) merges: bool,
    pub(super) in_queue: Link,
    pub(super) in_session: Link,
}

#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) session: SessionKey,
    pub(super) resource: ResourceKey,
    pub(super) changes: bool,
    /// Grows with every watch: keeps the order in an image.
    pub(super) number: u64,
    pub(super) in_session: Link,
    pub(super) in_resource: Link,
}

// What there may be a million of.
const _: () = assert!(size_of::<Hold>() <= 40 && size_of::<Ticket>() <= 104);
const _: () = assert!(size_of::<Resource>() <= 120 && size_of::<Wait>() <= 104);

impl Held {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Lock => Kind::Lock,
            Self::Ticket(_) => Kind::Tickets,
        }
    }
}

impl Resource {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            kind: None,
            last: Kind::Lock,
            known: false,
            changing: false,
            holds: List::default(),
            tickets: List::default(),
            free: List::default(),
            queue: None,
            watchers: List::default(),
            emptied: None,
            in_emptied: Link::default(),
            touched: None,
        }
    }

    /// Whether anything stands in it.
    #[inline]
    pub(super) fn is_used(&self) -> bool {
        !self.holds.is_empty() || !self.tickets.is_empty() || self.queue.is_some()
    }

    #[inline]
    pub(super) fn waiting(&self) -> u32 {
        self.queue.as_ref().map_or(0, |queue| u32::try_from(queue.ranks.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn figures(&self) -> Figures {
        assert!(self.free.len() <= self.tickets.len(), "more tickets are free than there are");
        let (free, held) = (self.free.count(), self.holds.count());
        Figures { kind: self.kind, free, held, waiting: self.waiting() }
    }
}

impl Wait {
    /// Whether no origin of it is left.
    pub(super) fn is_deserted(&self) -> bool {
        self.socket.is_none() && self.requests.is_empty()
    }

    /// By what origins it is waited, and how long at most. Requests are timed from elsewhere.
    pub(super) fn origins(&self) -> impl Iterator<Item = (WaitOrigin, WaitTimeout)> {
        let socket = self.socket.map(|timeout| (WaitOrigin::Socket, timeout));
        let requests = self.requests.iter();
        socket
            .into_iter()
            .chain(requests.map(|&request| (WaitOrigin::Request(request), WaitTimeout::Session)))
    }
}

impl Session {
    /// How much it holds.
    pub(super) fn holds(&self) -> usize {
        self.locks.len() + self.claims.len()
    }
}
