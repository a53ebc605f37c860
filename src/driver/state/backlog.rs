//! What one visit could not finish, and what one visit may end.

use std::collections::{BTreeSet, VecDeque};

use crate::machine::{DelayId, Fence, Name, SessionId};

use super::due::Due;

/// What one visit could not finish, each in the order in which it fell due.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Sessions whose holds are yet to pass on.
    pub(super) condemned: VecDeque<SessionId>,
    /// Claims whose time is up.
    pub(super) claims: VecDeque<Fence>,
    /// Lost holds that have stayed for long enough.
    pub(super) lost: VecDeque<Fence>,
    /// Delays that are over.
    pub(super) delays: VecDeque<DelayId>,
    /// Waits whose time is up.
    pub(super) waits: VecDeque<Due>,
    /// There is more that is due.
    pub(super) more_due: bool,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        let Self { condemned, claims, lost, delays, waits, more_due } = self;
        let are_empty = claims.is_empty() && lost.is_empty() && delays.is_empty();
        condemned.is_empty() && are_empty && waits.is_empty() && !more_due
    }
}

/// What one visit may end yet.
pub(super) struct Room {
    pub(super) ends: usize,
    pub(super) weight: usize,
}

impl Room {
    pub(super) fn is_left(&self) -> bool {
        self.ends > 0 && self.weight > 0
    }

    /// Something ends that weighs so much. The last one of a visit may be heavier than is left.
    pub(super) fn take(&mut self, weight: usize) {
        self.ends -= 1;
        self.weight = self.weight.saturating_sub(weight);
    }

    /// As many of these as there is room for, but for those that are not `wanted` any more.
    pub(super) fn fill<T>(
        &mut self,
        from: &mut VecDeque<T>,
        wanted: impl Fn(&T) -> bool,
    ) -> Vec<T> {
        let mut taken = Vec::new();
        while self.is_left()
            && let Some(next) = from.pop_front()
        {
            if wanted(&next) {
                self.take(1);
                taken.push(next);
            }
        }
        taken
    }
}

/// Resources whose pause has ended, and of which more waits are to be granted, each in its turn.
#[derive(Debug, Default)]
pub(super) struct Serving {
    turns: VecDeque<Name>,
    names: BTreeSet<Name>,
}

impl Serving {
    pub(super) fn add(&mut self, resource: Name) {
        if self.names.insert(resource.clone()) {
            self.turns.push_back(resource);
        }
    }

    pub(super) fn next(&mut self) -> Option<Name> {
        let resource = self.turns.pop_front()?;
        self.names.remove(&resource);
        Some(resource)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}
