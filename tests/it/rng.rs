//! A small seeded generator of random numbers for tests (splitmix64): the same seed, the same
//! numbers, on every machine and in every version of everything.

/// The generator. Its state is one number, so a seed says all about a history.
pub(crate) struct Rng(u64);

impl Rng {
    /// Starts from `seed`; neighbouring seeds give unrelated numbers.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end` - 1; `end` must not be 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        assert!(end > 0, "nothing to choose from");
        let end = u64::try_from(end).expect("fits");
        usize::try_from(self.next() % end).expect("is less than end")
    }

    /// True `times` out of `of` times.
    pub(crate) fn chance(&mut self, times: usize, of: usize) -> bool {
        self.below(of) < times
    }

    /// One of `items`; `None` when there are none.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len())) }
    }
}
