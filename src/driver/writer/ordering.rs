//! The writer of a log that orders first: it gives the log what is due and what was asked, and has
//! it applied when the log has ordered it.

use std::fmt;

use crate::log::codec::encode_command;
use crate::log::{Batch, CommandLog, LogFailure};
use crate::machine::{Command, Machine};

use crate::driver::clock::WallClock;
use crate::driver::commit::buffer::PendingBatch;
use crate::driver::handle::Driver;
use crate::driver::state::restart::first_fence;
use crate::driver::state::turns::Ordered;

use super::cycle::Cycle;

/// Owns a log that orders first.
pub struct OrderingWriter<L> {
    driver: Driver,
    log: L,
    /// What is on its way to the log, and the same as bytes.
    in_flight: Vec<Ordered>,
    encoded: PendingBatch,
    is_full: bool,
}

impl<L: fmt::Debug> fmt::Debug for OrderingWriter<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderingWriter").field("log", &self.log).finish_non_exhaustive()
    }
}

impl<L: CommandLog> OrderingWriter<L> {
    /// A driver over what a log has brought back, and the writer between them. For `expire_ms` see
    /// [`Driver::new`]; the wall clock is set to `wall_ms`, since 1970, and may be wrong.
    ///
    /// # Errors
    /// [`LogFailure`], when the log does not take up the start.
    pub fn over(
        mut log: L,
        machine: Machine,
        expire_ms: u32,
        wall_ms: u64,
    ) -> Result<(Driver, Self), LogFailure> {
        let mut encoded = PendingBatch::default();
        let fence = first_fence(machine.next_fence().0, wall_ms);
        encode_command(&Command::Boot { fence }, &mut encoded.commands);
        log.append(&Batch { commands: &encoded.commands, count: 1, next_fence: fence.0 }, true)?;
        let driver =
            Driver::over(machine, log.order(), expire_ms, (fence, WallClock::set(wall_ms)));
        let in_flight = Vec::new();
        Ok((driver.clone(), Self { driver, log, in_flight, encoded, is_full: false }))
    }

    /// The log.
    pub fn log(&self) -> &L {
        &self.log
    }

    /// Does once what is to be done.
    ///
    /// # Errors
    /// [`LogFailure`] is final: nothing that waits will be applied, and whoever waits was told.
    pub fn cycle(&mut self) -> Result<Cycle, LogFailure> {
        if self.in_flight.is_empty() {
            self.take_batch();
        }
        if self.in_flight.is_empty() {
            return Ok(Cycle::Idle);
        }
        let PendingBatch { commands, count } = &self.encoded;
        let batch = Batch { commands, count: *count, next_fence: 0 };
        match self.log.append(&batch, true) {
            Ok(_) => {}
            // The same may be asked again. Until then nothing is applied.
            Err(LogFailure::Full | LogFailure::Unreachable) => {
                if !std::mem::replace(&mut self.is_full, true) {
                    self.driver.wait_for_room();
                }
                return Ok(Cycle::Full);
            }
            Err(failure) => {
                // Who asked finds out by the end of the channel.
                self.in_flight.clear();
                self.driver.fail(&failure.to_string());
                return Err(failure);
            }
        }
        let mut visit = self.driver.visit_as_driver();
        let now = visit.now;
        visit.apply_batch(std::mem::take(&mut self.in_flight), now);
        drop(visit);
        if std::mem::take(&mut self.is_full) {
            self.driver.have_room();
        }
        Ok(Cycle::Wrote)
    }

    fn take_batch(&mut self) {
        let mut visit = self.driver.visit_as_driver();
        let now = visit.now;
        self.in_flight = visit.next_batch(now);
        drop(visit);
        let PendingBatch { commands, count } = &mut self.encoded;
        commands.clear();
        *count = 0;
        for (command, _) in &self.in_flight {
            encode_command(command, commands);
            *count += 1;
        }
    }
}
