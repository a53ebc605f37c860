//! What the driver keeps under its one lock: machine, deadlines, clock, and who is connected.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

use crate::deadlines::{At, Deadlines, Slot};
use crate::machine::{
    Command, Event, Fence, Grant, Machine, Refusal, Reply, RequestId, SessionId, Ttl, WaitId,
    WaitTimeout,
};
use crate::notices::{Kind, Notices};

use super::Unavailable;
use super::clock::Clock;
use super::expiry::Backlog;
use super::ids;
use super::narration;
use super::outbox::Outbox;
use super::pending::{PendingBatch, changes};
use super::requests::{Outcome, UndeliveredGrant};
use super::watermark::{LogPosition, Watermark};

/// Resources that are emptied within so many ms are forgotten together, when the last may be.
const FORGET_EVERY_MS: u64 = 25;

/// What a deadline is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Session(SessionId),
    Wait(SessionId, WaitId),
    Request(RequestId),
}

/// What is known of a living session beside the machine.
#[derive(Debug)]
pub(super) struct SessionEntry {
    pub(super) slot: Slot,
    pub(super) ttl: Ttl,
    /// Requests under way: while there are any the session does not expire.
    pub(super) pins: u32,
    /// Its socket's outbox, if it has a socket.
    pub(super) socket: Option<Arc<Outbox>>,
    /// The highest `attempt` that a socket attached with.
    pub(super) attempt: Option<u64>,
}

/// A REST request that waits.
#[derive(Debug)]
pub(super) struct Pending {
    wait: WaitId,
    pub(super) session: SessionId,
    slot: Slot,
    answer: oneshot::Sender<(Outcome, LogPosition)>,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) machine: Machine,
    pub(super) clock: Clock,
    pub(super) deadlines: Deadlines<Due>,
    pub(super) sessions: HashMap<SessionId, SessionEntry>,
    /// Deadlines of waits by socket.
    wait_slots: BTreeMap<(SessionId, WaitId), Slot>,
    pub(super) requests: HashMap<RequestId, Pending>,
    next_request: u64,
    /// Until when emptied resources stay known.
    pub(super) forget: VecDeque<(At, u64)>,
    /// What fell due, and is yet to be applied.
    pub(super) backlog: Backlog,
    pub(super) expire_ms: u64,
    pub(super) watermark: Arc<Watermark>,
    /// What the command under way has announced.
    pub(super) events: Vec<Event>,
    /// The grant that was last handed to a request, and who shares it.
    pub(super) shared: Option<(Fence, Option<Arc<UndeliveredGrant>>)>,
    /// Sessions whose requests wait for something to become durable.
    pub(super) uncommitted: VecDeque<(LogPosition, SessionId)>,
    /// Grants that REST requests are yet to be told of, and that are undone if they never are.
    pub(super) undelivered: HashMap<Fence, Weak<UndeliveredGrant>>,
    /// Commands applied on behalf of clients, looks and refreshes included.
    pub(super) operations: u64,
    /// The server is going away: nobody waits any more.
    pub(super) leaving: bool,
    /// Tells this run of the server from others.
    pub(super) epoch: Arc<str>,
    /// What the journal is yet to be given; `None` without one.
    pub(super) pending: Option<PendingBatch>,
    /// Why it cannot be promised that what is done now will be remembered, if it cannot.
    pub(super) refuses: Option<Unavailable>,
    pub(super) notices: Arc<Notices>,
}

impl Core {
    pub(super) fn new(expire_ms: u64, watermark: Arc<Watermark>) -> Self {
        Self::over(Machine::new(), expire_ms, watermark)
    }

    /// A core over a machine that was there before: its sessions have their whole TTL, and the
    /// waits of sockets their whole length, from now on.
    pub(super) fn over(machine: Machine, expire_ms: u64, watermark: Arc<Watermark>) -> Self {
        Self {
            machine,
            clock: Clock::new(expire_ms),
            deadlines: Deadlines::default(),
            sessions: HashMap::new(),
            wait_slots: BTreeMap::new(),
            requests: HashMap::new(),
            next_request: 0,
            forget: VecDeque::new(),
            backlog: Backlog::default(),
            expire_ms,
            watermark,
            events: Vec::new(),
            shared: None,
            uncommitted: VecDeque::new(),
            undelivered: HashMap::new(),
            operations: 0,
            leaving: false,
            epoch: ids::epoch(),
            pending: None,
            refuses: None,
            notices: Arc::default(),
        }
    }

    /// The time now; whatever is due by now has been applied when this returns.
    pub(super) fn enter(&mut self) -> At {
        let idle = self.next_due() == At::NEVER;
        let (now, pause) = self.clock.now(idle);
        match pause.map(|pause| pause.as_millis()) {
            Some(ms) if ms >= 1000 => tracing::warn!(ms, "the server stood still; deadlines moved"),
            Some(ms) => tracing::debug!(ms, "the server was late; deadlines moved"),
            None => {}
        }
        self.run_deadlines(now);
        now
    }

