//! Where a table's rows stand: each at a key that it keeps, and that another gets when it is gone.
//!
//! Rows stand in chunks, so that what has come to stand never moves: a table that grows takes
//! another chunk, and no step copies it.

use std::ops::{Index, IndexMut};

/// Rows of a chunk. Only the first one grows by and by, for tables that stay small.
const CHUNK: usize = 1024;

#[derive(Clone, Debug)]
enum Cell<T> {
    Taken(T),
    /// The next vacant one, or one behind the last place.
    Vacant(u32),
}

/// Rows by their keys.
#[derive(Clone, Debug)]
pub(super) struct Arena<T> {
    chunks: Vec<Vec<Cell<T>>>,
    /// Places there are, taken or vacant.
    end: u32,
    /// The first vacant one; `end` when there is none.
    vacant: u32,
    len: usize,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), end: 0, vacant: 0, len: 0 }
    }
}

const fn split(key: u32) -> (usize, usize) {
    (key as usize / CHUNK, key as usize % CHUNK)
}

impl<T> Arena<T> {
    /// Enters a row; its key fits 32 bits because memory ends long before.
    #[inline]
    pub(super) fn insert(&mut self, row: T) -> u32 {
        let key = self.vacant;
        self.len += 1;
        if key == self.end {
            self.append(row);
            return key;
        }
        let (chunk, at) = split(key);
        let place = &mut self.chunks[chunk][at];
        let Cell::Vacant(next) = *place else { panic!("a taken place is among the vacant") };
        *place = Cell::Taken(row);
        self.vacant = next;
        key
    }

    fn append(&mut self, row: T) {
        assert!(self.end < u32::MAX - 1, "a table is full");
        let (chunk, at) = split(self.end);
        if at == 0 {
            let room = if chunk == 0 { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        assert!(self.chunks[chunk].len() == at, "a chunk lacks a place");
        self.chunks[chunk].push(Cell::Taken(row));
        self.end += 1;
        self.vacant = self.end;
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
        match self.chunks.get(chunk)?.get(at)? {
            Cell::Taken(row) => Some(row),
            Cell::Vacant(_) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// One more than the greatest key there ever was.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// All rows in the order of their keys, which means nothing.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let places = (0..).zip(self.chunks.iter().flatten());
        places.filter_map(|(key, place)| match place {
            Cell::Taken(row) => Some((key, row)),
            Cell::Vacant(_) => None,
        })
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        let places = (0..).zip(self.chunks.iter_mut().flatten());
        places.filter_map(|(key, place)| match place {
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
