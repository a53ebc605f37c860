//! What one visit could not finish, and what one visit may end.

use std::collections::VecDeque;

use crate::machine::SessionId;

/// What one visit could not finish.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Sessions whose holds are yet to pass on, in the order in which they fell due.
    pub(super) condemned: VecDeque<SessionId>,
    /// There is more that is due.
    pub(super) more_due: bool,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.condemned.is_empty() && !self.more_due
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
}
