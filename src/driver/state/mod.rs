//! What the driver keeps under its one lock: the machine, and tables that follow its events. `now`
//! is an argument here; there is no task, no await and no clock.

pub(super) mod address;
mod attachment;
mod audited;
mod backlog;
#[cfg(debug_assertions)]
mod check;
mod due;
mod expiry;
mod forgetting;
mod narration;
mod progress;
pub(super) mod queue;
mod reply;
pub(super) mod restart;
mod rounds;
mod route;
mod sessions;
pub(super) mod speaker;
pub(super) mod standing;
mod streams;
mod telling;
mod timings;
pub(super) mod turns;
pub(super) mod undelivered;
pub(super) mod verdict;
mod waits;
pub(super) mod watched;

use std::sync::Arc;

use crate::audit::Audit;
use crate::deadlines::{At, Deadlines};
use crate::log::Order;
use crate::machine::{Command, Event, Machine, Refusal, Reply, RequestId, SessionId};
use crate::notices::{NoticeKind, Notices};

use super::clock::WallClock;
use super::commit::buffer::Buffer;
use super::commit::watermark::{LogPosition, Watermark};
use super::ids;
use super::meters::DriverMeters;
use super::mode::DriverMode;

use address::ReplyTo;
use backlog::{Backlog, Serving};
use due::Due;
use forgetting::Forgetting;
use progress::Progress;
use queue::{Turn, TurnQueue};
use sessions::Sessions;
use streams::Streams;
use timings::Timings;
use undelivered::UndeliveredGrants;
use waits::Waits;

/// Everything under the driver's lock but the clock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) machine: Machine,
    pub(super) mode: DriverMode,
    /// No new sessions are taken.
    pub(super) draining: bool,
    pub(super) sessions: Sessions,
    pub(super) waits: Waits,
    pub(super) undelivered: UndeliveredGrants,
    pub(super) buffer: Buffer,
    pub(super) watermark: Arc<Watermark>,
    /// Tells what time it is.
    pub(super) wall: WallClock,
    /// Commands applied on behalf of clients, questions and refreshes included.
    pub(super) operations: u64,
    /// Tells this run of the server from others.
    pub(super) epoch: Arc<str>,
    pub(super) notices: Arc<Notices>,
    pub(super) meters: Arc<DriverMeters>,
    /// What is told of commands, where there is a trail.
    pub(super) audit: Option<Audit>,
    deadlines: Deadlines<Due>,
    /// When holds and delays end.
    timings: Timings,
    forgetting: Forgetting,
    /// What fell due, and is yet to be applied.
    backlog: Backlog,
    /// Of which resources more waits are to be granted.
    serving: Serving,
    progress: Progress,
    streams: Streams,
    /// When the machine was told last what time it is.
    clocked: Option<At>,
    /// What the command under way has announced.
    events: Vec<Event>,
    /// What has its turn behind the command under way.
    afterwards: Vec<Turn>,
    /// What waits for its turn, with a log that orders first.
    queue: Option<TurnQueue>,
}

impl State {
    /// A state over a machine, none of whose events were followed yet (see [`State::start`]). An
    /// emptied resource stays known for `expire_ms`.
    pub(super) fn new(
        machine: Machine,
        expire_ms: u64,
        watermark: Arc<Watermark>,
        log: Option<Order>,
        wall: WallClock,
    ) -> Self {
        let mut machine = machine;
        machine.begin_tally();
        let queue = (log == Some(Order::AppendFirst)).then(TurnQueue::default);
        Self {
            machine,
            mode: DriverMode::default(),
            draining: false,
            sessions: Sessions::default(),
            waits: Waits::default(),
            undelivered: UndeliveredGrants::default(),
            buffer: Buffer::new(watermark.clone(), log == Some(Order::ApplyFirst)),
            watermark,
            wall,
            operations: 0,
            epoch: ids::epoch(),
            notices: Arc::default(),
            meters: Arc::default(),
            audit: None,
            deadlines: Deadlines::default(),
            timings: Timings::default(),
            forgetting: Forgetting::new(expire_ms),
            backlog: Backlog::default(),
            serving: Serving::default(),
            progress: Progress::default(),
            streams: Streams::default(),
            clocked: None,
            events: Vec::new(),
            afterwards: Vec::new(),
            queue,
        }
    }

    /// Applies a command, gives it to a log that comes behind if it changed anything, delivers its
    /// reply, then routes what it announces. What comes of it may leave when everything up to its
    /// position is durable.
    fn apply(&mut self, command: &Command, to: ReplyTo, now: At) {
        if let (Command::Unwatch { resource, .. }, ReplyTo::Socket(address)) = (command, &to) {
            address.speaker.outbox.drop_change(resource);
        }
        let endings = self.audit.as_ref().map(|_| audited::endings(&self.machine, command));
        let clocked = self.clocked.unwrap_or(now);
        self.machine.set_behind_ms(now.since(clocked) / 1000);
        let applied = self.machine.apply(command, &mut self.events);
        if let Some((audit, endings)) = self.audit.as_ref().zip(endings) {
            let done =
                audited::DoneCommand { command, applied: &applied, outsider: to.as_outsider() };
            let waits = |request| self.waits.request(request).map(|wait| wait.session);
            audited::tell(audit, &self.machine, &done, endings, &self.events, waits);
        }
        if applied.changed {
            self.streams.changed();
        }
        let position = self.buffer.push(command, applied.changed);
        match &applied.reply {
            Err(bound @ Refusal::Limit(_)) => self.notices.refused(NoticeKind::Bound, *bound),
            Ok(reply) if tracing::enabled!(tracing::Level::DEBUG) => {
                narration::replied(command, reply);
            }
            _ => {}
        }
        if let (Command::Adopt { session, owner }, Ok(Reply::Adopted(true))) =
            (command, &applied.reply)
        {
            self.adopted(session, owner, position);
        }
        self.deliver(to, command, applied.reply, position, now);
        if !self.events.is_empty() {
            self.route_events(position, now);
        }
        if !self.afterwards.is_empty() {
            for turn in std::mem::take(&mut self.afterwards) {
                self.take_turn(turn, now);
            }
        }
    }

