//! Reads one segment from its first record to its last, and judges what is behind.
//!
//! A record that is not the next of the chain, a command that the machine refuses, a snapshot that
//! is not complete: damage, and what comes behind it is no longer replayed. What the store cannot
//! read at all is damage when a readable record says that it was durable once. Otherwise it is a
//! torn tail: never durable, so never acknowledged by a server that syncs first.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use super::record::{Broken, Chain, Header, RecordKind, find_heads};
use super::storage::{StorageFailure, Store, Tail};
use crate::log::codec::{Bad, Reader, SnapshotReader, decode_command};
use crate::machine::{Event, Machine};

/// Where and how a segment is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentDamage {
    /// The segment's file.
    pub file: String,
    /// The first record that is lost.
    pub record: u64,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for SegmentDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged at record {}: {}", self.file, self.record, self.what)
    }
}

/// A segment, as far as it can be read.
pub(super) struct Reading {
    pub(super) segment: u64,
    pub(super) file: String,
    /// Up to the last record that is whole.
    pub(super) chain: Chain,
    /// Once the snapshot is whole: it, and the commands up to the damage.
    pub(super) machine: Option<Machine>,
    pub(super) is_active: bool,
    /// The highest that is said anywhere, in whole records or not.
    pub(super) fences_end: u64,
    pub(super) commands: u64,
    pub(super) snapshot_bytes: u64,
    pub(super) snapshot_records: u64,
    pub(super) tail: Option<Tail>,
    pub(super) damage: Option<SegmentDamage>,
    snapshot: Option<SnapshotReader>,
    events: Vec<Event>,
}

/// Why a record cannot be taken.
enum BadRecord {
    Chain(Broken),
    Bytes(Bad),
    Other(String),
}

impl Reading {
    /// Reads a segment that nobody appends to. To `salvage` is to read on where the file as such is
    /// not as it was written, which is only for a store that changes nothing.
    pub(super) fn at_rest(
        store: &dyn Store,
        segment: u64,
        salvage: bool,
    ) -> Result<Self, StorageFailure> {
        let mut reading = Self::new(store, segment);
        // The highest synced record that heads among the torn tails know of, by identity.
        let mut synced: BTreeMap<u64, u64> = BTreeMap::new();
        let mut fences_end = 0;
        let inspected = store.inspect(segment, &mut |torn| {
            find_heads(torn, |header| {
                let known = synced.entry(header.identity).or_default();
                *known = header.synced.max(*known);
                fences_end = header.fences_end.max(fences_end);
            });
        });
        reading.fences_end = fences_end;
        let broken_head = match inspected {
            Ok(tail) => {
                reading.tail = tail;
                None
            }
            Err(StorageFailure::Corrupt(what)) if salvage => Some(what),
            Err(StorageFailure::Corrupt(what)) => {
                reading.damaged(what);
                return Ok(reading);
            }
            Err(failure) => return Err(failure),
        };
        reading.go_on(store, &mut || false)?;
        if reading.damage.is_none() {
            reading.judge_end(synced.get(&reading.chain.identity).copied().unwrap_or(0));
        }
        if let Some(what) = broken_head {
            reading.damaged(what);
        }
        if reading.damage.is_none() {
            match store.verify(segment) {
                Err(StorageFailure::Corrupt(what)) => reading.damaged(what),
                verified => verified?,
            }
        }
        Ok(reading)
    }

    /// A reading that has read nothing yet.
    pub(super) fn new(store: &dyn Store, segment: u64) -> Self {
        Self {
            segment,
            file: store.name(segment),
            chain: Chain::new(0),
            machine: None,
            is_active: false,
            fences_end: 0,
            commands: 0,
            snapshot_bytes: 0,
            snapshot_records: 0,
            tail: None,
            damage: None,
            snapshot: None,
            events: Vec::new(),
        }
    }

