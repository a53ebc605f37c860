//! What is to be told to a socket, in order, and not before it is durable. Bounded: a socket that
//! does not read is ended, never waited for, and nothing is dropped without its being ended.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::machine::{Event, Figures, Kind, Name, Refusal, Reply, SessionState, Why};

use super::durable::{Durable, Stamp};

/// Most messages that wait for a socket to read.
pub const OUTBOX_MESSAGES_MAX: usize = 1024;
/// Most that they may cost together: names, data and [`MESSAGE_COST_BYTES`] each.
pub const OUTBOX_BYTES_MAX: usize = 256 * 1024;
/// What a message costs beside its names and data, in bytes.
pub const MESSAGE_COST_BYTES: usize = 64;
/// A socket is not read from while more than this part of its outbox is full.
const READING_PART: usize = 2;

/// Something to tell a socket.
#[derive(Debug)]
pub enum Message {
    /// The answer to its request of that id; `None` when it had no proper one.
    Answer(Option<u64>, Answered),
    /// What the machine announced.
    Event(Event),
    /// A lock or ticket became available, or the figures changed.
    Level(LevelEvent, Name, Figures),
    /// The server is about to stop; in how many ms.
    GoingAway(u32),
}

/// What a request on a socket is answered.
#[derive(Debug)]
pub enum Answered {
    /// By the machine.
    Reply(Result<Reply, Refusal>),
    /// It made no sense; why.
    Bad(String),
    /// It was too large; why.
    TooLarge(String),
    /// A heartbeat was heard; the TTL, in ms.
    Beat(u32),
    /// The whole state.
    State(Box<State>),
    /// Nothing more to say.
    Done,
}

/// The answer to `hello` and `session`.
#[derive(Debug)]
pub struct State {
    /// What the session has.
    pub session: SessionState,
    /// Whether it was there before the socket.
    pub resumed: bool,
    /// The server's run.
    pub epoch: Arc<str>,
    /// Time between two heartbeats, in ms.
    pub ping_ms: u32,
}

/// The level-triggered events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelEvent {
    /// There is a free ticket.
    TicketAvailable,
    /// The lock is free.
    LockAvailable,
    /// A figure changed.
    Changed,
}

/// Why a socket is to be closed by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It said `bye`.
    Bye,
    /// Its session has ended.
    SessionEnded(Why),
    /// A newer socket has taken its session over.
    Replaced,
    /// It does not read.
    TooSlow,
    /// The server stops.
    GoingAway,
}

/// What watchers of a resource are to be told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    tickets: bool,
    lock: bool,
    changed: bool,
    figures: Figures,
}

impl Level {
    pub(super) fn new(before: Figures, after: Figures, freed: bool, changes: bool) -> Self {
        Self {
            tickets: freed,
            lock: before.kind == Some(Kind::Lock),
            changed: changes && before != after,
            figures: after,
        }
        .while_true()
    }

    /// This, after `earlier` was not told yet.
    fn after(self, earlier: Self) -> Self {
        Self {
            tickets: self.tickets || earlier.tickets,
            lock: self.lock || earlier.lock,
            changed: self.changed || earlier.changed,
            figures: self.figures,
        }
        .while_true()
    }

    fn while_true(self) -> Self {
        Self {
            tickets: self.tickets && self.figures.free > 0,
            lock: self.lock && self.figures.kind.is_none(),
            ..self
        }
    }

    fn says_anything(self) -> bool {
        self.tickets || self.lock || self.changed
    }
}

/// At most two states of a resource wait to be told: the second is not durable yet. So what is
/// told is never held up by what is still to come.
#[derive(Clone, Copy, Debug)]
struct Levels {
    first: (Level, Stamp),
    second: Option<(Level, Stamp)>,
}

#[derive(Debug)]
enum Item {
    Message(Message, Stamp, usize),
    /// Look it up in the levels.
    Level(Name),
    End(Ending, Stamp),
}

#[derive(Debug, Default)]
struct Inner {
    items: VecDeque<Item>,
    bytes: usize,
    levels: Option<Box<HashMap<Name, Levels>>>,
    /// A whole state is waiting: nothing more is read until it was sent.
    states: usize,
    /// Nothing more goes in.
    ended: bool,
    /// Everything left is void: end at once.
    cut: Option<Ending>,
}

/// A socket's outbox. Filled under the driver's lock, emptied by the socket's task.
#[derive(Debug)]
pub struct Outbox {
    inner: Mutex<Inner>,
    filled: Notify,
    emptied: Notify,
    durable: Arc<Durable>,
}

/// What comes out of an outbox.
#[derive(Debug)]
pub enum Next {
    /// To be sent.
    Message(Message),
    /// To be closed.
    End(Ending),
}

