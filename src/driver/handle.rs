//! The cheap handle on the one machine of the process.

use std::fmt;
use std::sync::{Arc, Mutex};

use tokio::sync::{oneshot, watch};

use crate::log::Order;
use crate::machine::{Counts, Fence, Machine, Tally};
use crate::notices::Notices;

use super::clock::{Clock, WallClock};
use super::commit::watermark::{LogPosition, Watermark};
use super::meters::DriverMeters;
use super::mode::Unavailable;
use super::state::State;
use super::state::queue::Turn;
use super::state::restart::first_fence;
use super::timer;
use super::visit::{Caller, Door, Visit};
use super::writer::config::PersistenceStatus;

/// A handle on the one machine of the process. Cheap to clone.
#[derive(Clone)]
pub struct Driver(Arc<Shared>);

struct Shared {
    order: Order,
    door: Door,
    watermark: Arc<Watermark>,
    /// Figures of what is logged.
    persistence: Mutex<Option<PersistenceStatus>>,
    /// Why nothing can be kept any more.
    failure: watch::Sender<Option<String>>,
    notices: Arc<Notices>,
    meters: Arc<DriverMeters>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}

/// Figures for the status page.
#[derive(Clone, Debug)]
pub struct Status {
    /// How many there are of everything.
    pub counts: Counts,
    /// What has happened since the start.
    pub tally: Tally,
    /// Requests carried out since the start.
    pub operations: u64,
    /// No new sessions are taken.
    pub is_draining: bool,
    /// What is kept on disk, if anything is.
    pub persistence: Option<PersistenceStatus>,
}

impl Driver {
    /// A driver over an empty machine. `expire_ms` bounds how late a session ends, and is how long
    /// an emptied resource stays known. [`Driver::run`] must run beside it.
    #[must_use]
    pub fn new(expire_ms: u32) -> Self {
        let watermark = Arc::new(Watermark::new(false));
        let wall = WallClock::System;
        Self::start(Machine::new(), expire_ms, watermark, None, (first_fence(0, wall.ms()), wall))
    }

    /// A driver in which nothing is durable before [`Driver::make_durable`] says so.
    #[must_use]
    pub fn gated(expire_ms: u32) -> Self {
        let watermark = Arc::new(Watermark::new(true));
        let wall = WallClock::System;
        Self::start(Machine::new(), expire_ms, watermark, None, (first_fence(0, wall.ms()), wall))
    }

    /// A driver over what a log brought back, whose writer says what is durable. Fences go on from
    /// `fence`.
    pub(super) fn over(
        machine: Machine,
        order: Order,
        expire_ms: u32,
        (fence, wall): (Fence, WallClock),
    ) -> Self {
        let watermark = Arc::new(Watermark::new(true));
        Self::start(machine, expire_ms, watermark, Some(order), (fence, wall))
    }

    fn start(
        machine: Machine,
        expire_ms: u32,
        watermark: Arc<Watermark>,
        log: Option<Order>,
        (fence, wall): (Fence, WallClock),
    ) -> Self {
        let mut clock = Clock::new(expire_ms.into());
        let mut state = State::new(machine, expire_ms.into(), watermark.clone(), log, wall);
        let now = clock.now(true).0;
        state.start(fence, now);
        let (notices, failure) = (state.notices.clone(), watch::Sender::new(None));
        let meters = state.meters.clone();
        let door = Door::new(state, clock);
        let (order, persistence) = (log.unwrap_or(Order::ApplyFirst), Mutex::default());
        let shared = Shared { order, door, watermark, persistence, failure, notices, meters };
        Self(Arc::new(shared))
    }

    pub(super) fn door(&self) -> &Door {
        &self.0.door
    }

    pub(super) fn watermark(&self) -> &Watermark {
        &self.0.watermark
    }

