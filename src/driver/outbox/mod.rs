//! What is to be told to a socket, in order, and not before it is durable. Bounded: a socket that
//! does not read is ended, never waited for, and nothing is dropped without its being ended.

pub(in crate::driver) mod bounds;
pub(in crate::driver) mod coalesce;
mod contents;
pub(in crate::driver) mod latest;
pub(in crate::driver) mod looked;
pub(in crate::driver) mod message;
pub(in crate::driver) mod stream;
pub(in crate::driver) mod watched;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::machine::{Name, Sought, WaitId};

use crate::driver::commit::watermark::{LogPosition, Watermark};
use crate::driver::mode::Unavailable;

use bounds::MESSAGE_COST_BYTES;
use coalesce::{Change, CoalescedChanges};
use contents::{Contents, Item, change_cost};
pub use contents::{OUTBOX_BYTES_MAX, OUTBOX_MESSAGES_MAX};
use latest::Latest;
use message::{Answered, Ending, Message, cost, is_paced};

/// A socket's outbox. Filled under the driver's lock, emptied by the socket's task.
#[derive(Debug)]
pub struct Outbox {
    inner: Mutex<Contents>,
    filled: Notify,
    emptied: Notify,
    watermark: Arc<Watermark>,
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
    When(LogPosition),
    Nothing,
}

impl Outbox {
    pub(in crate::driver) fn new(watermark: Arc<Watermark>) -> Self {
        let inner = Mutex::new(Contents::default());
        Self { inner, filled: Notify::new(), emptied: Notify::new(), watermark }
    }

