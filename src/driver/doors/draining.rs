//! How well the server is, and whether it takes new sessions.

use std::time::Duration;

use crate::driver::handle::Driver;
use crate::driver::mode::Unavailable;
use crate::driver::outbox::message::Message;
use crate::driver::state::State;

/// How long the driver's lock may take to be had by who asks whether it is well.
const LOCK_MAX: Duration = Duration::from_secs(1);

/// Between two looks whether the timer has come, and how many there are.
const TICK_LOOK_EVERY: Duration = Duration::from_millis(20);
const TICK_LOOKS_MAX: u32 = 250;

/// Whether it is a good idea to send anybody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It serves. So it does with a full disk, for those who hold something must still arrive.
    Ready,
    /// It takes no new sessions.
    Draining,
    /// It is about to end.
    Stopping,
}

impl State {
    /// Whether new sessions are taken.
    pub(super) fn may_open(&self) -> Result<(), Unavailable> {
        if self.draining { Err(Unavailable::Draining) } else { Ok(()) }
    }
}

impl Driver {
    /// From now on, no new sessions are taken, or they are again. All sockets are told.
    pub fn drain(&self, on: bool) {
        let mut visit = self.visit_as_driver();
        if std::mem::replace(&mut visit.draining, on) == on {
            return;
        }
        let (position, sessions) = (visit.position(), visit.machine.counts().sessions);
        for socket in visit.sessions.sockets() {
            socket.push(Message::Draining(on), position);
        }
        drop(visit);
        let what = if on { "no new sessions are taken" } else { "new sessions are taken again" };
        tracing::info!(sessions, "{what}");
    }

    /// Whether it is a good idea to send anybody here.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.door().look(|state| match (state.mode.may_stay(), state.draining) {
            (false, _) => Readiness::Stopping,
            (true, true) => Readiness::Draining,
            (true, false) => Readiness::Ready,
        })
    }

    /// Whether what is done by the clock is done: the timer is asked to come, and waited for.
    pub async fn keeps_time(&self) -> bool {
        let before = self.door().ticks();
        self.door().earlier.notify_one();
        for _ in 0..TICK_LOOKS_MAX {
            if self.door().ticks() != before {
                return true;
            }
            tokio::time::sleep(TICK_LOOK_EVERY).await;
        }
        false
    }

    /// Whether the driver's lock is to be had within a second. Waits as long, so it is not to be
    /// called by a task.
    #[must_use]
    pub fn can_be_had(&self) -> bool {
        self.door().can_be_had(LOCK_MAX)
    }
}