enum Ready {
    Now(Next),
    When(Stamp),
    Nothing,
}

impl Outbox {
    pub(super) fn new(durable: Arc<Durable>) -> Self {
        let inner = Mutex::new(Inner::default());
        Self { inner, filled: Notify::new(), emptied: Notify::new(), durable }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        match self.inner.lock() {
            Ok(inner) => inner,
            Err(_) => std::process::abort(),
        }
    }

    pub(super) fn push(&self, message: Message, stamp: Stamp) {
        let mut inner = self.inner();
        if inner.ended {
            return;
        }
        let cost = cost(&message);
        inner.states += usize::from(is_state(&message));
        inner.bytes += cost;
        inner.items.push_back(Item::Message(message, stamp, cost));
        self.check_room(inner);
    }

    /// Tells of a watched resource; what was not told yet of it is overtaken.
    pub(super) fn push_level(&self, resource: &Name, level: Level, stamp: Stamp) {
        let mut inner = self.inner();
        if inner.ended {
            return;
        }
        if let Some(levels) = inner.levels.as_mut().and_then(|levels| levels.get_mut(resource)) {
            let (first, at) = levels.first;
            if self.durable.has(at) != self.durable.has(stamp) || !self.durable.has(at) {
                let earlier = levels.second.map_or(level, |(second, _)| level.after(second));
                levels.second = Some((earlier, stamp));
            } else {
                levels.first = (level.after(first), stamp);
            }
            return;
        }
        if !level.says_anything() {
            return;
        }
        let levels = Levels { first: (level, stamp), second: None };
        inner.levels.get_or_insert_default().insert(resource.clone(), levels);
        inner.bytes += level_cost(resource);
        inner.items.push_back(Item::Level(resource.clone()));
        self.check_room(inner);
    }

    /// Whatever was to be told of a resource is no longer wanted.
    pub(super) fn drop_level(&self, resource: &Name) {
        let mut inner = self.inner();
        if let Some(levels) = &mut inner.levels
            && levels.remove(resource).is_some()
        {
            inner.bytes -= level_cost(resource);
            inner.items.retain(|item| !matches!(item, Item::Level(name) if name == resource));
        }
    }

    /// The socket is to be closed when what is in here has been sent.
    pub(super) fn end(&self, ending: Ending, stamp: Stamp) {
        let mut inner = self.inner();
        if !inner.ended {
            inner.ended = true;
            inner.items.push_back(Item::End(ending, stamp));
            drop(inner);
            self.filled.notify_one();
        }
    }

    /// The socket is to be closed at once; what is in here is void.
    pub(super) fn cut(&self, ending: Ending) {
        self.cut_inner(self.inner(), ending);
    }

    fn cut_inner(&self, mut inner: MutexGuard<'_, Inner>, ending: Ending) {
        let ended = std::mem::replace(&mut *inner, Inner { ended: true, ..Inner::default() });
        inner.cut = ended.cut.or(Some(ending));
        drop(inner);
        self.filled.notify_one();
        self.emptied.notify_one();
        drop(ended);
    }

    fn check_room(&self, inner: MutexGuard<'_, Inner>) {
        if inner.items.len() > OUTBOX_MESSAGES_MAX || inner.bytes > OUTBOX_BYTES_MAX {
            self.cut_inner(inner, Ending::TooSlow);
        } else {
            drop(inner);
            self.filled.notify_one();
        }
    }

