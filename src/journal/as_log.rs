//! The journal as one of the logs: what it is given was applied before.

use super::journal::{Description, Journal};
use super::segment::NoSnapshot;
use super::storage::StorageFailure;
use crate::log::{Appended, Batch, CommandLog, LogFailure, LogStatus, Order};

impl CommandLog for Journal {
    fn order(&self) -> Order {
        Order::ApplyFirst
    }

    fn append(&mut self, batch: &Batch<'_>, sync: bool) -> Result<Appended, LogFailure> {
        Ok(Self::append(self, batch, sync)?)
    }

    fn sync(&mut self) -> Result<(), LogFailure> {
        Ok(Self::sync(self)?)
    }

    fn snapshot(&mut self) -> Result<(), LogFailure> {
        // While one is under way elsewhere there will be one soon.
        let Some(mut writing) = self.begin_snapshot() else { return Ok(()) };
        let written = writing.run().and_then(|()| self.switch(writing));
        match written {
            // What cannot be removed now is removed at the next start.
            Ok(old) => drop(old.remove()),
            Err(NoSnapshot::Stopped) => {}
            Err(NoSnapshot::Failed(failure)) => return Err(failure.into()),
        }
        Ok(())
    }

    fn status(&self) -> LogStatus {
        let Description { bytes, snapshot_bytes, commands, .. } = self.describe();
        LogStatus { position: self.position(), commands, bytes, snapshot_bytes }
    }
}

impl From<StorageFailure> for LogFailure {
    fn from(failure: StorageFailure) -> Self {
        match failure {
            StorageFailure::Full => Self::Full,
            other => Self::Broken(other.to_string()),
        }
    }
}
