//! A log in memory that orders first, for tests: it can fail at any call, and tells what is in it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::log::codec::{Bad, Reader, SnapshotReader, decode_command, encode_snapshot};
use crate::log::command_log::{
    Appended, Batch, CommandLog, LogFailure, LogStatus, Order, Position,
};
use crate::machine::{Command, Machine};

/// A log in memory. Its clones are the same log.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog {
    contents: Arc<Mutex<LogContents>>,
}

#[derive(Debug, Default)]
struct LogContents {
    /// The header and the parts of the snapshot, if there is one.
    snapshot: Vec<Vec<u8>>,
    /// The batches behind it.
    batches: Vec<(Vec<u8>, u32)>,
    appended: u64,
    failures: VecDeque<LogFailure>,
    broken: Option<LogFailure>,
}

impl LogContents {
    fn commands(&self) -> Result<Vec<Command>, Bad> {
        let mut commands = Vec::new();
        for (bytes, count) in &self.batches {
            let mut from = Reader::new(bytes);
            for _ in 0..*count {
                commands.push(decode_command(&mut from)?);
            }
            if !from.is_empty() {
                return Err(Bad::Order("bytes behind a batch"));
            }
        }
        Ok(commands)
    }

    fn replay(&self) -> Result<Machine, Bad> {
        let mut machine = match &self.snapshot[..] {
            [] => Machine::new(),
            [header, parts @ ..] => {
                let mut snapshot = SnapshotReader::new(header)?;
                parts.iter().try_for_each(|part| snapshot.part(part))?;
                let machine = Machine::restore(&snapshot.finish()?);
                machine.map_err(|_| Bad::Value("snapshot"))?
            }
        };
        let mut events = Vec::new();
        for command in self.commands()? {
            // A command that was refused is in the log all the same, and is refused again.
            let _ = machine.apply(&command, &mut events);
            events.clear();
        }
        Ok(machine)
    }
}

impl MemoryLog {
    /// The next calls that may fail fail like this, one each.
    pub fn fail(&self, failures: impl IntoIterator<Item = LogFailure>) {
        self.contents().failures.extend(failures);
    }

    /// The commands behind the snapshot, in order.
    ///
    /// # Errors
    /// [`Bad`] when the log was given anything else.
    pub fn commands(&self) -> Result<Vec<Command>, Bad> {
        self.contents().commands()
    }

    /// The machine that the log makes.
    ///
    /// # Errors
    /// [`Bad`] when the log was given anything but commands.
    pub fn replay(&self) -> Result<Machine, Bad> {
        self.contents().replay()
    }

    fn contents(&self) -> MutexGuard<'_, LogContents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The contents, unless the call is to fail.
    fn call(&self) -> Result<MutexGuard<'_, LogContents>, LogFailure> {
        let mut contents = self.contents();
        if let Some(broken) = &contents.broken {
            return Err(broken.clone());
        }
        let Some(failure) = contents.failures.pop_front() else { return Ok(contents) };
        if !matches!(failure, LogFailure::Full | LogFailure::Unreachable) {
            contents.broken = Some(failure.clone());
        }
        Err(failure)
    }
}

impl CommandLog for MemoryLog {
    fn order(&self) -> Order {
        Order::AppendFirst
    }

    fn append(&mut self, batch: &Batch<'_>, _: bool) -> Result<Appended, LogFailure> {
        let mut contents = self.call()?;
        contents.batches.push((batch.commands.to_vec(), batch.count));
        contents.appended += 1;
        Ok(Appended { position: Position(contents.appended), synced: true })
    }

    fn sync(&mut self) -> Result<(), LogFailure> {
        self.call().map(drop)
    }

    fn snapshot(&mut self) -> Result<(), LogFailure> {
        let mut contents = self.call()?;
        let broken = |bad: Bad| LogFailure::Broken(format!("the log {bad}"));
        let snapshot = contents.replay().map_err(broken)?.snapshot();
        let mut parts = Vec::new();
        encode_snapshot(&snapshot, |part| {
            parts.push(part.to_vec());
            Ok(())
        })
        .map_err(broken)?;
        contents.snapshot = parts;
        contents.batches.clear();
        Ok(())
    }

    fn status(&self) -> LogStatus {
        let contents = self.contents();
        let bytes = |parts: &mut dyn Iterator<Item = usize>| parts.sum::<usize>() as u64;
        let snapshot_bytes = bytes(&mut contents.snapshot.iter().map(Vec::len));
        LogStatus {
            position: Position(contents.appended),
            commands: contents.batches.iter().map(|(_, count)| u64::from(*count)).sum(),
            bytes: snapshot_bytes
                + bytes(&mut contents.batches.iter().map(|(bytes, _)| bytes.len())),
            snapshot_bytes,
        }
    }
}
