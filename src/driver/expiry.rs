//! What falls due: sessions and waits that run out, and emptied resources that are forgotten.
//!
//! Many that fall due together end in slices, so that nobody waits for all of them. The first
//! slices condemn: sessions leave their queues, what they issued vanishes, and nobody knows them
//! any more. No slice grants anything before all that fell due are condemned. Then their holds pass
//! on, slice by slice, in the order in which the sessions fell due. So nothing is granted to a
//! session that ends at the same time, as if all had ended in one step.

use std::collections::VecDeque;

use crate::deadlines::At;
use crate::machine::{Command, Reply, SessionId};

use super::core::{Core, Due, no_answer};
use super::narration;
use super::requests::Outcome;

/// Most sessions and waits that run out in one visit.
pub(super) const DUE_SLICE: usize = 500;
/// When so much has ended, all that the sessions had included, the visit ends.
const WEIGHT_SLICE: usize = 2500;
/// Most entries of the deadlines that are looked at in one visit: most have been moved.
const LOOKS_SLICE: u32 = 5000;

/// What one visit could not finish.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Sessions whose holds are yet to pass on, in the order in which they fell due.
    condemned: VecDeque<SessionId>,
    /// There is more that is due.
    more_due: bool,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.condemned.is_empty() && !self.more_due
    }
}

/// What one visit may end yet.
struct Room {
    ends: usize,
    weight: usize,
}

impl Room {
    fn is_left(&self) -> bool {
        self.ends > 0 && self.weight > 0
    }

    /// Something ends that weighs so much. The last one of a visit may be heavier than is left.
    fn take(&mut self, weight: usize) {
        self.ends -= 1;
        self.weight = self.weight.saturating_sub(weight);
    }
}

impl Core {
    /// Applies what is due by now. The timer alone works a backlog off: whoever else comes
    /// meanwhile is not held up by it.
    pub(super) fn run_deadlines(&mut self, now: At) {
        if !self.clock.is_stopped() && self.backlog.is_empty() {
            self.run_due_slice(now);
            self.forget_due(now);
        }
    }

    /// Applies the next slice of what is due by now.
    pub(super) fn run_due_slice(&mut self, now: At) {
        let (mut sessions, mut waits) = (Vec::new(), Vec::new());
        let mut looks = LOOKS_SLICE;
        let mut room = Room { ends: DUE_SLICE, weight: WEIGHT_SLICE };
        while room.is_left()
            && let Some((_, due)) = self.deadlines.pop(now, &mut looks)
        {
            match due {
                Due::Session(session) => {
                    room.take(self.machine.weight(&session));
                    sessions.push(session);
                }
                Due::Wait(..) | Due::Request(_) => {
                    room.take(1);
                    waits.push(due);
                }
            }
        }
        self.backlog.more_due = self.deadlines.next().is_some_and(|at| at <= now);
        if !sessions.is_empty() {
            narration::expired(&self.machine, &sessions);
            if self.backlog.is_empty() {
                self.submit_then(&Command::Expire { sessions }, now, no_answer);
            } else {
                self.backlog.condemned.extend(&sessions);
                self.submit_then(&Command::Condemn { sessions }, now, no_answer);
            }
        }
        for due in waits {
            self.end_wait(due, now);
        }
        if !self.backlog.more_due && !self.backlog.condemned.is_empty() {
            let mut sessions = Vec::new();
            while room.is_left()
                && let Some(session) = self.backlog.condemned.pop_front()
            {
                room.take(self.machine.weight(&session));
                sessions.push(session);
            }
            if !sessions.is_empty() {
                self.submit_then(&Command::Expire { sessions }, now, no_answer);
            }
        }
    }

    fn end_wait(&mut self, due: Due, now: At) {
        match due {
            // An earlier command of this visit may have ended it.
            Due::Wait(session, wait) => {
                if self.has_timed_wait(session, wait) {
                    self.submit_then(&Command::TimeOut { wait }, now, no_answer);
                }
            }
            Due::Request(request) => self.stop_waiting(request, Outcome::TimedOut, now),
            Due::Session(_) => {}
        }
    }

    fn forget_due(&mut self, now: At) {
        if let Some(&(at, up_to)) = self.forget.front()
            && at <= now
        {
            let more = self.submit(&Command::Forget { up_to }, now).0;
            if more != Ok(Reply::Forgotten { more: true }) {
                self.forget.pop_front();
            }
        }
    }
}
