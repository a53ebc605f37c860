//! Those who follow how a resource stands without a session: they are told the latest, a little
//! after it has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::deadlines::At;
use crate::driver::outbox::stream::{StreamCell, WatchedState};
use crate::machine::Name;

use super::State;
use super::rounds::Rounds;

/// Most streams.
const STREAMS_MAX: usize = 1000;
/// How long it takes at least until a resource is looked at again, in ms.
const EVERY_MS: u64 = 10;
/// Most resources that one visit looks at.
const SLICE: usize = 100;

/// A resource that is followed.
#[derive(Debug)]
struct Followed {
    /// As it was told last.
    state: WatchedState,
    by: Vec<Arc<StreamCell>>,
}

/// All streams, by what they follow.
#[derive(Debug)]
pub(super) struct Streams {
    resources: BTreeMap<Name, Followed>,
    count: usize,
    rounds: Rounds<Name>,
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

impl State {
    /// A stream of a resource's states begins; `None` when there are too many.
    pub(in crate::driver) fn follow(&mut self, resource: &Name) -> Option<Arc<StreamCell>> {
        if self.streams.count >= STREAMS_MAX {
            return None;
        }
        let state = self.watched_state(resource);
        let cell = Arc::new(StreamCell::new(self.watermark.clone()));
        cell.push(state.clone());
        if !self.mode.may_stay() {
            cell.end();
            return Some(cell);
        }
        let fresh = || Followed { state, by: Vec::new() };
        let followed = self.streams.resources.entry(resource.clone()).or_insert_with(fresh);
        followed.by.push(cell.clone());
        self.streams.count += 1;
        Some(cell)
    }

    /// A stream has ended.
    pub(in crate::driver) fn unfollow(&mut self, resource: &Name, cell: &Arc<StreamCell>) {
        let Streams { resources, count, .. } = &mut self.streams;
        if let Some(followed) = resources.get_mut(resource) {
            let before = followed.by.len();
            followed.by.retain(|other| !Arc::ptr_eq(other, cell));
            *count -= before - followed.by.len();
            if followed.by.is_empty() {
                resources.remove(resource);
            }
        }
    }

    /// There is no more to come for any stream.
    pub(in crate::driver) fn end_streams(&mut self) {
        self.streams.end();
    }

    /// Tells streams how their resources stand, as many as one visit may.
    pub(super) fn tell_streams(&mut self, now: At) {
        let Streams { resources, rounds, .. } = &mut self.streams;
        for resource in rounds.slice(resources, SLICE, now) {
            let state = self.watched_state(&resource);
            let Some(followed) = self.streams.resources.get_mut(&resource) else { continue };
            if followed.state != state {
                followed.by.iter().for_each(|cell| cell.push(state.clone()));
                followed.state = state;
            }
        }
    }
}