    /// When the driver must run next, if at all. Applies what is due.
    pub(super) fn pulse(&mut self) -> Option<tokio::time::Instant> {
        let had_backlog = self.goes_on_at_once();
        let now = self.enter();
        if had_backlog {
            self.run_due_slice(now);
        }
        let next = self.next_due();
        if next == At::NEVER {
            self.clock.rest();
            return None;
        }
        Some(self.clock.wake(next))
    }

    /// Whether a slice of what is due comes next. While time stands still none does.
    pub(super) fn goes_on_at_once(&self) -> bool {
        !self.backlog.is_empty() && !self.clock.is_stopped()
    }

    /// The timer was asked to wake.
    pub(super) fn expect_pulse(&mut self) {
        self.clock.expect();
    }

    /// When something is next due; for the timer to know whether it must wake earlier.
    pub(super) fn next_due(&self) -> At {
        if self.clock.is_stopped() {
            return At::NEVER;
        }
        if !self.backlog.is_empty() {
            return At::default();
        }
        let forget = self.forget.front().map(|&(at, _)| at);
        [self.deadlines.next(), forget].into_iter().flatten().min().unwrap_or(At::NEVER)
    }

    /// Applies one command and sends out what it announces. The reply may leave when everything
    /// up to the position is durable.
    pub(super) fn submit(
        &mut self,
        command: &Command,
        now: At,
    ) -> (Result<Reply, Refusal>, LogPosition) {
        let mut answer = None;
        let position = self.submit_then(command, now, |_, reply, _| answer = Some(reply));
        match answer {
            Some(reply) => (reply, position),
            None => unreachable!("the reply is always passed on"),
        }
    }

    /// The same, for those who must have the reply before what the command announces is sent out.
    pub(super) fn submit_then(
        &mut self,
        command: &Command,
        now: At,
        then: impl FnOnce(&mut Self, Result<Reply, Refusal>, LogPosition),
    ) -> LogPosition {
        let mark = self.machine.emptied_mark();
        let reply = self.machine.apply(command, &mut self.events);
        if let Err(bound @ Refusal::Limit(_)) = reply {
            self.notices.refused(Kind::Bound, bound);
        }
        let position = match (&mut self.pending, &reply) {
            (Some(pending), Ok(reply)) if changes(command, reply) => {
                pending.add(command);
                self.watermark.applied()
            }
            // What changes nothing is not kept, but leaves no earlier than what it saw.
            (Some(_), _) => self.watermark.now(),
            (None, _) => self.watermark.applied(),
        };
        if tracing::enabled!(tracing::Level::DEBUG)
            && let Ok(reply) = &reply
        {
            narration::replied(command, reply);
        }
        then(self, reply, position);
        if !self.events.is_empty() {
            self.route_events(position, now);
        }
        let emptied = self.machine.emptied_mark();
        if emptied != mark {
            let due = now.after_ms(self.expire_ms);
            match self.forget.back_mut() {
                Some((at, up_to)) if due <= *at => *up_to = emptied,
                _ => self.forget.push_back((due.after_ms(FORGET_EVERY_MS), emptied)),
            }
        }
        position
    }

    /// A grant that may be undone because nobody was told of it yet.
    pub(super) fn share(&mut self, session: SessionId, grant: &Grant) -> Arc<UndeliveredGrant> {
        let share = UndeliveredGrant::new(session, grant);
        self.undelivered.insert(grant.fence(), Arc::downgrade(&share));
        share
    }

    /// The session is told of a grant in another way: it stands, whoever else is told.
    pub(super) fn confirm(&self, fence: Fence) {
        if let Some(share) = self.undelivered.get(&fence).and_then(Weak::upgrade) {
            share.tell();
        }
    }

    /// The position of an answer that comes from looking only.
    pub(super) fn position(&self) -> LogPosition {
        self.watermark.now()
    }

    /// Opens a session with a new id.
    pub(super) fn open(
        &mut self,
        name: crate::machine::SessionName,
        ttl: Ttl,
        source: Box<str>,
        now: At,
    ) -> (SessionId, LogPosition) {
        let session = ids::new_session_id();
        let (reply, position) = self.submit(&Command::Open { session, name, ttl, source }, now);
        debug_assert_eq!(reply, Ok(Reply::Done));
        self.add_session(session, ttl, now);
        (session, position)
    }

    pub(super) fn add_session(&mut self, session: SessionId, ttl: Ttl, now: At) {
        let due = now.after_ms(u64::from(ttl.as_ms()));
        let slot = self.deadlines.insert(Due::Session(session), due);
        let entry = SessionEntry { slot, ttl, pins: 0, socket: None, attempt: None };
        self.sessions.insert(session, entry);
    }

