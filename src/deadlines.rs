//! When things run out. Pure: it reads no clock, `now` is always an argument, and it says when to
//! come back instead of being asked again and again.
//!
//! Moving a deadline further away, which is what every heartbeat does, costs two stores: the queue
//! keeps the old entry and looks again when that comes up. So an entry is looked at about once a
//! TTL, however often it is moved.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use slab::Slab;

/// A moment, in µs of the driver's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(u64);

impl At {
    /// The moment that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `micros` µs after the clock's start.
    #[must_use]
    pub fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// This moment in µs after the clock's start.
    #[must_use]
    pub fn as_micros(self) -> u64 {
        self.0
    }

    /// The moment `ms` ms later.
    #[must_use]
    pub fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1000)))
    }

    /// How many µs this is after `earlier`; 0 when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Where an entry stands. Re-used after [`Deadlines::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

#[derive(Debug)]
struct Entry<T> {
    what: T,
    due: At,
    /// The moment under which the queue has it; `NEVER` when it has it not.
    queued: At,
    /// Tells this entry from a former one in the same slot.
    number: u64,
}

/// Deadlines of things `T`.
#[derive(Debug)]
pub struct Deadlines<T> {
    entries: Slab<Entry<T>>,
    queue: BinaryHeap<Reverse<(At, u64, u32)>>,
    next_number: u64,
    /// When what was popped last was due.
    popped: At,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self { entries: Slab::new(), queue: BinaryHeap::new(), next_number: 0, popped: At::default() }
    }
}

impl<T: Copy> Deadlines<T> {
    /// Enters a deadline.
    pub fn insert(&mut self, what: T, due: At) -> Slot {
        let number = self.next_number;
        self.next_number += 1;
        let key = self.entries.insert(Entry { what, due, queued: At::NEVER, number });
        let Ok(key) = u32::try_from(key) else { panic!("too many deadlines") };
        self.enqueue(key);
        Slot(key)
    }

    /// Moves a deadline, later or earlier; to [`At::NEVER`] to suspend it.
    pub fn set(&mut self, slot: Slot, due: At) {
        let entry = &mut self.entries[slot.0 as usize];
        entry.due = due;
        if due < entry.queued {
            self.enqueue(slot.0);
        }
    }

    /// When it is due.
    #[must_use]
    pub fn due(&self, slot: Slot) -> At {
        self.entries[slot.0 as usize].due
    }

    /// Takes a deadline out.
    pub fn remove(&mut self, slot: Slot) {
        self.entries.remove(slot.0 as usize);
        // Whatever the queue still has of it is passed over by its number; not for ever, though.
        if self.queue.len() > 64 && self.queue.len() > 4 * self.entries.len() {
            let entries = &self.entries;
            self.queue.retain(|&Reverse((at, number, key))| {
                let entry = entries.get(key as usize);
                entry.is_some_and(|entry| entry.number == number && entry.queued == at)
            });
        }
    }

    /// When to come back: nothing is due before, though then perhaps nothing is either.
    #[must_use]
    pub fn next(&self) -> Option<At> {
        self.queue.peek().map(|&Reverse((at, ..))| at)
    }

    /// When what was popped last was due.
    #[must_use]
    pub fn popped(&self) -> At {
        self.popped
    }

    /// The next one that is due at `now`. It stays entered, suspended, until it is set or removed.
    /// Each look at the queue takes one of `looks`; `None` when these are used up, too, which shows
    /// in [`Self::next`].
    pub fn pop(&mut self, now: At, looks: &mut u32) -> Option<(Slot, T)> {
        while let Some(&Reverse((at, number, key))) = self.queue.peek()
            && at <= now
            && *looks > 0
        {
            *looks -= 1;
            self.queue.pop();
            let entry = self.entries.get_mut(key as usize);
            let Some(entry) = entry.filter(|e| e.number == number && e.queued == at) else {
                continue;
            };
            entry.queued = At::NEVER;
            if entry.due <= now {
                self.popped = std::mem::replace(&mut entry.due, At::NEVER);
                return Some((Slot(key), entry.what));
            }
            self.enqueue(key);
        }
        None
    }

    fn enqueue(&mut self, key: u32) {
        let entry = &mut self.entries[key as usize];
        if entry.due != At::NEVER {
            entry.queued = entry.due;
            self.queue.push(Reverse((entry.due, entry.number, key)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> At {
        At::default().after_ms(ms)
    }

    fn pop<T: Copy>(deadlines: &mut Deadlines<T>, ms: u64) -> Option<(Slot, T)> {
        deadlines.pop(at(ms), &mut 100)
    }

    #[test]
    fn looks_are_bounded() {
        let mut deadlines = Deadlines::default();
        let slots: Vec<Slot> = (0..10).map(|n| deadlines.insert(n, at(10))).collect();
        slots[..9].iter().for_each(|&slot| deadlines.set(slot, at(50)));
        assert_eq!(deadlines.pop(at(20), &mut 5), None);
        assert_eq!(deadlines.next(), Some(at(10)), "there is more to look at");
        assert_eq!(deadlines.pop(at(20), &mut 5), Some((slots[9], 9)));
    }

    #[test]
    fn a_moved_deadline_is_due_when_it_was_moved_to() {
        let mut deadlines = Deadlines::default();
        let slot = deadlines.insert("a", at(10));
        deadlines.set(slot, at(20));
        assert_eq!(deadlines.next(), Some(at(10)), "an early look is allowed");
        assert_eq!(pop(&mut deadlines, 15), None);
        assert_eq!(deadlines.next(), Some(at(20)));
        deadlines.set(slot, at(17));
        assert_eq!(deadlines.next(), Some(at(17)));
        assert_eq!(pop(&mut deadlines, 17), Some((slot, "a")));
        assert_eq!(pop(&mut deadlines, 99), None, "once is enough");
    }

    #[test]
    fn a_suspended_deadline_never_comes_and_a_slot_is_not_mistaken_for_its_former_tenant() {
        let mut deadlines = Deadlines::default();
        let slot = deadlines.insert(1, at(10));
        deadlines.set(slot, At::NEVER);
        assert_eq!(pop(&mut deadlines, 1000), None);
        deadlines.set(slot, at(1010));
        deadlines.remove(slot);
        let again = deadlines.insert(2, at(2000));
        assert_eq!(slot, again);
        assert_eq!(pop(&mut deadlines, 1500), None);
        assert_eq!(pop(&mut deadlines, 2000), Some((again, 2)));
    }

    #[test]
    fn the_queue_stays_in_proportion() {
        let mut deadlines = Deadlines::default();
        for round in 0..10_000 {
            let slot = deadlines.insert(round, at(1_000_000 + round));
            deadlines.set(slot, at(round));
            deadlines.remove(slot);
        }
        assert!(deadlines.queue.len() <= 65);
    }
}
