//! Places in a queue, counted: how many stand before one, when anybody may leave from the middle.
//!
//! Numbers are appended in ascending order and leave in any order. A Fenwick tree over the slots
//! counts those still there, so that a rank costs O(log n). Slots of the gone are cleared out when
//! they outnumber the living: O(1) a number, spread over its life.

/// A set of ascending numbers that knows their ranks.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranks {
    /// Every slot's number, ascending; gone ones included.
    numbers: Vec<u64>,
    /// `tree[i]` counts the living slots in `(i + 1) - lowbit(i + 1) .. i + 1`.
    tree: Vec<u32>,
    living: usize,
}

const fn lowbit(n: usize) -> usize {
    n & n.wrapping_neg()
}

impl Ranks {
    pub(super) fn len(&self) -> usize {
        self.living
    }

    /// Appends a number, which must be greater than all before it.
    pub(super) fn push(&mut self, number: u64) {
        assert!(self.numbers.last().is_none_or(|&last| last < number), "numbers must ascend");
        self.numbers.push(number);
        let end = self.numbers.len();
        let mut count = 1;
        let mut step = 1;
        while step < lowbit(end) {
            count += self.tree[end - step - 1];
            step *= 2;
        }
        self.tree.push(count);
        self.living += 1;
    }

    /// Takes out a number that must be there.
    pub(super) fn remove(&mut self, number: u64) {
        let slot = self.slot(number);
        assert!(self.before(slot + 1) - self.before(slot) == 1, "a number left twice");
        let mut at = slot + 1;
        while at <= self.tree.len() {
            self.tree[at - 1] -= 1;
            at += lowbit(at);
        }
        self.living -= 1;
        if self.numbers.len() > 32 && self.living < self.numbers.len() / 2 {
            self.clear_out();
        }
    }

    /// How many numbers stand at or before `number`, which must be there.
    pub(super) fn rank(&self, number: u64) -> u32 {
        self.before(self.slot(number) + 1)
    }

    /// The first numbers, in order.
    pub(super) fn first(&self, most: usize) -> impl Iterator<Item = u64> {
        let lives = |&slot: &usize| self.before(slot + 1) > self.before(slot);
        let slots = (0..self.numbers.len()).filter(lives).take(most.min(self.living));
        slots.map(|slot| self.numbers[slot])
    }

    fn slot(&self, number: u64) -> usize {
        match self.numbers.binary_search(&number) {
            Ok(slot) => slot,
            Err(_) => panic!("a number is not in its queue"),
        }
    }

    fn before(&self, slots: usize) -> u32 {
        let mut count = 0;
        let mut at = slots;
        while at > 0 {
            count += self.tree[at - 1];
            at -= lowbit(at);
        }
        count
    }

    /// Takes the slots of the gone out, in one pass: the tree is undone into a count of 1 or 0 a
    /// slot, and that of slots which all live is known.
    fn clear_out(&mut self) {
        let counts = &mut self.tree;
        for at in (1..=counts.len()).rev() {
            let above = at + lowbit(at);
            if above <= counts.len() {
                counts[above - 1] -= counts[at - 1];
            }
        }
        let mut lives = counts.iter().map(|&count| count == 1);
        self.numbers.retain(|_| lives.next() == Some(true));
        assert!(self.numbers.len() == self.living, "the living were miscounted");
        self.numbers.shrink_to(self.living * 2);
        let all = 1..=self.numbers.len();
        self.tree = all.map(|at| u32::try_from(lowbit(at)).unwrap_or(u32::MAX)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_agree_with_counting() {
        let mut ranks = Ranks::default();
        let mut plain: Vec<u64> = Vec::new();
        let mut dice = 7_u64;
        for number in 0..3000_u64 {
            ranks.push(number * 3);
            plain.push(number * 3);
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            for _ in 0..dice % 3 {
                if plain.len() > 1 {
                    let gone = plain.remove(usize::try_from(dice >> 33).unwrap() % plain.len());
                    ranks.remove(gone);
                }
            }
            assert_eq!(ranks.len(), plain.len());
            if let Some(&some) = plain.get(plain.len() / 2) {
                assert_eq!(ranks.rank(some) as usize, plain.len() / 2 + 1);
            }
        }
    }
}