    /// Whether the socket may be read from.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let inner = self.inner();
        inner.states == 0
            && inner.items.len() <= OUTBOX_MESSAGES_MAX / READING_PART
            && inner.bytes <= OUTBOX_BYTES_MAX / READING_PART
    }

    /// Waits until the socket may be read from.
    pub async fn room(&self) {
        while !self.has_room() {
            self.emptied.notified().await;
        }
    }

    /// Waits for something that may be sent, in order.
    pub async fn next(&self) -> Next {
        loop {
            match self.take() {
                Ready::Now(next) => return next,
                Ready::When(stamp) => tokio::select! {
                    () = self.durable.reached(stamp) => {}
                    () = self.filled.notified() => {}
                },
                Ready::Nothing => self.filled.notified().await,
            }
        }
    }

    /// Something that may be sent now, if there is anything.
    #[must_use]
    pub fn try_next(&self) -> Option<Next> {
        match self.take() {
            Ready::Now(next) => Some(next),
            Ready::When(_) | Ready::Nothing => None,
        }
    }

    fn take(&self) -> Ready {
        let mut inner = self.inner();
        loop {
            if let Some(ending) = inner.cut {
                return Ready::Now(Next::End(ending));
            }
            let Some(item) = inner.items.front() else {
                inner.items = VecDeque::new();
                inner.levels = None;
                return Ready::Nothing;
            };
            let stamp = match item {
                Item::Message(_, stamp, _) | Item::End(_, stamp) => *stamp,
                Item::Level(name) => {
                    let levels = inner.levels.as_ref().and_then(|levels| levels.get(name));
                    let Some(levels) = levels else { panic!("a level is not there") };
                    levels.first.1
                }
            };
            if !self.durable.has(stamp) {
                return Ready::When(stamp);
            }
            match inner.items.pop_front() {
                Some(Item::End(ending, _)) => {
                    inner.cut = Some(ending);
                    return Ready::Now(Next::End(ending));
                }
                Some(Item::Message(message, _, cost)) => {
                    inner.bytes -= cost;
                    inner.states -= usize::from(is_state(&message));
                    self.emptied.notify_one();
                    return Ready::Now(Next::Message(message));
                }
                Some(Item::Level(name)) => {
                    let message = self.take_level(&mut inner, name);
                    self.emptied.notify_one();
                    if let Some(message) = message {
                        return Ready::Now(Next::Message(message));
                    }
                }
                None => return Ready::Nothing,
            }
        }
    }

    /// The next event about a resource; whatever more there is to say of it goes back in.
    fn take_level(&self, inner: &mut Inner, name: Name) -> Option<Message> {
        let levels = inner.levels.as_mut()?.remove(&name)?;
        inner.bytes -= level_cost(&name);
        let (mut level, mut at) = levels.first;
        let mut second = levels.second;
        if let Some((newer, stamp)) = second
            && self.durable.has(stamp)
        {
            (level, at) = (newer.after(level), stamp);
            second = None;
        }
        let event = if level.tickets {
            level.tickets = false;
            LevelEvent::TicketAvailable
        } else if level.lock {
            level.lock = false;
            LevelEvent::LockAvailable
        } else if level.changed {
            level.changed = false;
            LevelEvent::Changed
        } else {
            let (later, stamp) = second?;
            if later.says_anything() {
                put_back(inner, name, Levels { first: (later, stamp), second: None }, false);
            }
            return None;
        };
        let figures = level.figures;
        if level.says_anything() {
            put_back(inner, name.clone(), Levels { first: (level, at), second }, true);
        } else if let Some((later, stamp)) = second
            && later.says_anything()
        {
            put_back(inner, name.clone(), Levels { first: (later, stamp), second: None }, false);
        }
        Some(Message::Level(event, name, figures))
    }
}

fn put_back(inner: &mut Inner, name: Name, levels: Levels, front: bool) {
    inner.bytes += level_cost(&name);
    let item = Item::Level(name.clone());
    if front {
        inner.items.push_front(item)
    } else {
        inner.items.push_back(item)
    }
    inner.levels.get_or_insert_default().insert(name, levels);
}

fn level_cost(resource: &Name) -> usize {
    MESSAGE_COST_BYTES + resource.as_str().len()
}

fn is_state(message: &Message) -> bool {
    matches!(message, Message::Answer(_, Answered::State(_)))
}

/// What a message costs: names and data, and something for the rest. A whole state is paced by
/// its reader and costs no more than any other.
fn cost(message: &Message) -> usize {
    use crate::machine::Grant;
    let of_grant = |grant: &Grant| match grant {
        Grant::Lock(grant) => grant.resource.as_str().len(),
        Grant::Ticket(grant) => {
            grant.resource.as_str().len()
                + grant.ticket.as_str().len()
                + grant.data.as_bytes().len()
                + grant.issuer.name.as_str().len()
        }
    };
    MESSAGE_COST_BYTES
        + match message {
            Message::Answer(_, Answered::Reply(Ok(Reply::Granted { grant, .. })))
            | Message::Event(Event::Granted { grant, .. }) => of_grant(grant),
            Message::Answer(_, Answered::Bad(why) | Answered::TooLarge(why)) => why.len(),
            Message::Event(Event::TicketUpdated { resource, ticket, data, .. }) => {
                resource.as_str().len() + ticket.as_str().len() + data.as_bytes().len()
            }
            Message::Event(
                Event::TicketClaimed { resource, ticket, claimant: who, .. }
                | Event::TicketReleased { resource, ticket, claimant: who, .. }
                | Event::TicketTaken { resource, ticket, by: who, .. },
            ) => resource.as_str().len() + ticket.as_str().len() + who.as_str().len(),
            Message::Event(Event::TicketRevoked { resource, ticket, .. }) => {
                resource.as_str().len() + ticket.as_str().len()
            }
            Message::Event(
                Event::WaitEnded { resource, .. }
                | Event::LockWanted { resource, .. }
                | Event::LockLost { resource, .. },
            )
            | Message::Level(_, resource, _) => resource.as_str().len(),
            Message::Event(_) | Message::Answer(..) | Message::GoingAway(_) => 0,
        }
}
