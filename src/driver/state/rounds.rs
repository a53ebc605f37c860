//! Tables that are walked through when something may have changed: in slices, and not more often
//! than so many ms apart. So what changes costs nothing but a mark, however many look.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::deadlines::At;

/// When a table is walked through, and how far that has come.
#[derive(Debug)]
pub(super) struct Rounds<K> {
    /// Between the end of one round and the beginning of the next, in ms.
    every_ms: u64,
    /// Something may have changed since the last round began.
    is_wanted: bool,
    /// A round is under way; behind which entry it goes on.
    under_way: Option<Option<K>>,
    /// No round begins before.
    not_before: At,
}

impl<K: Ord + Clone> Rounds<K> {
    pub(super) fn new(every_ms: u64) -> Self {
        Self { every_ms, is_wanted: false, under_way: None, not_before: At::default() }
    }

    /// Something may have changed.
    #[inline]
    pub(super) fn want(&mut self) {
        self.is_wanted = true;
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> Option<At> {
        if self.under_way.is_some() {
            return Some(At::default());
        }
        self.is_wanted.then_some(self.not_before)
    }

    /// The keys of the next slice of a table, if it is time for one.
    pub(super) fn slice<V>(&mut self, table: &BTreeMap<K, V>, most: usize, now: At) -> Vec<K> {
        if self.next().is_none_or(|at| at > now) {
            return Vec::new();
        }
        let behind = match self.under_way.take() {
            Some(behind) => behind,
            None => {
                self.is_wanted = false;
                None
            }
        };
        let from = behind.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let rest = table.range((from, Bound::Unbounded));
        let slice: Vec<K> = rest.take(most).map(|(key, _)| key.clone()).collect();
        match slice.last() {
            Some(last) if slice.len() == most => self.under_way = Some(Some(last.clone())),
            _ => self.not_before = now.after_ms(self.every_ms),
        }
        slice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_sees_each_entry_once_and_the_next_is_later() {
        let at = |ms| At::default().after_ms(ms);
        let table: BTreeMap<u32, ()> = (0..25).map(|key| (key, ())).collect();
        let mut rounds = Rounds::new(1000);
        assert_eq!(rounds.next(), None);
        rounds.want();
        let mut seen = Vec::new();
        for ms in [5, 6, 7] {
            assert!(rounds.next().unwrap() <= at(ms));
            seen.extend(rounds.slice(&table, 10, at(ms)));
            rounds.want();
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
        assert_eq!(rounds.next(), Some(at(1007)), "something changed meanwhile");
        assert!(rounds.slice(&table, 10, at(1006)).is_empty());
        assert_eq!(rounds.slice(&table, 10, at(1007)).len(), 10);
    }
}
