//! What the log is yet to be given.

use std::sync::Arc;

use crate::log::codec::encode_command;
use crate::machine::Command;

use super::watermark::{LogPosition, Watermark};

/// Commands that changed something, encoded, in the order in which they were applied.
#[derive(Debug, Default)]
pub(in crate::driver) struct PendingBatch {
    pub(in crate::driver) commands: Vec<u8>,
    pub(in crate::driver) count: u32,
}

/// Gives each command its position, and gathers for the log what changed something.
#[derive(Debug)]
pub(in crate::driver) struct Buffer {
    watermark: Arc<Watermark>,
    /// `None` without a log.
    pending: Option<PendingBatch>,
    /// The writer was not woken yet for the first of them.
    is_news: bool,
}

impl Buffer {
    pub(in crate::driver) fn new(watermark: Arc<Watermark>, has_log: bool) -> Self {
        Self { watermark, pending: has_log.then(PendingBatch::default), is_news: false }
    }

    /// A command was applied: the position from which on what it says may leave.
    #[inline]
    pub(in crate::driver) fn push(&mut self, command: &Command, changed: bool) -> LogPosition {
        match &mut self.pending {
            Some(batch) if changed => {
                encode_command(command, &mut batch.commands);
                self.is_news |= batch.count == 0;
                batch.count += 1;
                self.watermark.applied()
            }
            // What changes nothing is not logged, but leaves no earlier than what it saw.
            Some(_) => self.watermark.now(),
            None => self.watermark.applied(),
        }
    }

    /// Whether the writer is to be woken. Says so once.
    pub(in crate::driver) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.is_news)
    }

    /// Exchanges what has gathered for an empty batch, whose room is used again.
    pub(in crate::driver) fn swap(&mut self, with: &mut PendingBatch) {
        if let Some(pending) = &mut self.pending {
            with.commands.clear();
            with.count = 0;
            std::mem::swap(pending, with);
            self.is_news = false;
        }
    }
}
