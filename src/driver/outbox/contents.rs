//! What is in an outbox: messages in order, and what of which only the latest is told.

use std::collections::{BTreeMap, VecDeque};

use crate::driver::commit::watermark::{LogPosition, Watermark};
use crate::machine::{Name, Sought, WaitId};

use super::bounds::MESSAGE_COST_BYTES;
use super::coalesce::CoalescedChanges;
use super::latest::Latest;
use super::message::{Ending, Message};

/// Most messages that wait for a socket to read.
pub const OUTBOX_MESSAGES_MAX: usize = 1024;
/// Most that they may cost together: names, data and [`MESSAGE_COST_BYTES`] each.
pub const OUTBOX_BYTES_MAX: usize = 256 * 1024;
/// Most messages paced by their reader that wait for a socket to read: each may be large.
const PACED_MAX: usize = 2;
/// A socket is not read from while more than this part of its outbox is full.
const READING_PART: usize = 2;

/// What waits to be sent, in order.
#[derive(Debug)]
pub(super) enum Item {
    /// As it is, with its cost.
    Message(Message, LogPosition, usize),
    /// Look it up in the changes.
    Change(Name),
    /// Look it up in the moves.
    Moved(WaitId),
    /// The end.
    End(Ending, LogPosition),
}

/// What is in an outbox.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// What goes before all else.
    pub(super) first: VecDeque<Message>,
    pub(super) items: VecDeque<Item>,
    pub(super) bytes: usize,
    pub(super) changes: BTreeMap<Name, CoalescedChanges>,
    /// Where waits have moved to.
    pub(super) moves: BTreeMap<WaitId, Latest<(Sought, u32)>>,
    /// Messages paced by their reader that wait.
    pub(super) paced: usize,
    /// Nothing more goes in.
    pub(super) ended: bool,
    /// Nothing more will become durable, and that is said in here.
    pub(super) has_failed: bool,
    /// Everything left is void: end at once.
    pub(super) cut: Option<Ending>,
}

impl Contents {
    /// From which position on an item may leave.
    pub(super) fn position(&self, item: &Item) -> LogPosition {
        match item {
            Item::Message(_, position, _) | Item::End(_, position) => *position,
            Item::Change(name) => match self.changes.get(name) {
                Some(changes) => changes.position(),
                None => panic!("no such change"),
            },
            Item::Moved(wait) => match self.moves.get(wait) {
                Some(moved) => moved.position(),
                None => panic!("no such move"),
            },
        }
    }

    /// Whether the socket may be read from.
    pub(super) fn has_room(&self) -> bool {
        self.paced < PACED_MAX
            && self.items.len() + self.first.len() <= OUTBOX_MESSAGES_MAX / READING_PART
            && self.bytes <= OUTBOX_BYTES_MAX / READING_PART
    }

    /// The next event about a resource; what more there is to say of it goes back in.
    pub(super) fn take_change(&mut self, name: Name, watermark: &Watermark) -> Option<Message> {
        let changes = self.changes.remove(&name)?;
        self.bytes -= change_cost(&name, &changes);
        let (event, more) = changes.take(watermark);
        if let Some((changes, now)) = more {
            self.bytes += change_cost(&name, &changes);
            let item = Item::Change(name.clone());
            if now {
                self.items.push_front(item)
            } else {
                self.items.push_back(item)
            }
            self.changes.insert(name.clone(), changes);
        }
        event.map(|(event, figures, holders)| Message::Change(event, name, figures, holders))
    }

    /// Where a wait has moved to; what more there is to say of it goes back in.
    pub(super) fn take_moved(&mut self, wait: WaitId, watermark: &Watermark) -> Option<Message> {
        let ((sought, position), later) = self.moves.remove(&wait)?.take(watermark);
        match later {
            Some(later) => {
                self.moves.insert(wait, later);
                self.items.push_back(Item::Moved(wait));
            }
            None => self.bytes -= MESSAGE_COST_BYTES,
        }
        Some(Message::WaitMoved { wait, sought, position })
    }
}

/// What a change costs while it waits.
pub(super) fn change_cost(resource: &Name, changes: &CoalescedChanges) -> usize {
    MESSAGE_COST_BYTES + resource.as_str().len() + changes.cost()
}