    /// Reads the records that there are beyond those read so far, until `stop` says so.
    pub(super) fn go_on(
        &mut self,
        store: &dyn Store,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<(), StorageFailure> {
        let read = store.records(self.segment, self.chain.number, &mut |number, record| {
            self.record(number, record);
            if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match read {
            Err(StorageFailure::Corrupt(what)) => self.damaged(what),
            Err(failure) => return Err(failure),
            Ok(()) => {}
        }
        Ok(())
    }

    fn record(&mut self, number: u64, record: &[u8]) {
        if self.damage.is_some() {
            find_heads(record, |header| self.fences_end = header.fences_end.max(self.fences_end));
            return;
        }
        let mut chain = self.chain;
        let taken = match chain.read(record) {
            Ok((header, _)) if header.number != number => Err(BadRecord::Chain(Broken::Stray)),
            Ok((header, payload)) => self.take(header, payload, record.len()),
            Err(broken) => Err(BadRecord::Chain(broken)),
        };
        match taken {
            Ok(()) => self.chain = chain,
            Err(fault) => {
                find_heads(record, |header| {
                    self.fences_end = header.fences_end.max(self.fences_end)
                });
                self.damaged(match fault {
                    BadRecord::Chain(broken) => format!("it {broken}"),
                    BadRecord::Bytes(bad) => format!("it {bad}"),
                    BadRecord::Other(what) => what,
                });
            }
        }
    }

    fn damaged(&mut self, what: String) {
        let (file, record) = (self.file.clone(), self.chain.number + 1);
        self.damage.get_or_insert(SegmentDamage { file, record, what });
    }

    fn take(&mut self, header: Header, payload: &[u8], length: usize) -> Result<(), BadRecord> {
        self.fences_end = header.fences_end.max(self.fences_end);
        let log_begins = self.chain.number == self.snapshot_records;
        match (header.kind, &mut self.machine, &mut self.snapshot) {
            (RecordKind::Snapshot, None, None) => {
                self.snapshot = Some(SnapshotReader::new(payload).map_err(BadRecord::Bytes)?);
            }
            (RecordKind::Part, None, Some(snapshot)) => {
                snapshot.part(payload).map_err(BadRecord::Bytes)?
            }
            (RecordKind::End, None, Some(_)) => {
                let Some(snapshot) = self.snapshot.take() else { return Ok(()) };
                let snapshot = snapshot.finish().map_err(BadRecord::Bytes)?;
                let machine = Machine::restore(&snapshot);
                self.machine =
                    Some(machine.map_err(|damage| BadRecord::Other(damage.to_string()))?);
                self.snapshot_records = header.number;
            }
            (RecordKind::Waiting, Some(_), _) if log_begins => return Ok(()),
            (RecordKind::Activate, Some(_), _) if !self.is_active => {
                self.is_active = true;
                return Ok(());
            }
            (RecordKind::Batch, Some(machine), _) if !log_begins => {
                return replay(machine, payload, &mut self.commands, &mut self.events);
            }
            _ => {
                return Err(BadRecord::Other(format!(
                    "a record of kind {:?} has no place",
                    header.kind
                )));
            }
        }
        self.snapshot_bytes += length as u64;
        Ok(())
    }

    fn judge_end(&mut self, synced: u64) {
        if self.machine.is_none() {
            self.damaged("its snapshot is not complete".to_owned());
        } else if self.chain.number == self.snapshot_records {
            // The record behind the snapshot is made durable before the segment gets its name.
            self.damaged("all records behind the snapshot are lost".to_owned());
        } else if synced > self.chain.number {
            let tail = self.tail.as_ref().map(Tail::to_string).unwrap_or_default();
            self.damaged(format!(
                "it cannot be read, though a later record says that it was durable ({tail})"
            ));
        }
    }
}

fn replay(
    machine: &mut Machine,
    payload: &[u8],
    commands: &mut u64,
    events: &mut Vec<Event>,
) -> Result<(), BadRecord> {
    let mut from = Reader::new(payload);
    let count = from.number().map_err(BadRecord::Bytes)?;
    for _ in 0..count {
        let command = decode_command(&mut from).map_err(BadRecord::Bytes)?;
        events.clear();
        if let Err(refusal) = machine.apply(&command, events).reply {
            return Err(BadRecord::Other(format!("its commands do not fit: {refusal}")));
        }
        *commands += 1;
    }
    if from.is_empty() { Ok(()) } else { Err(BadRecord::Bytes(Bad::Order("bytes behind it"))) }
}
