//! Where a table's rows stand: each at a key that it keeps, and that another gets when it is gone.
//!
//! Rows stand in chunks, so that what has come to stand never moves: a table that grows takes
//! another chunk, and no step copies it.

use std::array;
use std::ops::{Index, IndexMut};

/// Rows of a chunk: few enough to be made ready in no time, and for tables that stay small.
const CHUNK: usize = 64;

#[derive(Clone, Debug)]
enum Cell<T> {
    Taken(T),
    /// The next vacant one, or the first of a chunk that is not there yet.
    Vacant(u32),
}

/// Rows by their keys.
#[derive(Clone, Debug)]
pub(super) struct Arena<T> {
    chunks: Vec<Box<[Cell<T>; CHUNK]>>,
    /// The first vacant one, or the first of a chunk that is not there yet.
    vacant: u32,
    len: usize,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), vacant: 0, len: 0 }
    }
}

#[inline]
const fn split(key: u32) -> (usize, usize) {
    (key as usize / CHUNK, key as usize % CHUNK)
}

impl<T> Arena<T> {
    /// Enters a row; its key fits 32 bits because memory ends long before.
    #[inline]
    pub(super) fn insert(&mut self, row: T) -> u32 {
        let key = self.vacant;
        let (chunk, at) = split(key);
        if chunk == self.chunks.len() {
            self.grow();
        }
        let cell = &mut self.chunks[chunk][at];
        let Cell::Vacant(next) = *cell else { panic!("a taken cell is among the vacant") };
        *cell = Cell::Taken(row);
        self.vacant = next;
        self.len += 1;
        key
    }

    #[cold]
    fn grow(&mut self) {
        let end = self.end();
        assert!(self.vacant == end, "a table grows that has room");
        let mut next = end;
        self.chunks.push(Box::new(array::from_fn(|_| {
            next += 1;
            Cell::Vacant(next)
        })));
    }

    /// Takes out a row, which must be there.
    #[inline]
    pub(super) fn remove(&mut self, key: u32) -> T {
        let (chunk, at) = split(key);
        let vacant = Cell::Vacant(self.vacant);
        let Cell::Taken(row) = std::mem::replace(&mut self.chunks[chunk][at], vacant) else {
            panic!("a row was removed twice");
        };
        self.vacant = key;
        self.len -= 1;
        row
    }

    #[inline]
    pub(super) fn get(&self, key: u32) -> Option<&T> {
        let (chunk, at) = split(key);
        match &self.chunks.get(chunk)?[at] {
            Cell::Taken(row) => Some(row),
            Cell::Vacant(_) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Greater than all keys there are.
    pub(super) fn end(&self) -> u32 {
        let Ok(end) = u32::try_from(self.chunks.len() * CHUNK) else { panic!("a table is full") };
        end
    }

    /// All rows in the order of their keys, which means nothing.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let cells = (0..).zip(self.chunks.iter().flat_map(|chunk| chunk.iter()));
        cells.filter_map(|(key, cell)| match cell {
            Cell::Taken(row) => Some((key, row)),
            Cell::Vacant(_) => None,
        })
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        let cells = (0..).zip(self.chunks.iter_mut().flat_map(|chunk| chunk.iter_mut()));
        cells.filter_map(|(key, cell)| match cell {
            Cell::Taken(row) => Some((key, row)),
            Cell::Vacant(_) => None,
        })
    }
}

impl<T> Index<u32> for Arena<T> {
    type Output = T;

    #[inline]
    fn index(&self, key: u32) -> &T {
        let (chunk, at) = split(key);
        match &self.chunks[chunk][at] {
            Cell::Taken(row) => row,
            Cell::Vacant(_) => panic!("a key leads to no row"),
        }
    }
}

impl<T> IndexMut<u32> for Arena<T> {
    #[inline]
    fn index_mut(&mut self, key: u32) -> &mut T {
        let (chunk, at) = split(key);
        match &mut self.chunks[chunk][at] {
            Cell::Taken(row) => row,
            Cell::Vacant(_) => panic!("a key leads to no row"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_keys_and_vacant_places_are_taken_first() {
        let mut arena = Arena::default();
        let many = u32::try_from(3 * CHUNK).unwrap();
        let keys: Vec<u32> = (0..many).map(|n| arena.insert(n)).collect();
        assert_eq!((arena.len(), arena.end()), (3 * CHUNK, many));
        for &key in keys.iter().filter(|key| key.is_multiple_of(3)) {
            assert_eq!(arena.remove(key), key);
        }
        assert!(arena.iter().all(|(key, &row)| key == row && !key.is_multiple_of(3)));
        assert_eq!((arena.get(3), arena.get(4), arena.get(many)), (None, Some(&4), None));
        let taken: Vec<u32> = (0..many / 3).map(|_| arena.insert(7)).collect();
        assert!(taken.iter().all(|key| key.is_multiple_of(3)) && arena.end() == many);
        arena.iter_mut().for_each(|(_, row)| *row += 1);
        assert_eq!((arena[taken[0]], arena[4], arena.insert(9)), (8, 5, many));
    }
}