    /// A number for a REST request that may wait.
    pub(super) fn next_request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    /// Enters a REST request that has a place in a queue.
    pub(super) fn await_answer(
        &mut self,
        request: RequestId,
        wait: WaitId,
        session: SessionId,
        wait_ms: u64,
        now: At,
    ) -> oneshot::Receiver<(Outcome, LogPosition)> {
        let (answer, receiver) = oneshot::channel();
        let slot = self.deadlines.insert(Due::Request(request), now.after_ms(wait_ms));
        self.pin(&session);
        self.requests.insert(request, Pending { wait, session, slot, answer });
        receiver
    }

    /// A REST request stops waiting, for its time is up or its client hung up.
    pub(super) fn stop_waiting(&mut self, request: RequestId, outcome: Outcome, now: At) {
        if let Some(pending) = self.requests.get(&request) {
            let wait = pending.wait;
            self.submit_then(&Command::Withdraw { wait, request }, now, no_answer);
            self.answer(request, outcome, self.position(), now);
        }
    }

    pub(super) fn answer(
        &mut self,
        request: RequestId,
        outcome: Outcome,
        position: LogPosition,
        now: At,
    ) {
        if let Some(pending) = self.requests.remove(&request) {
            self.deadlines.remove(pending.slot);
            self.unpin(&pending.session, now);
            self.hold_until(position, pending.session);
            // A receiver that is gone has dropped its request already, or is about to: it then
            // finds the outcome in its channel.
            let _ = pending.answer.send((outcome, position));
        }
    }

    /// Answers all REST requests that wait as if their time were up.
    pub(super) fn stop_all_waiting(&mut self, now: At) {
        let mut requests: Vec<RequestId> = self.requests.keys().copied().collect();
        requests.sort_unstable();
        for request in requests {
            self.stop_waiting(request, Outcome::TimedOut, now);
        }
    }

    /// A wait by socket lasts until `length` from now, or longer if it does already.
    pub(super) fn time_wait(
        &mut self,
        session: SessionId,
        wait: WaitId,
        length: WaitTimeout,
        now: At,
    ) {
        let due = match length {
            WaitTimeout::Session => At::NEVER,
            WaitTimeout::Ms(ms) => now.after_ms(u64::from(ms)),
        };
        if let Some(&slot) = self.wait_slots.get(&(session, wait)) {
            self.deadlines.set(slot, due.max(self.deadlines.due(slot)));
        } else {
            let slot = self.deadlines.insert(Due::Wait(session, wait), due);
            self.wait_slots.insert((session, wait), slot);
        }
    }

    /// Whether a wait by socket is timed.
    pub(super) fn has_timed_wait(&self, session: SessionId, wait: WaitId) -> bool {
        self.wait_slots.contains_key(&(session, wait))
    }

    /// A wait by socket has ended.
    pub(super) fn untime_wait(&mut self, session: SessionId, wait: WaitId) {
        if let Some(slot) = self.wait_slots.remove(&(session, wait)) {
            self.deadlines.remove(slot);
        }
    }

    pub(super) fn untime_all_waits(&mut self, session: SessionId) {
        let all = (session, WaitId(0))..=(session, WaitId(u64::MAX));
        let waits: Vec<WaitId> = self.wait_slots.range(all).map(|(&(_, wait), _)| wait).collect();
        for wait in waits {
            self.untime_wait(session, wait);
        }
    }
}

/// For commands of the driver's own, which nobody waits to be answered.
pub(super) fn no_answer(_: &mut Core, _: Result<Reply, Refusal>, _: LogPosition) {}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use crate::machine::{Name, SessionName};

    use super::*;

    /// Only who ran into a bound was told; whoever runs the server learned nothing.
    #[tokio::test]
    async fn a_bound_that_is_reached_is_told_to_the_log() {
        let (mut log, told) = io::pipe().unwrap();
        let told = tracing_subscriber::fmt().with_writer(Arc::new(told)).finish();
        tracing::subscriber::with_default(told, || {
            let mut core = Core::new(500, Arc::new(Watermark::new(false)));
            core.boot(0, 0);
            let now = core.enter();
            let name = SessionName::parse("worker 1").unwrap();
            let session = core.open(name, Ttl::new(10_000).unwrap(), "here".into(), now).0;
            for number in 0..10_003 {
                let resource = Name::parse(&format!("r{number}")).unwrap();
                let watch = Command::Watch { session, resource, changes: true };
                let _ = core.submit(&watch, now);
            }
            core.notices.finish();
        });
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("a session has at most 10000 watches"), "{text}");
        assert!(lines[1].contains("2 more"), "{text}");
    }
}
