//! What falls due: sessions and waits that run out, and emptied resources that are forgotten.
//!
//! Many that fall due together end in slices, so that nobody waits for all of them. The first
//! slices condemn: sessions leave their queues, what they issued vanishes, and nobody knows them
//! any more. No slice grants anything before all that fell due are condemned. Then their holds pass
//! on, slice by slice, in the order in which the sessions fell due. So nothing is granted to a
//! session that ends at the same time, as if all had ended in one step.

use crate::deadlines::At;
use crate::machine::Command;

use super::address::ReplyTo;
use super::backlog::Room;
use super::due::Due;
use super::{State, narration};

/// Most sessions and waits that run out in one visit.
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
                self.submit(Command::Expire { sessions }, ReplyTo::Nobody, now);
            } else {
                self.backlog.condemned.extend(&sessions);
                self.submit(Command::Condemn { sessions }, ReplyTo::Nobody, now);
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
                self.submit(Command::Expire { sessions }, ReplyTo::Nobody, now);
            }
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
            Due::Session(_) => {}
        }
    }

    pub(super) fn forget_due(&mut self, now: At) {
        if let Some(up_to) = self.forgetting.due(now) {
            self.submit(Command::Forget { up_to }, ReplyTo::Nobody, now);
        }
    }

    /// Whether more is due than one visit could finish, and the timer is to see to it.
    pub(in crate::driver) fn has_backlog(&self) -> bool {
        self.queue.is_none() && !self.backlog.is_empty()
    }
}
