//! What a stream of a resource's states is yet to be told: the latest alone.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::driver::commit::watermark::Watermark;
use crate::machine::Figures;

use super::latest::Latest;
use super::watched::WatchedHolders;

/// How a resource stands, as watchers of each change are told: its figures, and who holds it if it
/// is a lock.
pub(in crate::driver) type WatchedState = (Figures, Option<Arc<WatchedHolders>>);

#[derive(Debug, Default)]
struct StreamContents {
    latest: Option<Latest<WatchedState>>,
    ended: bool,
}

/// Filled under the driver's lock, emptied by the stream's task.
#[derive(Debug)]
pub(in crate::driver) struct StreamCell {
    inner: Mutex<StreamContents>,
    filled: Notify,
    watermark: Arc<Watermark>,
}

impl StreamCell {
    pub(in crate::driver) fn new(watermark: Arc<Watermark>) -> Self {
        Self { inner: Mutex::default(), filled: Notify::new(), watermark }
    }

    fn inner(&self) -> MutexGuard<'_, StreamContents> {
        match self.inner.lock() {
            Ok(inner) => inner,
            Err(_) => std::process::abort(),
        }
    }

    /// There is news, from now on.
    pub(in crate::driver) fn push(&self, state: WatchedState) {
        let position = self.watermark.now();
        let mut inner = self.inner();
        match &mut inner.latest {
            Some(latest) => latest.overtake(state, position, &self.watermark),
            None => inner.latest = Some(Latest::new(state, position)),
        }
        drop(inner);
        self.filled.notify_one();
    }

    /// There is no more to come.
    pub(in crate::driver) fn end(&self) {
        let mut inner = self.inner();
        inner.ended = true;
        drop(inner);
        self.filled.notify_one();
    }

    /// The latest that may be told, when there is one; `None` when there is no more to come.
    pub(in crate::driver) async fn next(&self) -> Option<WatchedState> {
        loop {
            let position = {
                let mut inner = self.inner();
                if inner.ended {
                    return None;
                }
                match inner.latest.take() {
                    Some(latest) if self.watermark.has(latest.position()) => {
                        let (state, later) = latest.take(&self.watermark);
                        inner.latest = later;
                        return Some(state);
                    }
                    latest => {
                        inner.latest = latest;
                        inner.latest.as_ref().map(Latest::position)
                    }
                }
            };
            let durable = async {
                match position {
                    Some(position) => self.watermark.reached(position).await.is_ok(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                is_durable = durable => if !is_durable {
                    return None;
                },
                () = self.filled.notified() => {}
            }
        }
    }
}