    fn inner(&self) -> MutexGuard<'_, Contents> {
        match self.inner.lock() {
            Ok(inner) => inner,
            Err(_) => std::process::abort(),
        }
    }

    /// Tells at once what says nothing about the state: it goes before what is not durable yet.
    pub(in crate::driver) fn push_first(&self, message: Message) {
        let mut inner = self.inner();
        if !inner.ended {
            inner.bytes += cost(&message);
            inner.first.push_back(message);
            self.check_room(inner);
            self.filled.notify_one();
        }
    }

    /// Answers to heartbeats that are stuck behind what is not durable yet. They say nothing about
    /// the state, so that they need not wait for it.
    #[must_use]
    pub fn stuck_beats(&self) -> Vec<Message> {
        let inner = self.inner();
        let first = inner.items.front().map(|item| inner.position(item));
        let is_stuck = first.is_some_and(|position| !self.watermark.has(position));
        if !is_stuck {
            return Vec::new();
        }
        drop(inner);
        self.take_beats()
    }

    /// Answers to heartbeats, out of turn.
    #[must_use]
    pub fn take_beats(&self) -> Vec<Message> {
        let mut inner = self.inner();
        let was_full = !inner.has_room();
        let is_beat =
            |item: &Item| matches!(item, Item::Message(Message::Answer(_, Answered::Beat(_)), ..));
        let (beats, rest): (VecDeque<Item>, _) = inner.items.drain(..).partition(is_beat);
        inner.items = rest;
        let mut stuck = Vec::new();
        for beat in beats {
            if let Item::Message(message, _, cost) = beat {
                inner.bytes -= cost;
                stuck.push(message);
            }
        }
        if was_full {
            self.emptied.notify_one();
        }
        stuck
    }

    /// Nothing more will become durable: requests that wait for it are told so, what else waits is
    /// void, and the server goes away.
    pub(in crate::driver) fn fail(&self) {
        let mut inner = self.inner();
        if inner.has_failed || inner.cut.is_some() {
            return;
        }
        (inner.ended, inner.has_failed) = (true, true);
        inner.changes.clear();
        inner.moves.clear();
        let unavailable = || Answered::Unavailable(Unavailable::Failed);
        let mut ending = Ending::GoingAway;
        for item in std::mem::take(&mut inner.items) {
            match item {
                Item::Message(message, position, _) if self.watermark.has(position) => {
                    inner.first.push_back(message);
                }
                Item::Message(Message::Answer(id, _), ..) => {
                    inner.first.push_back(Message::Answer(id, unavailable()));
                }
                Item::End(watermark, position) if self.watermark.has(position) => {
                    ending = watermark
                }
                Item::Message(..) | Item::Change(_) | Item::Moved(_) | Item::End(..) => {}
            }
        }
        if ending == Ending::GoingAway {
            inner.first.push_back(Message::GoingAway(0));
        }
        inner.items.push_back(Item::End(ending, LogPosition::default()));
        drop(inner);
        self.filled.notify_one();
    }

    pub(in crate::driver) fn push(&self, message: Message, position: LogPosition) {
        let mut inner = self.inner();
        if inner.ended {
            return;
        }
        let cost = cost(&message);
        inner.paced += usize::from(is_paced(&message));
        inner.bytes += cost;
        inner.items.push_back(Item::Message(message, position, cost));
        self.check_room(inner);
    }

    /// Tells of a watched resource; what was not told yet of it is overtaken.
    pub(in crate::driver) fn push_change(
        &self,
        resource: &Name,
        change: Change,
        position: LogPosition,
    ) {
        let mut inner = self.inner();
        if inner.ended {
            return;
        }
        if let Some(changes) = inner.changes.get_mut(resource) {
            let before = changes.cost();
            changes.overtake(change, position, &self.watermark);
            let after = changes.cost();
            inner.bytes = inner.bytes - before + after;
            if inner.bytes > OUTBOX_BYTES_MAX {
                self.cut_inner(inner, Ending::TooSlow);
            }
            return;
        }
        if !change.says_anything() {
            return;
        }
        let changes = CoalescedChanges::new(change, position);
        inner.bytes += change_cost(resource, &changes);
        inner.changes.insert(resource.clone(), changes);
        inner.items.push_back(Item::Change(resource.clone()));
        self.check_room(inner);
    }

    /// Tells that a wait has another position; what was not told yet of it is overtaken.
    pub(in crate::driver) fn push_moved(
        &self,
        wait: WaitId,
        place: (Sought, u32),
        position: LogPosition,
    ) {
        let mut inner = self.inner();
        if inner.ended {
            return;
        }
        if let Some(moved) = inner.moves.get_mut(&wait) {
            moved.overtake(place, position, &self.watermark);
            return;
        }
        inner.moves.insert(wait, Latest::new(place, position));
        inner.bytes += MESSAGE_COST_BYTES;
        inner.items.push_back(Item::Moved(wait));
        self.check_room(inner);
    }

    /// A wait has ended: where it had moved to is of no interest any more.
    pub(in crate::driver) fn drop_moved(&self, wait: WaitId) {
        let mut inner = self.inner();
        if inner.moves.remove(&wait).is_some() {
            inner.bytes -= MESSAGE_COST_BYTES;
            inner.items.retain(|item| !matches!(item, Item::Moved(moved) if *moved == wait));
        }
    }

    /// Whatever was to be told of a resource is no longer wanted.
    pub(in crate::driver) fn drop_change(&self, resource: &Name) {
        let mut inner = self.inner();
        if let Some(changes) = inner.changes.remove(resource) {
            inner.bytes -= change_cost(resource, &changes);
            inner.items.retain(|item| !matches!(item, Item::Change(name) if name == resource));
        }
    }

    /// The socket is to be closed when what is in here has been sent.
    pub(in crate::driver) fn end(&self, ending: Ending, position: LogPosition) {
        let mut inner = self.inner();
        if !inner.ended {
            inner.ended = true;
            inner.items.push_back(Item::End(ending, position));
            drop(inner);
            self.filled.notify_one();
        }
    }

    /// The socket is to be closed at once; what is in here is void.
    pub(in crate::driver) fn cut(&self, ending: Ending) {
        self.cut_inner(self.inner(), ending);
    }

    fn cut_inner(&self, mut inner: MutexGuard<'_, Contents>, ending: Ending) {
        let ended = std::mem::replace(&mut *inner, Contents { ended: true, ..Contents::default() });
        inner.cut = ended.cut.or(Some(ending));
        drop(inner);
        self.filled.notify_one();
        self.emptied.notify_one();
        drop(ended);
    }

    fn check_room(&self, inner: MutexGuard<'_, Contents>) {
        if inner.items.len() + inner.first.len() > OUTBOX_MESSAGES_MAX
            || inner.bytes > OUTBOX_BYTES_MAX
        {
            self.cut_inner(inner, Ending::TooSlow);
        } else if inner.items.len() == 1 {
            // Behind others it changes nothing: the writer sleeps only when there is nothing, or
            // for the first to become durable.
            drop(inner);
            self.filled.notify_one();
        }
    }

    /// Whether the socket may be read from.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.inner().has_room()
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
                Ready::When(position) => tokio::select! {
                    reached = self.watermark.reached(position) => if reached.is_err() {
                        self.fail();
                    },
                    () = self.filled.notified() => {}
                },
                Ready::Nothing => self.filled.notified().await,
            }
        }
    }

    /// Waits until everything in here is void.
    pub async fn was_cut(&self) -> Ending {
        loop {
            if let Some(ending) = self.inner().cut {
                return ending;
            }
            self.filled.notified().await;
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
            if let Some(message) = inner.first.pop_front() {
                let was_full = !inner.has_room();
                inner.bytes = inner.bytes.saturating_sub(cost(&message));
                inner.paced -= usize::from(is_paced(&message));
                if was_full {
                    self.emptied.notify_one();
                }
                return Ready::Now(Next::Message(message));
            }
            let Some(item) = inner.items.front() else {
                inner.items = VecDeque::new();
                return Ready::Nothing;
            };
            let position = inner.position(item);
            if !self.watermark.has(position) {
                return Ready::When(position);
            }
            let was_full = !inner.has_room();
            match inner.items.pop_front() {
                Some(Item::End(ending, _)) => {
                    inner.cut = Some(ending);
                    return Ready::Now(Next::End(ending));
                }
                Some(Item::Message(message, _, cost)) => {
                    inner.bytes -= cost;
                    inner.paced -= usize::from(is_paced(&message));
                    if was_full {
                        self.emptied.notify_one();
                    }
                    return Ready::Now(Next::Message(message));
                }
                Some(item @ (Item::Change(_) | Item::Moved(_))) => {
                    let message = match item {
                        Item::Change(name) => inner.take_change(name, &self.watermark),
                        Item::Moved(wait) => inner.take_moved(wait, &self.watermark),
                        Item::Message(..) | Item::End(..) => None,
                    };
                    if was_full {
                        self.emptied.notify_one();
                    }
                    if let Some(message) = message {
                        return Ready::Now(Next::Message(message));
                    }
                }
                None => return Ready::Nothing,
            }
        }
    }
}
