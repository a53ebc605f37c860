//! How many requests a second somebody makes who may make so many.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::machine::Account;

/// A request, in the units in which they are earned: µs of a rate of one a second.
const REQUEST: u64 = 1_000_000;
/// So many are remembered before those that have earned everything back are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// What one has left.
#[derive(Debug)]
struct Budget {
    left: u64,
    filled_us: u64,
    rate: u64,
}

impl Budget {
    fn fill(&mut self, now_us: u64) {
        let earned = now_us.saturating_sub(self.filled_us).saturating_mul(self.rate);
        self.left = self.left.saturating_add(earned).min(self.rate * REQUEST);
        self.filled_us = now_us;
    }

    fn is_full(&self) -> bool {
        self.left >= self.rate * REQUEST
    }
}

/// What everybody has left that may make only so many.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<Account, Budget>>);

impl Rates {
    /// Whether somebody may make another request at `now_us`, a time in µs; then it counts.
    pub(super) fn may_ask(&self, rate: u64, account: Account, now_us: u64) -> bool {
        let mut budgets = self.0.lock();
        if budgets.len() >= REMEMBERED_MAX {
            budgets.retain(|_, budget| {
                budget.fill(now_us);
                !budget.is_full()
            });
        }
        let budget = budgets.entry(account).or_insert(Budget {
            left: rate * REQUEST,
            filled_us: now_us,
            rate,
        });
        budget.rate = rate;
        budget.fill(now_us);
        let left = budget.left.checked_sub(REQUEST);
        budget.left = left.unwrap_or(budget.left);
        left.is_some()
    }
}