    /// A REST request stops waiting, for its time is up or its client hung up.
    pub(super) fn withdraw(&mut self, request: RequestId, now: At) {
        if let Some(waits) = self.waits.request(request) {
            let wait = waits.wait;
            self.submit(Command::Withdraw { wait, request }, ReplyTo::Nobody, now);
        }
    }

    /// All REST requests stop waiting.
    pub(super) fn withdraw_all(&mut self, now: At) {
        for request in self.waits.requests() {
            self.withdraw(request, now);
        }
    }

    /// The position of an answer that comes from looking only.
    #[inline]
    pub(super) fn position(&self) -> LogPosition {
        self.watermark.now()
    }

    /// Whether whoever writes the log is to be woken. Says so once.
    pub(super) fn take_news(&mut self) -> bool {
        self.queue.as_mut().map_or_else(|| self.buffer.take_news(), TurnQueue::take_news)
    }

    /// The time has come to apply what is due by now, or to have it ordered.
    pub(super) fn fall_due(&mut self, now: At) {
        let is_due = self.next_end() <= now;
        match &mut self.queue {
            Some(queue) if is_due => queue.fall_due(),
            None if is_due => self.run_due(now),
            Some(_) | None => {}
        }
    }

    /// When something is next due, if ever.
    pub(super) fn next_due(&self) -> At {
        let told = [self.progress.next(), self.streams.next()];
        told.into_iter().flatten().min().unwrap_or(At::NEVER).min(self.next_end())
    }

    /// When something next ends, or goes on, by a command. With a log that orders first it is
    /// looked for when the batch under way was applied.
    fn next_end(&self) -> At {
        if self.queue.as_ref().is_some_and(TurnQueue::is_asked) {
            return At::NEVER;
        }
        if !self.backlog.is_empty() || !self.serving.is_empty() {
            return At::default();
        }
        let forget = self.forgetting.next();
        [self.deadlines.next(), forget].into_iter().flatten().min().unwrap_or(At::NEVER)
    }

    /// Something was heard from a session: its TTL runs anew. False when there is no such one.
    #[inline]
    pub(super) fn refresh(&mut self, session: &SessionId, now: At) -> bool {
        self.sessions.refresh(session, &mut self.deadlines, now)
    }

    /// A request is under way: the session does not expire.
    pub(super) fn pin(&mut self, session: &SessionId) {
        self.sessions.pin(session, &mut self.deadlines);
    }

    /// A request is under way until its answer is durable.
    #[inline]
    pub(super) fn pin_until(&mut self, position: LogPosition, session: SessionId) {
        self.sessions.pin_until(position, session, &self.watermark, &mut self.deadlines);
    }

    /// A request is no longer under way.
    pub(super) fn unpin(&mut self, session: &SessionId, now: At) {
        self.sessions.unpin(session, &mut self.deadlines, now);
    }

    /// More has become durable.
    pub(super) fn committed(&mut self, now: At) {
        self.sessions.committed(&self.watermark, &mut self.deadlines, now);
    }

    /// Nothing can be kept any more, nor said. Whether that is news.
    pub(super) fn fail(&mut self) -> bool {
        let is_news = self.mode.fail();
        if let Some(queue) = &mut self.queue {
            queue.fail();
        }
        self.watermark.fail();
        self.waits.abandon_requests();
        self.streams.end();
        for socket in self.sessions.sockets() {
            socket.fail();
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use crate::machine::{Conduct, Fence, Name, SessionName, Ttl};

    use super::*;

    /// Only who ran into a bound was told; whoever runs the server learned nothing.
    #[tokio::test]
    async fn a_bound_that_is_reached_is_told_to_the_log() {
        let (mut log, told) = io::pipe().unwrap();
        let told = tracing_subscriber::fmt().with_writer(Arc::new(told)).finish();
        tracing::subscriber::with_default(told, || {
            let watermark = Arc::new(Watermark::new(false));
            let mut state = State::new(Machine::new(), 500, watermark, None, WallClock::System);
            let now = At::default();
            state.start(Fence(1), now);
            let name = SessionName::parse("worker 1").unwrap();
            let (session, ttl) = (SessionId([1; 20]), Ttl::new(10_000).unwrap());
            let (source, conduct) = ("here".into(), Conduct::default());
            let open = Command::Open { session, name, ttl, source, conduct };
            state.submit(open, ReplyTo::Nobody, now);
            for number in 0..10_003 {
                let resource = Name::parse(&format!("r{number}")).unwrap();
                let watch = Command::Watch { session, resource, changes: true };
                state.submit(watch, ReplyTo::Nobody, now);
            }
            state.notices.finish();
        });
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("a session has at most 10000 watches"), "{text}");
        assert!(lines[1].contains("2 more"), "{text}");
    }
}
