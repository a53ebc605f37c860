//! What few rows have, and what those that lack it do not pay for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::keys::TicketKey;
use super::list::List;
use super::names::{Data, DelayId, Note, PRIORITY_MAX, SessionName};

/// Priorities above 0.
const URGENT: usize = PRIORITY_MAX as usize;

/// What few resources have.
#[derive(Clone, Debug, Default)]
pub(super) struct ResourceExtra {
    /// Free tickets by priority, from 1 up, each in the order in which they go.
    pub(super) urgent: [List; URGENT],
    /// Free tickets whose priority changed while they were free: they keep their places, which are
    /// not at the end of any list.
    pub(super) moved: BTreeSet<(Reverse<u8>, u64, TicketKey)>,
    /// Tickets that are free only later.
    pub(super) delayed: u32,
    /// Tickets that go to nobody any more, in the order in which they died.
    pub(super) dead: List,
    /// All tickets by their numbers, once one came that stays.
    pub(super) by_age: Option<BTreeMap<u64, TicketKey>>,
    pub(super) pause: Pause,
}

/// How a resource stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pause {
    /// It does not.
    #[default]
    None,
    /// Nothing of it is newly granted.
    Paused,
    /// Its pause has ended, and those who wait are served before others.
    Serving,
}

impl ResourceExtra {
    /// Free tickets beyond those of priority 0 that never changed it.
    pub(super) fn free(&self) -> u32 {
        let moved = u32::try_from(self.moved.len()).unwrap_or(u32::MAX);
        self.urgent.iter().map(|list| list.count()).sum::<u32>() + moved
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pause == Pause::Paused
    }

    pub(super) fn is_open(&self) -> bool {
        self.pause == Pause::None
    }
}

/// What few holds have.
#[derive(Clone, Debug, Default)]
pub(super) struct HoldExtra {
    /// What the holder of a lock makes known.
    pub(super) data: Option<Data>,
    /// How long it lasts, in ms, if it ends by itself: in time, or because it was lost.
    pub(super) hold_ms: Option<u32>,
    /// Who had it, if it was lost.
    pub(super) lost_by: Option<SessionName>,
}

/// What few tickets have.
#[derive(Clone, Debug, Default)]
pub(super) struct TicketExtra {
    /// Who issued it, if that session is gone.
    pub(super) issued_by: Option<SessionName>,
    /// After so many counted attempts it is dead.
    pub(super) attempts: Option<u16>,
    /// How long claims last that do not say so, in ms.
    pub(super) hold_ms: Option<u32>,
    /// What was said of it when it was given back last.
    pub(super) note: Option<Note>,
    /// Its delay, if it is delayed.
    pub(super) delay: Option<Delay>,
}

impl TicketExtra {
    /// Whether it says anything.
    pub(super) fn is_something(&self) -> bool {
        self.issued_by.is_some()
            || self.attempts.is_some()
            || self.hold_ms.is_some()
            || self.note.is_some()
            || self.delay.is_some()
    }
}

/// A delay under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delay {
    pub(super) id: DelayId,
    /// How long it lasts, in ms.
    pub(super) ms: u32,
    /// When it ends, in ms since 1970.
    pub(super) until_ms: u64,
}
