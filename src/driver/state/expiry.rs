//! What falls due: sessions that run out, claims whose time is up, lost holds, delays of tickets,
//! waits, and emptied resources that are forgotten, in this order. What frees comes before what
//! gives up.
//!
//! Many that fall due together end in slices, so that nobody waits for all of them. The first
//! slices condemn: sessions leave their queues, what they issued vanishes, and nobody knows them
//! any more. No slice grants anything before all that fell due are condemned. Then their holds pass
//! on, slice by slice, in the order in which the sessions fell due. So nothing is granted to a
//! session that ends at the same time, as if all had ended in one step. Then the other kinds end,
//! one behind the other.

use crate::deadlines::At;
use crate::driver::outbox::message::Message;
use crate::machine::{Command, Fence, SessionId, TimedClaim};

use super::address::ReplyTo;
use super::backlog::Room;
use super::due::Due;
use super::timings::HoldDue;
use super::{State, narration};

/// Most that runs out in one visit.
pub(super) const DUE_SLICE: usize = 500;
/// When so much has ended, all that the sessions had included, the visit ends.
const WEIGHT_SLICE: usize = 2500;
/// Most entries of the deadlines that are looked at in one visit: most have been moved.
const LOOKS_SLICE: u32 = 5000;

impl State {
    /// Applies what is due by now. The timer alone works a backlog off: whoever else comes
    /// meanwhile is not held up by it.
    pub(in crate::driver) fn run_due(&mut self, now: At) {
        if self.backlog.is_empty() {
            self.run_due_slice(now);
            self.forget_due(now);
        }
    }

    /// Applies the next slice of what is due by now.
    pub(in crate::driver) fn run_due_slice(&mut self, now: At) {
        let mut room = Room { ends: DUE_SLICE, weight: WEIGHT_SLICE };
        let sessions = self.gather_due(&mut room, now);
        if !sessions.is_empty() {
            narration::expired(&self.machine, &sessions);
            if self.backlog.condemned.is_empty() && !self.backlog.more_due {
                self.submit(Command::Expire { sessions }, ReplyTo::Nobody, now);
            } else {
                self.backlog.condemned.extend(&sessions);
                self.submit(Command::Condemn { sessions }, ReplyTo::Nobody, now);
            }
        }
        if self.backlog.more_due {
            return;
        }
        let mut sessions = Vec::new();
        while room.is_left()
            && let Some(session) = self.backlog.condemned.pop_front()
        {
            room.take(self.machine.weight(&session));
            sessions.push(session);
        }
        if !sessions.is_empty() {
            self.submit(Command::Expire { sessions }, ReplyTo::Nobody, now);
        }
        self.end_timed(&mut room, now);
    }

    /// Takes what is due by now: sessions, as many as there is room for; the rest is entered in the
    /// backlog.
    fn gather_due(&mut self, room: &mut Room, now: At) -> Vec<SessionId> {
        let (mut sessions, mut looks) = (Vec::new(), LOOKS_SLICE);
        while room.is_left()
            && let Some((_, due)) = self.deadlines.pop(now, &mut looks)
        {
            self.meters.lateness.measure_us(now.since(self.deadlines.popped()));
            match due {
                Due::Session(session) => {
                    room.take(self.machine.weight(&session));
                    sessions.push(session);
                }
                Due::Claim(fence) => {
                    match self.timings.claim_due(fence, &mut self.deadlines, now) {
                        HoldDue::Warning(left_ms) => {
                            room.take(1);
                            self.warn_of_end(fence, left_ms);
                        }
                        HoldDue::End => self.backlog.claims.push_back(fence),
                        HoldDue::Nothing => {}
                    }
                }
                Due::Lost(fence) => self.backlog.lost.push_back(fence),
                Due::Delay(delay) => self.backlog.delays.push_back(delay),
                Due::Wait(..) | Due::Request(_) => self.backlog.waits.push_back(due),
            }
        }
        self.backlog.more_due = self.deadlines.next().is_some_and(|at| at <= now);
        sessions
    }

    /// Tells the socket of a claim's session that its time is soon up.
    fn warn_of_end(&self, fence: Fence, left_ms: u32) {
        let Some(claim) = self.machine.timed_claim(fence) else { return };
        let TimedClaim { session, resource, ticket } = claim;
        if let Some(socket) = self.sessions.socket(&session) {
            let message = Message::ClaimExpiring { resource, ticket, fence, left_ms };
            socket.push(message, self.position());
        }
    }

    /// Ends of the backlog what there is room for, kind by kind: none begins before the kinds in
    /// front of it are done. What another command has ended, or begun anew, is passed over.
    fn end_timed(&mut self, room: &mut Room, now: At) {
        let (backlog, timings) = (&mut self.backlog, &self.timings);
        if room.is_left() {
            let fences = room.fill(&mut backlog.claims, |&fence| timings.is_over(fence, now));
            self.submit_some(fences, |fences| Command::EndHolds { fences }, now);
        }
        let (backlog, timings) = (&mut self.backlog, &self.timings);
        if room.is_left() {
            let fences = room.fill(&mut backlog.lost, |&fence| timings.is_over(fence, now));
            self.submit_some(fences, |fences| Command::EndLost { fences }, now);
        }
        let (backlog, timings) = (&mut self.backlog, &self.timings);
        if room.is_left() {
            let delays = room.fill(&mut backlog.delays, |&delay| timings.has_delay(delay));
            self.submit_some(delays, |delays| Command::Ripen { delays }, now);
        }
        if room.is_left() {
            for due in room.fill(&mut self.backlog.waits, |_| true) {
                self.end_wait(due, now);
            }
        }
    }

    fn submit_some<T>(&mut self, some: Vec<T>, command: impl FnOnce(Vec<T>) -> Command, now: At) {
        if !some.is_empty() {
            self.submit(command(some), ReplyTo::Nobody, now);
        }
    }

    fn end_wait(&mut self, due: Due, now: At) {
        match due {
            // An earlier command of this visit may have ended it.
            Due::Wait(session, wait) => {
                if self.waits.has_socket(session, wait) {
                    self.submit(Command::TimeOut { wait }, ReplyTo::Nobody, now);
                }
            }
            Due::Request(request) => self.withdraw(request, now),
            Due::Session(_) | Due::Claim(_) | Due::Lost(_) | Due::Delay(_) => {}
        }
    }

    pub(super) fn forget_due(&mut self, now: At) {
        if let Some(up_to) = self.forgetting.due(now) {
            self.submit(Command::Forget { up_to }, ReplyTo::Nobody, now);
        }
    }

    /// Of a resource whose pause has ended more waits are granted.
    pub(in crate::driver) fn serve_next(&mut self, now: At) {
        if let Some(resource) = self.serving.next() {
            self.submit(Command::Serve { resource }, ReplyTo::Nobody, now);
        }
    }

    /// Tells those who are told now and then.
    pub(in crate::driver) fn tell_now_and_then(&mut self, now: At) {
        self.tell_progress(now);
        self.tell_streams(now);
    }

    /// Whether more is due than one visit could finish, and the timer is to see to it.
    pub(in crate::driver) fn has_backlog(&self) -> bool {
        self.queue.is_none() && !(self.backlog.is_empty() && self.serving.is_empty())
    }
}
