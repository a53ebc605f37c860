//! How what is asked has its turn: at once, or when a log has ordered it.

use crate::deadlines::At;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::message::{Answered, Ending, Message};
use crate::machine::Command;

use super::State;
use super::address::{ReplyTo, SocketAddress};
use super::queue::{Turn, TurnQueue, heard};

/// How often at most the machine is told what time it is, in ms.
const CLOCK_EVERY_MS: u64 = 1000;

/// A command on its way through a log, and where its reply goes.
pub(in crate::driver) type Ordered = (Command, ReplyTo);

impl State {
    /// What is asked has its turn: at once, or when a log has ordered all that was asked before.
    pub(in crate::driver) fn take_turn(&mut self, turn: Turn, now: At) {
        match &mut self.queue {
            None => {
                if let Some((command, to)) = self.carry_out(turn, now) {
                    if let Some(clock) = self.clock_if_due(now) {
                        self.apply(&clock, ReplyTo::Nobody, now);
                    }
                    self.apply(&command, to, now);
                }
            }
            Some(queue) => queue.push(turn),
        }
    }

    /// A command has its turn.
    pub(in crate::driver) fn submit(&mut self, command: Command, to: ReplyTo, now: At) {
        self.take_turn(Turn::Command(command, to), now);
    }

    /// Carries out what is asked, now that all before it was applied, but for the command that it
    /// comes to.
    fn carry_out(&mut self, turn: Turn, now: At) -> Option<Ordered> {
        let position = self.position();
        match turn {
            Turn::Command(mut command, to) => {
                if let ReplyTo::Socket(SocketAddress { speaker, id, .. }) = &to
                    && let Some(answer) = self.refused(&speaker.session, &mut command)
                {
                    speaker.outbox.push(Message::Answer(*id, answer), position);
                    return None;
                }
                return Some((command, to));
            }
            Turn::Withdraw(request) => {
                let wait = self.waits.request(request)?.wait;
                return Some((Command::Withdraw { wait, request }, ReplyTo::Nobody));
            }
            Turn::TakeBack(undelivered) => {
                let undoing = self.undelivered.take_back(undelivered)?;
                return Some((undoing, ReplyTo::Nobody));
            }
            Turn::Attach(speaker, id, subject) => {
                let rules = subject.as_ref().map(|subject| subject.rules().clone());
                self.attach(&speaker, subject);
                self.say_state(&speaker, id, position, now);
                if self.draining {
                    speaker.outbox.push(Message::Draining(true), position);
                }
                if let Some(rules) = rules {
                    self.hold_to(&speaker.session, &rules, now);
                }
            }
            Turn::Review(session, judged, verdict) => {
                let subject = self.sessions.subject(&session);
                let is_it = match (subject, &judged) {
                    (Some(subject), Some(judged)) => subject.is(judged),
                    (subject, judged) => subject.is_none() && judged.is_none(),
                };
                // Another proof came first.
                if is_it {
                    self.review(&session, verdict, position, now);
                }
            }
            Turn::Renew(speaker, id, subject) => self.renew(&speaker, id, subject, position, now),
            Turn::Detach(speaker, is_opening) => {
                if is_opening {
                    self.unpin(&speaker.session, now);
                }
                self.sessions.detach(&speaker.session, &speaker.outbox);
            }
            Turn::State(speaker, id) => self.say_state(&speaker, id, position, now),
            Turn::Look(speaker, id, resource, limit) => {
                let answer = self.look_of(&speaker.session, &resource, limit, now);
                speaker.outbox.push(Message::Answer(id, answer), position);
            }
            Turn::Answer(speaker, id, answered) => {
                // A heartbeat's answer says nothing about the state, so that it waits for nothing.
                let is_beat = matches!(answered, Answered::Beat(_));
                let position = if is_beat { LogPosition::default() } else { position };
                speaker.outbox.push(Message::Answer(id, answered), position);
            }
            Turn::End(outbox, ending) => {
                // That the client says no more is nothing that would have to be durable.
                let is_closed = matches!(ending, Ending::Closed);
                outbox.end(ending, if is_closed { LogPosition::default() } else { position });
            }
            Turn::Barrier(sender) => {
                // Who waited for it may be gone.
                let _ = sender.send(());
            }
        }
        None
    }

    /// The next batch for a log that orders first: what is due, then what was asked, up to what
    /// looks at the state behind it. It is made when all before it was applied.
    pub(in crate::driver) fn next_batch(&mut self, now: At) -> Vec<Ordered> {
        let mut batch = Vec::new();
        let waited = self.queue_mut().begin();
        for session in heard(&waited) {
            self.refresh(&session, now);
        }
        self.run_due_slice(now);
        self.serve_next(now);
        self.forget_due(now);
        self.queue_mut().append(waited);
        while let Some(turn) = self.queue_mut().pop() {
            if !batch.is_empty() && !matches!(turn, Turn::Command(..)) {
                self.queue_mut().push_front(turn);
                break;
            }
            batch.extend(self.carry_out(turn, now).filter(|(_, to)| !self.is_void(to)));
        }
        if batch.is_empty() {
            self.queue_mut().end();
        } else if let Some(clock) = self.clock_if_due(now) {
            batch.insert(0, (clock, ReplyTo::Nobody));
        }
        batch
    }

    /// What time it is, for the machine, which is told ahead of other commands and not too often.
    fn clock_if_due(&mut self, now: At) -> Option<Command> {
        let is_due = self.clocked.is_none_or(|clocked| clocked.after_ms(CLOCK_EVERY_MS) <= now);
        is_due.then(|| {
            self.clocked = Some(now);
            Command::Clock { ms: self.wall.ms() }
        })
    }

    fn queue_mut(&mut self) -> &mut TurnQueue {
        match &mut self.queue {
            Some(queue) => queue,
            None => unreachable!("batches are made for a log that orders first"),
        }
    }

    /// A batch was ordered: it is applied.
    pub(in crate::driver) fn apply_batch(&mut self, batch: Vec<Ordered>, now: At) {
        for (command, to) in batch {
            self.apply(&command, to, now);
        }
        self.watermark.advance(self.position());
        self.committed(now);
        self.queue_mut().end();
    }

    /// Whether a command is not to be carried out any more: its client hung up before it was
    /// ordered, or its socket no longer speaks for the session.
    fn is_void(&self, to: &ReplyTo) -> bool {
        match to {
            ReplyTo::Nobody => false,
            ReplyTo::Request(address) => address.sender.is_closed(),
            ReplyTo::Socket(SocketAddress { speaker, .. }) | ReplyTo::Bye(speaker, _) => {
                !self.is_current(speaker)
            }
        }
    }
}
