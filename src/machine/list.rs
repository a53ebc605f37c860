//! Doubly linked lists through the rows of a table: first in, first out, and leaving from the
//! middle costs the same as leaving from an end.

use super::arena::Arena;

const NONE: u32 = u32::MAX;

/// An entry's neighbours in one list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    prev: u32,
    next: u32,
}

impl Default for Link {
    fn default() -> Self {
        Self { prev: NONE, next: NONE }
    }
}

/// A list's ends and length.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
    len: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, len: 0 }
    }
}

/// Which of an entry's links a list runs through.
pub(super) type LinkOf<T> = fn(&mut T) -> &mut Link;

impl List {
    pub(super) fn len(self) -> usize {
        self.len as usize
    }

    pub(super) fn count(self) -> u32 {
        self.len
    }

    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }

    pub(super) fn first(self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// Appends `key`, which must not be in a list through the same link.
    #[inline]
    pub(super) fn push<T>(&mut self, rows: &mut Arena<T>, key: u32, link: LinkOf<T>) {
        assert!(self.tail != key, "an entry came twice into a list");
        *link(&mut rows[key]) = Link { prev: self.tail, next: NONE };
        match self.tail {
            NONE => self.head = key,
            tail => link(&mut rows[tail]).next = key,
        }
        self.tail = key;
        self.len += 1;
    }

    /// Takes out `key`, which must be in this list.
    #[inline]
    pub(super) fn remove<T>(&mut self, rows: &mut Arena<T>, key: u32, link: LinkOf<T>) {
        assert!(self.len > 0, "an entry left an empty list");
        let Link { prev, next } = std::mem::take(link(&mut rows[key]));
        match prev {
            NONE => {
                assert!(self.head == key, "an entry left a list that it was not in");
                self.head = next;
            }
            prev => link(&mut rows[prev]).next = next,
        }
        match next {
            NONE => {
                assert!(self.tail == key, "an entry left a list that it was not in");
                self.tail = prev;
            }
            next => link(&mut rows[next]).prev = prev,
        }
        self.len -= 1;
    }

    /// The keys, first to last.
    pub(super) fn keys<T>(self, rows: &Arena<T>, link: fn(&T) -> &Link) -> Keys<'_, T> {
        Keys { rows, link, next: self.head }
    }
}

/// Iterates over a list's keys.
pub(super) struct Keys<'a, T> {
    rows: &'a Arena<T>,
    link: fn(&T) -> &Link,
    next: u32,
}

impl<T> Iterator for Keys<'_, T> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.next == NONE {
            return None;
        }
        let key = self.next;
        self.next = (self.link)(&self.rows[key]).next;
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_leave_from_anywhere_and_order_stays() {
        let mut rows = Arena::default();
        let mut list = List::default();
        let link: LinkOf<Link> = |l| l;
        let keys: Vec<u32> = (0..5).map(|_| rows.insert(Link::default())).collect();
        for &key in &keys {
            list.push(&mut rows, key, link);
        }
        for gone in [2, 0, 4] {
            list.remove(&mut rows, keys[gone], link);
        }
        assert_eq!(list.keys(&rows, |l| l).collect::<Vec<_>>(), [keys[1], keys[3]]);
        list.push(&mut rows, keys[0], link);
        assert_eq!(list.keys(&rows, |l| l).collect::<Vec<_>>(), [keys[1], keys[3], keys[0]]);
        assert_eq!((list.len(), list.first()), (3, Some(keys[1])));
    }
}
