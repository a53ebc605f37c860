//! Who holds what is watched.

use std::sync::Arc;

use crate::deadlines::At;
use crate::driver::outbox::looked::{Lefts, Looked};
use crate::driver::outbox::stream::WatchedState;
use crate::driver::outbox::watched::{WatchedHolders, size};
use crate::machine::{Fence, Figures, Kind, Machine, Name, WatchState};

use super::State;

/// Most holders of a watched lock that are told.
const HOLDERS_TOLD_MAX: usize = 16;
/// Most bytes that their names and data have together.
const HOLDERS_TOLD_BYTES: usize = 16 << 10;
/// Most watches whose holders one visit looks at.
pub(in crate::driver) const HOLDERS_OF_WATCHES_MAX: usize = 64;

/// Who holds a watched resource, as far as that is told: of a lock, of what was one before it was
/// emptied, and of what was nothing yet.
pub(in crate::driver) fn watched_holders(
    machine: &Machine,
    resource: &Name,
    figures: &Figures,
) -> Option<Arc<WatchedHolders>> {
    match figures.kind {
        Some(Kind::Tickets) => return None,
        Some(Kind::Lock) => {}
        None => {
            let was_lock = machine.resource_head(resource.as_str()).is_none_or(|it| it.is_lock);
            return was_lock.then(Arc::default);
        }
    }
    let mut told = WatchedHolders {
        holders: machine.holders(resource.as_str(), HOLDERS_TOLD_MAX),
        more: figures.held as usize > HOLDERS_TOLD_MAX,
    };
    let mut bytes = 0;
    let fit = told.holders.iter().take_while(|holder| {
        bytes += size(holder);
        bytes <= HOLDERS_TOLD_BYTES
    });
    let fit = fit.count();
    told.more |= fit < told.holders.len();
    told.holders.truncate(fit);
    Some(Arc::new(told))
}

/// Who holds what is watched, for each of some watches.
pub(in crate::driver) fn holders_of_watches(
    machine: &Machine,
    watches: &[WatchState],
) -> Vec<Option<Arc<WatchedHolders>>> {
    let of_one = |watch: &WatchState| {
        // It is of the same moment as what it is told with.
        let figures = machine.figures(watch.resource.as_str());
        watched_holders(machine, &watch.resource, &figures).filter(|_| watch.changes)
    };
    watches.iter().map(of_one).collect()
}

impl State {
    /// How a resource stands, as watchers of each change are told.
    pub(super) fn watched_state(&self, resource: &Name) -> WatchedState {
        let figures = self.machine.figures(resource.as_str());
        let holders = watched_holders(&self.machine, resource, &figures);
        (figures, holders)
    }

    /// What is seen of a resource, with up to `limit` of those who hold it and of those who wait.
    pub(in crate::driver) fn looked(&self, resource: &Name, limit: usize, now: At) -> Looked {
        let view = self.machine.look(resource.as_str(), limit);
        let timed = view.holders.iter().filter(|holder| holder.hold_ms.is_some());
        let lefts = self.lefts(timed.map(|holder| holder.fence), now);
        Looked { resource: resource.clone(), view, lefts }
    }

    /// What is left of a grant that ends by itself, in ms.
    pub(in crate::driver) fn left_ms(&self, fence: Fence, now: At) -> Option<u32> {
        self.timings.left_ms(fence, now)
    }

    /// What is left of those of some grants that end by themselves.
    pub(in crate::driver) fn lefts(
        &self,
        fences: impl IntoIterator<Item = Fence>,
        now: At,
    ) -> Lefts {
        let left = |fence| Some((fence, self.left_ms(fence, now)?));
        fences.into_iter().filter_map(left).collect()
    }
}
