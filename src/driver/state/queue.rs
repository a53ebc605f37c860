//! What is asked of the state, and waits for its turn where a log orders before anything is
//! applied.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::access::Subject;
use crate::driver::mode::Unavailable;
use crate::driver::outbox::Outbox;
use crate::driver::outbox::message::{Answered, Ending, Message, RequestMark};
use crate::machine::{Command, Name, RequestId, SessionId};

use super::address::ReplyTo;
use super::speaker::Speaker;
use super::undelivered::UndeliveredGrant;
use super::verdict::Verdict;

/// What is asked of the state. It has its turn behind all that was asked before.
#[derive(Debug)]
pub(in crate::driver) enum Turn {
    /// A command is applied, and its reply goes there.
    Command(Command, ReplyTo),
    /// A request that waits, if it still does, leaves the queue.
    Withdraw(RequestId),
    /// A grant is given back, if nobody is left who could be told of it, nor was told.
    TakeBack(Arc<UndeliveredGrant>),
    /// A socket speaks for its session from now on, and is told the state in answer to its request
    /// of that id.
    Attach(Speaker, RequestMark, Option<Subject>),
    /// Who spoke for a session was judged.
    Review(SessionId, Option<Subject>, Verdict),
    /// A socket shows another proof, in its request of that id.
    Renew(Speaker, RequestMark, Subject),
    /// A socket no longer speaks; whether its first answer was still on the way.
    Detach(Speaker, bool),
    /// A socket is told the state.
    State(Speaker, RequestMark),
    /// A socket looks at a resource, in its request of that id; at most so many who hold it and
    /// who wait are told.
    Look(Speaker, RequestMark, Name, usize),
    /// A socket is answered what the state has no part in.
    Answer(Speaker, RequestMark, Answered),
    /// A socket is to be closed when everything before that was answered.
    End(Arc<Outbox>, Ending),
    /// Somebody who is to look only when all before that was applied.
    Barrier(oneshot::Sender<()>),
}

impl Turn {
    /// Whose sign of life it is.
    fn session(&self) -> Option<SessionId> {
        match self {
            Self::Command(_, to) => to.session(),
            Self::State(speaker, _)
            | Self::Look(speaker, ..)
            | Self::Answer(speaker, ..)
            | Self::Renew(speaker, ..) => Some(speaker.session),
            Self::Withdraw(_)
            | Self::TakeBack(_)
            | Self::Attach(..)
            | Self::Detach(..)
            | Self::Review(..)
            | Self::End(..)
            | Self::Barrier(_) => None,
        }
    }
}

/// What waits for its turn.
#[derive(Debug, Default)]
pub(super) struct TurnQueue {
    turns: VecDeque<Turn>,
    /// Something is due by now.
    is_due: bool,
    /// The writer was woken for the next batch, or has one under way.
    is_asked: bool,
}

impl TurnQueue {
    pub(super) fn push(&mut self, turn: Turn) {
        self.turns.push_back(turn);
    }

    /// Something is due, which the next batch begins with.
    pub(super) fn fall_due(&mut self) {
        self.is_due = true;
    }

    /// Whether nothing is to be looked for until the batch that is asked for has been applied.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Whether the writer is to be woken. Says so once for each batch.
    pub(super) fn take_news(&mut self) -> bool {
        let is_news = !self.is_asked && (self.is_due || !self.turns.is_empty());
        self.is_asked |= is_news;
        is_news
    }

    /// A batch is made: what waited, in order. What is pushed from now on is what is due.
    pub(super) fn begin(&mut self) -> VecDeque<Turn> {
        (self.is_due, self.is_asked) = (false, true);
        std::mem::take(&mut self.turns)
    }

    /// What waited goes behind what was due.
    pub(super) fn append(&mut self, waited: VecDeque<Turn>) {
        self.turns.extend(waited);
    }

    pub(super) fn pop(&mut self) -> Option<Turn> {
        self.turns.pop_front()
    }

    /// It has its turn in the next batch.
    pub(super) fn push_front(&mut self, turn: Turn) {
        self.turns.push_front(turn);
    }

    /// A batch was applied, or there was none to be made.
    pub(super) fn end(&mut self) {
        self.is_asked = false;
    }

    /// Nobody is answered any more: each finds out by the end of its channel. A socket that has not
    /// come yet is told here, for nobody else knows of it.
    pub(super) fn fail(&mut self) {
        for turn in self.turns.drain(..) {
            if let Turn::Attach(Speaker { outbox, .. }, id, _) = turn {
                let failed = Answered::Unavailable(Unavailable::Failed);
                outbox.push_first(Message::Answer(id, failed));
                outbox.fail();
            }
        }
    }
}

/// The sessions that are heard by what waits.
pub(super) fn heard(turns: &VecDeque<Turn>) -> Vec<SessionId> {
    turns.iter().filter_map(Turn::session).collect()
}
