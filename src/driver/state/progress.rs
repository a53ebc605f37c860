//! Sockets that want to be told how their waits move. A wait that leaves costs a mark; where those
//! stand that asked is worked out when they are told, which is once a second at most.

use std::collections::BTreeMap;

use crate::deadlines::At;
use crate::machine::{SessionId, WaitId};

use super::rounds::Rounds;

/// How long it takes at least until a wait is told again, in ms.
const EVERY_MS: u64 = 1000;
/// Most waits that one visit looks at.
pub(super) const PROGRESS_SLICE: usize = 500;

/// A wait by socket.
type FollowedWait = (SessionId, WaitId);

/// Waits whose sockets want to be told, and the position that each was told last.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) told: BTreeMap<FollowedWait, u32>,
    pub(super) rounds: Rounds<FollowedWait>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { told: BTreeMap::new(), rounds: Rounds::new(EVERY_MS) }
    }
}

impl Progress {
    /// A socket wants to be told of a wait, whose position it knows.
    pub(super) fn follow(&mut self, session: SessionId, wait: WaitId, position: u32) {
        self.told.insert((session, wait), position);
    }

    /// Somebody may have left a queue.
    #[inline]
    pub(super) fn moved(&mut self) {
        if !self.told.is_empty() {
            self.rounds.want();
        }
    }

    /// A wait by socket has ended; whether it was to be told of.
    pub(super) fn ended(&mut self, session: SessionId, wait: WaitId) -> bool {
        self.told.remove(&(session, wait)).is_some()
    }

    pub(super) fn session_ended(&mut self, session: SessionId) {
        let all = (session, WaitId(0))..=(session, WaitId(u64::MAX));
        let waits: Vec<FollowedWait> = self.told.range(all).map(|(&place, _)| place).collect();
        for place in waits {
            self.told.remove(&place);
        }
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> Option<At> {
        self.rounds.next()
    }

    /// The waits that are told of, in order.
    #[cfg(debug_assertions)]
    pub(super) fn places(&self) -> impl Iterator<Item = FollowedWait> {
        self.told.keys().copied()
    }
}
