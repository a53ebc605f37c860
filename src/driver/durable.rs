//! How far what was applied is durable: nothing leaves before all that was applied before it is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::watch;

use super::Unavailable;

/// A point in the order of applied commands. What bears it may leave when everything up to it is
/// durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

/// Counts what is applied and what of it is durable.
#[derive(Debug)]
pub(super) struct Durable {
    applied: AtomicU64,
    durable: AtomicU64,
    /// Wakes those who wait for something to become durable.
    reached: watch::Sender<u64>,
    /// Somebody else says what is durable; otherwise everything is at once.
    gated: bool,
    /// Nothing more will ever become durable.
    failed: AtomicBool,
}

impl Durable {
    pub(super) fn new(gated: bool) -> Self {
        let (applied, durable) = (AtomicU64::new(0), AtomicU64::new(0));
        let (reached, failed) = (watch::Sender::new(0), AtomicBool::new(false));
        Self { applied, durable, reached, gated, failed }
    }

    /// One more command was applied. Called under the driver's lock.
    pub(super) fn applied(&self) -> Stamp {
        let stamp = self.applied.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.gated {
            self.durable.store(stamp, Ordering::Release);
        }
        Stamp(stamp)
    }

    /// Everything applied so far.
    pub(super) fn now(&self) -> Stamp {
        Stamp(self.applied.load(Ordering::Relaxed))
    }

    /// Everything up to here has become durable.
    pub(super) fn advance(&self, stamp: Stamp) {
        self.durable.fetch_max(stamp.0, Ordering::Release);
        self.reached.send_replace(stamp.0);
    }

    /// Whatever is not durable by now never will be.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.reached.send_modify(|_| {});
    }

    #[inline]
    pub(super) fn has(&self, stamp: Stamp) -> bool {
        self.durable.load(Ordering::Acquire) >= stamp.0
    }

    /// Waits until everything up to the stamp is durable.
    pub(super) async fn reached(&self, stamp: Stamp) -> Result<(), Unavailable> {
        if self.has(stamp) {
            return Ok(());
        }
        let failed = || self.failed.load(Ordering::Acquire);
        let mut reached = self.reached.subscribe();
        // The sender lives as long as this does, so that the error cannot come.
        let _ = reached.wait_for(|_| self.has(stamp) || failed()).await;
        if self.has(stamp) { Ok(()) } else { Err(Unavailable) }
    }
}
