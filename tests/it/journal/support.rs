//! What the tests of the journal share: histories, a server's part in them, and stores on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ticketd::journal::{
    Journal, JournalOptions, NoSnapshot, OpenError, Recovered, StorageFailure, Store,
};
use ticketd::log::codec::encode_command;
use ticketd::log::{Appended, Batch};
use ticketd::machine::{Command, Fence, Machine, Snapshot};

pub(super) use crate::support::Dir;

/// The machine after those commands.
pub(super) fn machine_of(commands: &[Command]) -> Machine {
    let mut machine = Machine::new();
    let mut events = Vec::new();
    for command in commands {
        machine.apply(command, &mut events).reply.expect("was accepted before");
    }
    machine
}

/// A number that no other call gets.
pub(super) fn identity() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Opens the journal of a store.
pub(super) fn open(store: &(impl Store + Clone + 'static)) -> Result<Recovered, OpenError> {
    Journal::open(Arc::new(store.clone()), JournalOptions { identity: identity() })
}

/// What a server does with its journal: applies, appends, and acknowledges what is durable.
pub(super) struct JournalWriter {
    pub(super) machine: Machine,
    pub(super) journal: Journal,
    /// Commands appended so far, of which so many are durable.
    pub(super) appended: usize,
    pub(super) acked: usize,
    /// Above all fences handed out.
    pub(super) fences_end: u64,
}

impl JournalWriter {
    /// Takes up what was recovered, as a server does: with a `Boot`, which is durable.
    pub(super) fn boot(recovered: Recovered) -> Result<Self, StorageFailure> {
        let Recovered { machine, fence, journal, .. } = recovered;
        let mut keeper = Self { machine, journal, appended: 0, acked: 0, fences_end: fence };
        keeper.keep(&[Command::Boot { fence: Fence(fence) }], true)?;
        (keeper.appended, keeper.acked) = (0, 0);
        Ok(keeper)
    }

    /// Applies commands and appends them as one batch.
    pub(super) fn keep(
        &mut self,
        commands: &[Command],
        sync: bool,
    ) -> Result<Appended, StorageFailure> {
        let mut bytes = Vec::new();
        let mut events = Vec::new();
        for command in commands {
            self.machine.apply(command, &mut events).reply.expect("is accepted");
            encode_command(command, &mut bytes);
        }
        self.machine.check();
        self.append(&bytes, commands.len(), sync)
    }

    /// Appends a batch of commands that were applied already.
    pub(super) fn append(
        &mut self,
        commands: &[u8],
        count: usize,
        sync: bool,
    ) -> Result<Appended, StorageFailure> {
        let next_fence = self.machine.next_fence().0;
        let batch = Batch { commands, count: u32::try_from(count).expect("is small"), next_fence };
        let appended = self.journal.append(&batch, sync)?;
        self.appended += count;
        if appended.synced {
            self.acked = self.appended;
        }
        self.fences_end = self.fences_end.max(next_fence);
        Ok(appended)
    }

    /// Makes all that was appended durable.
    pub(super) fn sync(&mut self) -> Result<(), StorageFailure> {
        self.journal.sync()?;
        self.acked = self.appended;
        Ok(())
    }

    /// A new snapshot, all in one.
    pub(super) fn snapshot(&mut self) -> Result<(), NoSnapshot> {
        let mut imaging = self.journal.begin_snapshot().expect("is the only one");
        imaging.run()?;
        let retired = self.journal.switch(imaging)?;
        self.acked = self.appended;
        retired.remove().map_err(NoSnapshot::from)
    }
}

/// The snapshots after each number of commands, from none on, when `boot` came first.
pub(super) fn snapshots(start: &Machine, commands: &[Command]) -> Vec<Snapshot> {
    let mut machine = start.clone();
    let mut events = Vec::new();
    let mut snapshots = vec![machine.snapshot()];
    for command in commands {
        machine.apply(command, &mut events).reply.expect("is accepted");
        snapshots.push(machine.snapshot());
    }
    snapshots
}
