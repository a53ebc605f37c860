//! What is seen of a resource, together with what is left of what runs out.

use std::collections::HashMap;

use crate::machine::{Fence, LookView, Name};

/// What is left of claims that end by themselves and of lost holds, as of one moment, in ms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lefts(HashMap<Fence, u32>);

impl Lefts {
    /// What is left of a grant; `None` when it does not end by itself.
    #[must_use]
    pub fn get(&self, fence: Fence) -> Option<u32> {
        self.0.get(&fence).copied()
    }

    /// Whether nothing ends by itself.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Fence, u32)> for Lefts {
    fn from_iter<I: IntoIterator<Item = (Fence, u32)>>(lefts: I) -> Self {
        Self(lefts.into_iter().collect())
    }
}

/// What is seen of a resource at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Which.
    pub resource: Name,
    /// What is seen.
    pub view: LookView,
    /// What is left of its holders' grants.
    pub lefts: Lefts,
}
