//! Who holds a watched lock, as its watchers are told.

use crate::machine::HolderView;

use super::bounds::MESSAGE_COST_BYTES;

/// Who holds a watched lock, as far as that is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchedHolders {
    /// In order of their fences.
    pub holders: Vec<HolderView>,
    /// There are more.
    pub more: bool,
}

impl WatchedHolders {
    /// What it costs while it waits to be read, in bytes.
    pub(in crate::driver) fn cost(&self) -> usize {
        self.holders.iter().map(|holder| MESSAGE_COST_BYTES + size(holder)).sum()
    }
}

/// How many bytes a holder's name and data have.
pub(in crate::driver) fn size(holder: &HolderView) -> usize {
    let data = holder.data.as_ref().map_or(0, |data| data.as_bytes().len());
    holder.party.name().as_str().len() + data
}
