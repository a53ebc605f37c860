//! What stands in the tables: sessions, resources, tickets, holds, waits and watches, and what ties
//! them.
//!
//! Keys are addresses: they are used again, and never leave the machine.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use super::command::{Conduct, Figures, Kind, Mode};
use super::extras::{HoldExtra, ResourceExtra, TicketExtra};
pub(super) use super::keys::{
    AccountKey, GroupKey, HoldKey, NOBODY, ResourceKey, SessionKey, TicketKey, WaitKey, WatchKey,
};
use super::list::{Link, List};
use super::names::{
    Account, AccountCounts, Data, Fence, Name, RequestId, SessionInfo, WaitId, WaitOrigin,
    WaitTimeout,
};
use super::ranks::Ranks;
use super::tally::Since;

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
    /// How it wants to be taken.
    pub(super) conduct: Conduct,
    /// With whose others it is counted.
    pub(super) account: AccountKey,
    /// Its holds of locks, in order of their fences.
    pub(super) locks: List,
    /// Its holds of tickets, in order of their fences.
    pub(super) claims: List,
    /// Those of its holds that their resource does not lead to at once: claims, and locks in shared
    /// mode.
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
    /// The grants in force, in order of their fences: a lock's holders, or the claims of tickets.
    pub(super) holds: List,
    /// All tickets, oldest first.
    pub(super) tickets: List,
    /// The tickets of priority 0 that anybody may take, in the order in which they go.
    pub(super) free: List,
    /// What few resources have.
    pub(super) extra: Option<Box<ResourceExtra>>,
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
    /// Whose; [`NOBODY`]'s when it was lost.
    pub(super) session: SessionKey,
    pub(super) resource: ResourceKey,
    pub(super) what: Held,
    pub(super) fence: Fence,
    /// When it was granted.
    pub(super) since: Since,
    /// What few holds have.
    pub(super) extra: Option<Box<HoldExtra>>,
    pub(super) in_session: Link,
    pub(super) in_resource: Link,
}

/// What is held of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// The lock that the resource is.
    Lock(Mode),
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
    /// Whose; [`NOBODY`]'s when that session is gone.
    pub(super) issuer: SessionKey,
    pub(super) standing: TicketStanding,
    pub(super) notify: bool,
    /// Whether it outlives its issuer's session.
    pub(super) stays: bool,
    /// Of free ones the greatest goes first.
    pub(super) priority: u8,
    /// Attempts that were counted.
    pub(super) attempts: u32,
    /// Grows with every ticket that becomes free, or dies: keeps the order in an image.
    pub(super) place: u64,
    /// Grows with every (take-over by) issue: keeps the order in an image.
    pub(super) issued: u64,
    /// Grows with every ticket: orders those of a resource by their age.
    pub(super) number: u64,
    /// What few tickets have.
    pub(super) extra: Option<Box<TicketExtra>>,
    pub(super) in_all: Link,
    pub(super) in_free: Link,
    pub(super) in_issued: Link,
}

/// How a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TicketStanding {
    /// Anybody may take it, or it is just being offered.
    Free,
    Held(HoldKey),
    /// It is free only later.
    Delayed,
    /// It goes to nobody any more.
    Dead,
}

/// The places of one wait that stands in several queues.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Those that are left.
    pub(super) places: Vec<WaitKey>,
    /// All resources that were asked for, in order.
    pub(super) resources: Arc<[Name]>,
}

/// A wait's place in a queue.
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
    /// In which mode it waits for a lock.
    pub(super) mode: Mode,
    /// What is made known when the lock is granted.
    pub(super) data: Option<Data>,
    /// How long the claim lasts, in ms, if it says so.
    pub(super) hold_ms: Option<u32>,
    pub(super) since: Since,
    /// The wait's places, if it stands in several queues, and the how manieth this is.
    pub(super) group: Option<(GroupKey, u8)>,
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
const _: () = assert!(size_of::<Hold>() <= 56 && size_of::<Ticket>() <= 120);
const _: () = assert!(size_of::<Resource>() <= 128 && size_of::<Wait>() <= 152);

impl Held {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Lock(_) => Kind::Lock,
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
            extra: None,
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
        let (free, delayed, dead, paused) = match &self.extra {
            None => (self.free.count(), 0, 0, false),
            Some(it) => {
                (self.free.count() + it.free(), it.delayed, it.dead.count(), it.is_paused())
            }
        };
        let all = free + delayed + dead;
        assert!(all as usize <= self.tickets.len(), "more tickets are not held than there are");
        let (kind, held) = (self.kind, self.holds.count());
        Figures { kind, free, held, waiting: self.waiting(), delayed, dead, paused }
    }

    /// Whether anything of it may be granted at once.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.extra.as_ref().is_none_or(|extra| extra.is_open())
    }

    /// What few resources have, made if it is not there.
    pub(super) fn extra_mut(&mut self) -> &mut ResourceExtra {
        self.extra.get_or_insert_default()
    }
}

impl Hold {
    /// Whose it is, unless it was lost.
    #[inline]
    pub(super) fn holder(&self) -> Option<SessionKey> {
        (self.session != NOBODY).then_some(self.session)
    }

    /// How long it lasts, in ms, if it ends by itself.
    pub(super) fn hold_ms(&self) -> Option<u32> {
        self.extra.as_ref().and_then(|extra| extra.hold_ms)
    }
}

impl Ticket {
    /// Whose it is, unless that session is gone.
    #[inline]
    pub(super) fn issuer(&self) -> Option<SessionKey> {
        (self.issuer != NOBODY).then_some(self.issuer)
    }

    /// The hold of it, if it is held.
    #[inline]
    pub(super) fn hold(&self) -> Option<HoldKey> {
        match self.standing {
            TicketStanding::Held(hold) => Some(hold),
            TicketStanding::Free | TicketStanding::Delayed | TicketStanding::Dead => None,
        }
    }

    /// What few tickets have, made if it is not there.
    pub(super) fn extra_mut(&mut self) -> &mut TicketExtra {
        self.extra.get_or_insert_default()
    }

    /// After how many counted attempts it is dead.
    pub(super) fn most_attempts(&self) -> Option<u16> {
        self.extra.as_ref().and_then(|extra| extra.attempts)
    }

    /// How long claims last that do not say so, in ms.
    pub(super) fn hold_ms(&self) -> Option<u32> {
        self.extra.as_ref().and_then(|extra| extra.hold_ms)
    }

    /// Whether so many attempts were counted that it is dead when it is free next.
    pub(super) fn is_spent(&self) -> bool {
        self.most_attempts().is_some_and(|most| self.attempts >= u32::from(most))
    }
}

impl Wait {
    /// Whether its id leads to it: of several places, to the first.
    pub(super) fn leads(&self) -> bool {
        self.group.is_none_or(|(_, nth)| nth == 0)
    }

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
