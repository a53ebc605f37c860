//! Reads one epoch from its first row to its last, and judges what is behind.
//!
//! A row that is not the next of the chain, a command that the machine refuses, an image that is
//! not complete: damage, and what comes behind it is no longer replayed. What the store cannot
//! read at all is damage when a readable row says that it was durable once. Otherwise it is a torn
//! tail: never durable, so never acknowledged by a server that syncs first.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use super::codec::{Bad, ImageReader, Reader, decode_command};
use super::rows::{Broken, Chain, Head, Kind, find_heads};
use super::store::{Failure, Store, Tail};
use crate::machine::{Event, Machine};

/// Where and how an epoch is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The epoch's file.
    pub file: String,
    /// The first row that is lost.
    pub row: u64,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged at row {}: {}", self.file, self.row, self.what)
    }
}

/// An epoch, as far as it can be read.
pub(super) struct Reading {
    pub(super) epoch: u64,
    pub(super) file: String,
    /// Up to the last row that is whole.
    pub(super) chain: Chain,
    /// Once the image is whole: it, and the commands up to the damage.
    pub(super) machine: Option<Machine>,
    pub(super) in_charge: bool,
    /// The highest that is said anywhere, in whole rows or not.
    pub(super) fences_end: u64,
    pub(super) commands: u64,
    pub(super) image_bytes: u64,
    pub(super) image_rows: u64,
    pub(super) tail: Option<Tail>,
    pub(super) damage: Option<Damage>,
    image: Option<ImageReader>,
    events: Vec<Event>,
}

/// Why a row cannot be taken.
enum Fault {
    Chain(Broken),
    Bytes(Bad),
    Other(String),
}

impl Reading {
    /// Reads an epoch that nobody appends to. To `salvage` is to read on where the file as such is
    /// not as it was written, which is only for a store that changes nothing.
    pub(super) fn at_rest(store: &dyn Store, epoch: u64, salvage: bool) -> Result<Self, Failure> {
        let mut reading = Self::new(store, epoch);
        // The highest synced row that heads among the scraps know of, by identity.
        let mut synced: BTreeMap<u64, u64> = BTreeMap::new();
        let mut fences_end = 0;
        let inspected = store.inspect(epoch, &mut |scrap| {
            find_heads(scrap, |head| {
                let known = synced.entry(head.identity).or_default();
                *known = head.synced.max(*known);
                fences_end = head.fences_end.max(fences_end);
            });
        });
        reading.fences_end = fences_end;
        let broken_head = match inspected {
            Ok(tail) => {
                reading.tail = tail;
                None
            }
            Err(Failure::Corrupt(what)) if salvage => Some(what),
            Err(Failure::Corrupt(what)) => {
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
            match store.verify(epoch) {
                Err(Failure::Corrupt(what)) => reading.damaged(what),
                verified => verified?,
            }
        }
        Ok(reading)
    }

    /// A reading that has read nothing yet.
    pub(super) fn new(store: &dyn Store, epoch: u64) -> Self {
        Self {
            epoch,
            file: store.name(epoch),
            chain: Chain::new(0),
            machine: None,
            in_charge: false,
            fences_end: 0,
            commands: 0,
            image_bytes: 0,
            image_rows: 0,
            tail: None,
            damage: None,
            image: None,
            events: Vec::new(),
        }
    }

    /// Reads the rows that there are beyond those read so far, until `stop` says so.
    pub(super) fn go_on(
        &mut self,
        store: &dyn Store,
        stop: &mut dyn FnMut() -> bool,
    ) -> Result<(), Failure> {
        let read = store.rows(self.epoch, self.chain.number, &mut |number, row| {
            self.row(number, row);
            if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match read {
            Err(Failure::Corrupt(what)) => self.damaged(what),
            Err(failure) => return Err(failure),
            Ok(()) => {}
        }
        Ok(())
    }

    fn row(&mut self, number: u64, row: &[u8]) {
        if self.damage.is_some() {
            find_heads(row, |head| self.fences_end = head.fences_end.max(self.fences_end));
            return;
        }
        let mut chain = self.chain;
        let taken = match chain.read(row) {
            Ok((head, _)) if head.number != number => Err(Fault::Chain(Broken::Stray)),
            Ok((head, payload)) => self.take(head, payload, row.len()),
            Err(broken) => Err(Fault::Chain(broken)),
        };
        match taken {
            Ok(()) => self.chain = chain,
            Err(fault) => {
                find_heads(row, |head| self.fences_end = head.fences_end.max(self.fences_end));
                self.damaged(match fault {
                    Fault::Chain(broken) => format!("it {broken}"),
                    Fault::Bytes(bad) => format!("it {bad}"),
                    Fault::Other(what) => what,
                });
            }
        }
    }

    fn damaged(&mut self, what: String) {
        let (file, row) = (self.file.clone(), self.chain.number + 1);
        self.damage.get_or_insert(Damage { file, row, what });
    }

    fn take(&mut self, head: Head, payload: &[u8], length: usize) -> Result<(), Fault> {
        self.fences_end = head.fences_end.max(self.fences_end);
        let log_begins = self.chain.number == self.image_rows;
        match (head.kind, &mut self.machine, &mut self.image) {
            (Kind::Image, None, None) => {
                self.image = Some(ImageReader::new(payload).map_err(Fault::Bytes)?);
            }
            (Kind::Part, None, Some(image)) => image.part(payload).map_err(Fault::Bytes)?,
            (Kind::End, None, Some(_)) => {
                let Some(image) = self.image.take() else { return Ok(()) };
                let image = image.finish().map_err(Fault::Bytes)?;
                let machine = Machine::restore(&image);
                self.machine = Some(machine.map_err(|damage| Fault::Other(damage.to_string()))?);
                self.image_rows = head.number;
            }
            (Kind::Waiting, Some(_), _) if log_begins => return Ok(()),
            (Kind::Charge, Some(_), _) if !self.in_charge => {
                self.in_charge = true;
                return Ok(());
            }
            (Kind::Batch, Some(machine), _) if !log_begins => {
                return replay(machine, payload, &mut self.commands, &mut self.events);
            }
            _ => return Err(Fault::Other(format!("a row of kind {:?} has no place", head.kind))),
        }
        self.image_bytes += length as u64;
        Ok(())
    }

    fn judge_end(&mut self, synced: u64) {
        if self.machine.is_none() {
            self.damaged("its image is not complete".to_owned());
        } else if self.chain.number == self.image_rows {
            // The row behind the image is made durable before the epoch gets its name.
            self.damaged("all rows behind the image are lost".to_owned());
        } else if synced > self.chain.number {
            let tail = self.tail.as_ref().map(Tail::to_string).unwrap_or_default();
            self.damaged(format!(
                "it cannot be read, though a later row says that it was durable ({tail})"
            ));
        }
    }
}

fn replay(
    machine: &mut Machine,
    payload: &[u8],
    commands: &mut u64,
    events: &mut Vec<Event>,
) -> Result<(), Fault> {
    let mut from = Reader::new(payload);
    let count = from.number().map_err(Fault::Bytes)?;
    for _ in 0..count {
        let command = decode_command(&mut from).map_err(Fault::Bytes)?;
        events.clear();
        if let Err(refusal) = machine.apply(&command, events) {
            return Err(Fault::Other(format!("its commands do not fit: {refusal}")));
        }
        *commands += 1;
    }
    if from.is_empty() { Ok(()) } else { Err(Fault::Bytes(Bad::Order("bytes behind it"))) }
}
