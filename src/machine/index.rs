//! A table for looking things up by key, and for nothing else: it cannot be iterated, so that the
//! hash's order, which differs from process to process, never shows in an answer.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Keys to values. The hash is keyed at random: names come from strangers.
#[derive(Clone, Debug)]
pub(super) struct Index<K, V>(HashMap<K, V>);

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq, V: Copy> Index<K, V> {
    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key).copied()
    }

    /// Enters a key that must be new.
    pub(super) fn insert(&mut self, key: K, value: V) {
        assert!(self.0.insert(key, value).is_none(), "a key was entered twice");
    }

    /// Takes out a key that must be there.
    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> V
    where
        K: Borrow<Q>,
    {
        let Some(value) = self.0.remove(key) else { panic!("a key was removed twice") };
        if self.0.len() * 8 < self.0.capacity() {
            self.0.shrink_to(self.0.len() * 2);
        }
        value
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
