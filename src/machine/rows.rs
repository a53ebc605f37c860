//! What stands in the tables: sessions, resources, tickets, waits and watches, and what ties them.
//!
//! Keys are addresses in slabs and are re-used; they never leave the machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::{Figures, Kind};
use super::list::{Link, List};
use super::names::{Data, Fence, Name, RequestId, SessionInfo, WaitId, WaitOrigin, WaitTimeout};
use super::ranks::Ranks;

pub(super) type SessionKey = u32;
pub(super) type ResourceKey = u32;
pub(super) type TicketKey = u32;
pub(super) type WaitKey = u32;
pub(super) type WatchKey = u32;

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) info: Arc<SessionInfo>,
    /// Locks held, in order of their fences.
    pub(super) locks: List,
    /// Tickets held, by resource and fence.
    pub(super) claims: BTreeMap<(ResourceKey, Fence), TicketKey>,
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
    pub(super) body: Body,
    /// Who waits; `None` when nobody does.
    pub(super) queue: Option<Box<Queue>>,
    pub(super) watchers: List,
    /// Something stands in it, or did a while ago.
    pub(super) known: bool,
    /// What it was last, for dumps of an emptied one.
    pub(super) last: Kind,
    /// When it was emptied, if it is empty and known.
    pub(super) emptied: Option<u64>,
    pub(super) in_emptied: Link,
    /// In the holder's list of locks.
    pub(super) in_locks: Link,
    /// Place in the list of what the command under way has touched.
    pub(super) touched: Option<u32>,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    Empty,
    Lock { holder: SessionKey, fence: Fence },
    Tickets(Tickets),
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tickets {
    /// All, oldest first.
    pub(super) all: List,
    /// Unclaimed, in the order in which they became free.
    pub(super) free: List,
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
    pub(super) claim: Option<(SessionKey, Fence)>,
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
    /// Others of the session that ask for the same join this place.
    pub(super) shared: bool,
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

impl Resource {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            body: Body::Empty,
            queue: None,
            watchers: List::default(),
            known: false,
            last: Kind::Lock,
            emptied: None,
            in_emptied: Link::default(),
            in_locks: Link::default(),
            touched: None,
        }
    }

    /// What stands in it fixes its kind.
    #[inline]
    pub(super) fn kind(&self) -> Option<Kind> {
        match self.body {
            Body::Lock { .. } => Some(Kind::Lock),
            Body::Tickets(_) => Some(Kind::Tickets),
            // A lock is held while anybody waits for it.
            Body::Empty => self.queue.is_some().then_some(Kind::Tickets),
        }
    }

    #[inline]
    pub(super) fn waiting(&self) -> u32 {
        self.queue.as_ref().map_or(0, |queue| u32::try_from(queue.ranks.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn figures(&self) -> Figures {
        let (free, held) = match &self.body {
            Body::Empty => (0, 0),
            Body::Lock { .. } => (0, 1),
            Body::Tickets(tickets) => {
                (tickets.free.count(), tickets.all.count() - tickets.free.count())
            }
        };
        Figures { kind: self.kind(), free, held, waiting: self.waiting() }
    }

    pub(super) fn tickets(&self) -> Option<&Tickets> {
        if let Body::Tickets(tickets) = &self.body { Some(tickets) } else { None }
    }

    pub(super) fn tickets_mut(&mut self) -> &mut Tickets {
        match &mut self.body {
            Body::Tickets(tickets) => tickets,
            Body::Empty | Body::Lock { .. } => panic!("a ticket is in a resource without any"),
        }
    }
}

impl Wait {
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
    pub(super) fn holds(&self) -> usize {
        self.locks.len() + self.claims.len()
    }
}
