//! When a connection idles. One timer watches it, however many requests it serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// What goes on on a connection.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Writes that went through: an answer may take its reader longer than its handler took.
    pub(super) written: Arc<AtomicU64>,
    /// The server stops: what is under way is the last.
    stopping: CancellationToken,
}

impl Traffic {
    pub(super) fn new(stopping: CancellationToken) -> Self {
        Self { stopping, ..Self::default() }
    }

    /// Counts a request for as long as what is returned lives.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        self.begun.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }

    /// Waits until `idle` has passed in which no request was under way and nothing was written; at
    /// most twice as long.
    pub(super) async fn none(&self, idle: Duration) {
        let mut last = (0, 0);
        loop {
            tokio::time::sleep(idle).await;
            let [begun, ended, written] =
                [&self.begun, &self.ended, &*self.written].map(|n| n.load(Ordering::Relaxed));
            if begun == ended && last == (begun, written) {
                return;
            }
            last = (ended, written);
        }
    }
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Traffic>);

impl UnderWay {
    /// Whether the server stops.
    pub(super) fn is_last(&self) -> bool {
        self.0.stopping.is_cancelled()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(15);

    /// A dump that its reader took 49 s for was cut after 30: its handler had long ended.
    #[tokio::test(start_paused = true)]
    async fn a_connection_that_still_writes_is_not_idle() {
        let traffic = Arc::new(Traffic::default());
        drop(traffic.begin());
        let theirs = traffic.clone();
        let watch = tokio::spawn(async move { theirs.none(IDLE).await });
        for _ in 0..20 {
            tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
            traffic.written.fetch_add(1, Ordering::Relaxed);
        }
        assert!(!watch.is_finished(), "it was cut while it was written to");
        let under_way = traffic.begin();
        tokio::time::sleep(IDLE * 4).await;
        assert!(!watch.is_finished(), "it was cut while a request waited");
        drop(under_way);
        tokio::time::sleep(IDLE * 3).await;
        assert!(watch.is_finished(), "it was idle");
    }
}
