//! What the driver saw, as it is told: sessions by their names and refs.

use crate::driver::{Looked, WatchedHolders};
use crate::wire::look::Look;
use crate::wire::{Holder, Holders};

use super::refs::session_ref;

/// Who holds a lock, as those who watch are told.
pub(crate) fn holders(watched: &WatchedHolders) -> Holders {
    // A watch tells when something changes, and what is left does so all the time.
    let first = watched.holders.iter().map(|view| Holder::new(view, None, session_ref));
    Holders { first: first.collect(), more: watched.more }
}

/// How a resource stands.
pub(crate) fn look(looked: Looked) -> Look {
    let Looked { resource, view, lefts } = looked;
    Look::new(resource, view, |fence| lefts.get(fence), session_ref)
}
