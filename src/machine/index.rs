//! Finds a row by what it bears, and does nothing else: an index cannot be iterated, so that the
//! hash's order, which differs from process to process, never shows in an answer.
//!
//! What is looked for stands in the rows only; the index has a part of its hash beside each row's
//! key. It is cut into shards by other bits of the hash: one that is full moves house alone, so
//! that no insert moves more than a 256th of the entries.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// Parts that grow each by itself. Empty ones take 8 KiB together.
const SHARDS: usize = 256;

#[derive(Clone, Copy, Debug)]
struct Indexed {
    hash: u32,
    row: u32,
}

/// Rows of one table. The hash is keyed at random: names come from strangers.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// None before the first row comes.
    shards: Vec<HashTable<Indexed>>,
    len: usize,
    state: RandomState,
}

/// The table takes its bits from both ends of what it is given; the shard is chosen by those
/// between.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

fn shard(hash: u32) -> usize {
    (hash >> 17) as usize % SHARDS
}

impl Index {
    fn hash(&self, what: impl Hash) -> u32 {
        let [a, b, c, d, ..] = self.state.hash_one(what).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// The row that bears `what`; `is` says whether one does.
    #[inline]
    pub(super) fn get(&self, what: impl Hash, is: impl Fn(u32) -> bool) -> Option<u32> {
        if self.len == 0 {
            return None;
        }
        let hash = self.hash(what);
        let is_it = |entry: &Indexed| entry.hash == hash && is(entry.row);
        self.shards[shard(hash)].find(spread(hash), is_it).map(|entry| entry.row)
    }

    /// Enters a row. No other may bear the same.
    pub(super) fn insert(&mut self, what: impl Hash, row: u32) {
        if self.shards.is_empty() {
            self.shards.resize_with(SHARDS, HashTable::new);
        }
        let hash = self.hash(what);
        let shard = &mut self.shards[shard(hash)];
        shard.insert_unique(spread(hash), Indexed { hash, row }, |entry| spread(entry.hash));
        self.len += 1;
    }

    /// Takes out a row, which must be there.
    pub(super) fn remove(&mut self, what: impl Hash, row: u32) {
        assert!(self.len > 0, "a row was taken out of an empty index");
        let hash = self.hash(what);
        let shard = &mut self.shards[shard(hash)];
        let Ok(found) = shard.find_entry(spread(hash), |entry| entry.row == row) else {
            panic!("a row was not in its index, or not by what it bears");
        };
        found.remove();
        self.len -= 1;
        if shard.len() * 8 < shard.capacity() {
            shard.shrink_to(shard.len() * 2, |entry| spread(entry.hash));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a row bears: every two share a word.
    fn what(row: u32) -> (bool, String) {
        (row.is_multiple_of(2), format!("word {}", row / 2))
    }

    fn find(index: &Index, row: u32) -> Option<u32> {
        index.get(what(row), |found| what(found) == what(row))
    }

    #[test]
    fn rows_are_found_by_what_they_bear_while_they_come_and_go() {
        const ROWS: u32 = 20_000;
        let mut index = Index::default();
        for row in 0..ROWS {
            assert_eq!(find(&index, row), None);
            index.insert(what(row), row);
        }
        let stays = |row: u32| row.is_multiple_of(10);
        for row in (0..ROWS).filter(|&row| !stays(row)) {
            index.remove(what(row), row);
        }
        assert_eq!(index.len(), ROWS as usize / 10);
        for row in 0..ROWS {
            assert_eq!(find(&index, row), stays(row).then_some(row));
        }
        let room: usize = index.shards.iter().map(HashTable::capacity).sum();
        assert!(room < 8 * index.len() + 4 * SHARDS, "an index gives back what it grew to");
    }
}
