//! What is counted and measured for those who watch the server: whoever counts waits for nobody.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Something that happens again and again.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// It has happened once more.
    #[inline]
    pub fn count(&self) {
        self.count_many(1);
    }

    /// It has happened so many times more.
    #[inline]
    pub fn count_many(&self, times: u64) {
        self.0.fetch_add(times, Ordering::Relaxed);
    }

    /// How often it has happened.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A moment, to measure from it what takes less than an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(u32);

impl Mark {
    /// Now.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "differences are taken of what is left")]
    pub fn now() -> Self {
        static START: OnceLock<Stopwatch> = OnceLock::new();
        Self(START.get_or_init(Stopwatch::start).elapsed().as_micros() as u32)
    }

    /// How much later this one is, in µs.
    #[must_use]
    pub fn since_us(self, before: Self) -> u64 {
        self.0.wrapping_sub(before.0).into()
    }
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "what is measured is told, and decides nothing")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago that was.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "what is measured is told, and decides nothing")]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// How long something takes, counted by bounds.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [Counter; Histogram::BOUNDS_US.len() + 1],
    sum_us: Counter,
}

/// What a histogram has at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// How many took at most as long as each bound, and longer than the one before; then those that
    /// took longer than all.
    pub counts: Vec<u64>,
    /// All of them together, in µs.
    pub sum_us: u64,
}

impl Histogram {
    /// The bounds, in µs.
    pub const BOUNDS_US: [u64; 16] = [
        100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
        1_000_000, 2_500_000, 5_000_000, 10_000_000,
    ];

    /// Something took so long.
    #[inline]
    pub fn measure_us(&self, us: u64) {
        self.counts[Self::BOUNDS_US.partition_point(|&bound| bound < us)].count();
        self.sum_us.count_many(us);
    }

    /// Something took so long.
    #[inline]
    pub fn measure(&self, took: Duration) {
        self.measure_us(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// What it has now.
    #[must_use]
    pub fn get(&self) -> Measured {
        let counts = self.counts.iter().map(Counter::get).collect();
        Measured { counts, sum_us: self.sum_us.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_as_long_as_a_bound_is_counted_by_it() {
        let histogram = Histogram::default();
        for us in [0, 100, 101, 10_000_000, 10_000_001] {
            histogram.measure_us(us);
        }
        let Measured { counts, sum_us } = histogram.get();
        assert_eq!((counts[0], counts[1], counts[15], counts[16]), (2, 1, 1, 1));
        assert_eq!(counts.iter().sum::<u64>(), 5);
        assert_eq!(sum_us, 20_000_202);
    }
}
