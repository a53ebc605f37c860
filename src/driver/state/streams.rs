//! Those who follow how a resource stands without a session: they are told the latest, a little
//! after it has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::deadlines::At;
use crate::driver::outbox::stream::{StreamCell, WatchedState};
use crate::machine::Name;

use super::rounds::Rounds;

/// Most streams.
pub(super) const STREAMS_MAX: usize = 1000;
/// How long it takes at least until a resource is looked at again, in ms.
const EVERY_MS: u64 = 10;
/// Most resources that one visit looks at.
pub(super) const STREAMS_SLICE: usize = 100;

/// A resource that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    /// As it was told last.
    pub(super) state: WatchedState,
    pub(super) by: Vec<Arc<StreamCell>>,
}

/// All streams, by what they follow.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) resources: BTreeMap<Name, Followed>,
    pub(super) count: usize,
    pub(super) rounds: Rounds<Name>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { resources: BTreeMap::new(), count: 0, rounds: Rounds::new(EVERY_MS) }
    }
}

impl Streams {
    /// Something has changed somewhere.
    #[inline]
    pub(super) fn changed(&mut self) {
        if self.count > 0 {
            self.rounds.want();
        }
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> Option<At> {
        self.rounds.next()
    }

    /// There is no more to come for anybody.
    pub(super) fn end(&mut self) {
        for cell in self.resources.values().flat_map(|followed| &followed.by) {
            cell.end();
        }
        self.resources.clear();
        self.count = 0;
    }
}
