//! Until when emptied resources stay known. Follows the machine's events only.

use std::collections::VecDeque;

use crate::deadlines::At;

/// Resources that are emptied within so many ms are forgotten together, when the last may be.
const FORGET_EVERY_MS: u64 = 25;

/// What was emptied, by the numbers of the last, and when it is forgotten.
#[derive(Debug)]
pub(super) struct Forgetting {
    due: VecDeque<(At, u64)>,
    /// How long an emptied resource stays known, in ms.
    after_ms: u64,
}

impl Forgetting {
    pub(super) fn new(after_ms: u64) -> Self {
        Self { due: VecDeque::new(), after_ms }
    }

    pub(super) fn emptied(&mut self, up_to: u64, now: At) {
        let due = now.after_ms(self.after_ms);
        match self.due.back_mut() {
            Some((at, last)) if due <= *at => *last = up_to,
            _ => self.due.push_back((due.after_ms(FORGET_EVERY_MS), up_to)),
        }
    }

    /// Resources were forgotten; whether more are left up to that number.
    pub(super) fn forgotten(&mut self, up_to: u64, more: bool) {
        if !more {
            self.due.pop_front_if(|(_, first)| *first <= up_to);
        }
    }

    /// When something is next due.
    pub(super) fn next(&self) -> Option<At> {
        self.due.front().map(|&(at, _)| at)
    }

    /// Up to which number resources may be forgotten now.
    pub(super) fn due(&self, now: At) -> Option<u64> {
        self.due.front().filter(|(at, _)| *at <= now).map(|&(_, up_to)| up_to)
    }

    /// Up to which number resources are to be forgotten at some time.
    #[cfg(debug_assertions)]
    pub(super) fn last(&self) -> Option<u64> {
        self.due.back().map(|&(_, up_to)| up_to)
    }
}