    /// Lets a client in, unless the mode refuses it.
    #[inline]
    pub(super) fn visit(&self) -> Result<Visit<'_>, Unavailable> {
        self.0.door.visit(Caller::Client)
    }

    /// Lets in a client who says that it is there.
    #[inline]
    pub(super) fn visit_alive(&self) -> Visit<'_> {
        self.0.door.visit_alive()
    }

    /// Lets the driver itself in.
    #[inline]
    pub(super) fn visit_as_driver(&self) -> Visit<'_> {
        self.0.door.visit_as_driver()
    }

    /// Everything applied so far has become durable.
    pub fn make_durable(&self) {
        let position = self.visit_as_driver().position();
        self.advance_watermark(position);
    }

    /// Everything up to here has become durable.
    pub(super) fn advance_watermark(&self, position: LogPosition) {
        self.0.watermark.advance(position);
        let mut visit = self.visit_as_driver();
        let now = visit.now;
        visit.committed(now);
    }

    /// Waits until everything up to the position is durable.
    #[inline]
    pub(super) async fn reached(&self, position: LogPosition) -> Result<(), Unavailable> {
        self.0.watermark.reached(position).await
    }

    /// Waits until all that was asked before is applied, if a log orders it first. Who looks at
    /// the state then looks behind it.
    pub(super) async fn settled(&self) -> Result<(), Unavailable> {
        if self.0.order == Order::ApplyFirst {
            return Ok(());
        }
        let (sender, receiver) = oneshot::channel();
        {
            let mut visit = self.visit()?;
            let now = visit.now;
            visit.take_turn(Turn::Barrier(sender), now);
        }
        receiver.await.map_err(|_| self.visit_as_driver().mode.why_unanswered())
    }

    /// Whether the server is about to end.
    pub(super) fn is_leaving(&self) -> bool {
        !self.visit_as_driver().mode.may_stay()
    }

    pub(super) fn set_persistence(&self, status: PersistenceStatus) {
        if let Ok(mut persistence) = self.0.persistence.lock() {
            *persistence = Some(status);
        }
    }

    /// The disk is full: nothing is done, and time stands still, until [`Driver::have_room`].
    pub(super) fn wait_for_room(&self) {
        let mut visit = self.visit_as_driver();
        visit.mode.fill_up();
        visit.stop_time();
    }

    /// There is room on the disk again.
    pub(super) fn have_room(&self) {
        let mut visit = self.visit_as_driver();
        visit.mode.have_room();
        visit.resume_time();
        drop(visit);
        self.0.door.earlier.notify_one();
    }

    /// Nothing can be kept any more: whoever waits for it is told so, and sockets that the server
    /// goes away.
    pub(super) fn fail(&self, why: &str) {
        if self.visit_as_driver().fail() {
            tracing::error!("nothing can be kept any more: {why}");
        }
        self.0.failure.send_replace(Some(why.to_owned()));
    }

    /// Waits for the failure of the log, which is the end of the server; gives its reason.
    pub async fn failed(&self) -> String {
        let mut failure = self.0.failure.subscribe();
        loop {
            let why = failure.borrow_and_update().clone();
            match why {
                Some(why) => return why,
                // The sender lives as long as this does.
                None => drop(failure.changed().await),
            }
        }
    }

    /// Applies what falls due, when it does, and wakes those who wait for the journal. Runs until
    /// it is dropped.
    pub async fn run(self) {
        tokio::join!(self.0.watermark.notify(), timer::run(&self.0.door));
    }

    /// Where the log is told what is refused.
    #[must_use]
    pub fn notices(&self) -> Arc<Notices> {
        self.0.notices.clone()
    }

    /// What the driver measures.
    #[must_use]
    pub fn meters(&self) -> Arc<DriverMeters> {
        self.0.meters.clone()
    }

    /// Figures for the status page.
    #[must_use]
    pub fn status(&self) -> Status {
        let visit = self.visit_as_driver();
        let (counts, tally) = (visit.machine.counts(), *visit.machine.tally());
        let (operations, is_draining) = (visit.operations, visit.draining);
        drop(visit);
        // Nothing can panic under its lock.
        let persistence = self.0.persistence.lock().ok().and_then(|status| status.clone());
        Status { counts, tally, operations, is_draining, persistence }
    }

    /// Answers all requests that wait as if their time were up; from now on none waits.
    pub fn stop_waiting(&self) {
        let mut visit = self.visit_as_driver();
        let now = visit.now;
        visit.mode.leave();
        visit.withdraw_all(now);
    }
}
