//! Draws the random commands: few names, so that they meet, and mostly sensible ones, so that
//! something comes of them; but every field is also drawn stale, foreign or unknown now and then.
//! How commands are asked is drawn in `wishes`, and what they are about in `targets`.

use ticketd::machine::{
    Command, Fence, Kind, NodeId, RequestId, SessionId, WaitOrigin, WaitRequest,
};

use super::mixes::{Mix, Verb};
use crate::model::Model;
use crate::rng::Rng;

/// Draws one history.
pub(super) struct Draw {
    pub(super) rng: Rng,
    pub(super) mix: &'static Mix,
    /// Every session there ever was.
    pub(super) opened: Vec<SessionId>,
    /// Emptied marks read so far.
    marks: Vec<u64>,
    requests: u64,
    boot_fence: u64,
    clock_ms: u64,
}

impl Draw {
    pub(super) fn new(mix: &'static Mix, seed: u64) -> Self {
        let (opened, marks) = (Vec::new(), vec![0]);
        let (requests, boot_fence, clock_ms) = (0, 0, 0);
        Self { rng: Rng::new(seed), mix, opened, marks, requests, boot_fence, clock_ms }
    }

    /// The next command, for a machine that stands as `model` does.
    pub(super) fn command(&mut self, model: &Model) -> Command {
        match self.verb(model) {
            Verb::Open => self.open(),
            Verb::Adopt => Command::Adopt { session: self.session(model), owner: self.owner() },
            Verb::Issue => Command::Issue {
                session: self.session(model),
                resource: self.resource(model, Kind::Tickets),
                ticket: self.ticket(),
                data: self.data(),
                notify: self.rng.chance(1, 2),
                terms: self.terms(),
            },
            Verb::ClaimNamed => {
                let ticket = Some(self.ticket());
                self.claim(model, ticket)
            }
            Verb::ClaimAny => self.claim(model, None),
            Verb::ClaimFirst => self.claim_first(model),
            Verb::Touch => self.touch(model),
            Verb::Lock => Command::Lock {
                session: self.session(model),
                resource: self.resource(model, Kind::Lock),
                wait_request: self.ask(),
                ask: self.lock_ask(model),
            },
            Verb::Watch => Command::Watch {
                session: self.session(model),
                resource: self.any_resource(),
                changes: self.rng.chance(1, 2),
            },
            Verb::Revive => {
                let ticket = self.rng.chance(1, 2).then(|| self.ticket());
                let resource = self.resource(model, Kind::Tickets);
                Command::Revive { session: self.who(model), resource, ticket }
            }
            Verb::Pause => self.pause(model),
            Verb::Serve => Command::Serve { resource: self.any_resource() },
            Verb::Clock => {
                self.clock_ms += u64::try_from(self.rng.below(2000)).expect("is small");
                Command::Clock { ms: self.clock_ms }
            }
            Verb::Join => Command::Join { node: self.node() },
            over => self.end(over, model),
        }
    }

    /// A command by which something is over.
    fn end(&mut self, verb: Verb, model: &Model) -> Command {
        match verb {
            Verb::Boot => {
                // Now behind what has been handed out since, now before it.
                self.boot_fence += u64::try_from(self.rng.below(100)).expect("is small");
                Command::Boot { fence: Fence(self.boot_fence) }
            }
            Verb::Leave => Command::Leave { node: self.node() },
            Verb::Bury => Command::Bury { node: self.node() },
            Verb::Close => {
                let by_other = self.rng.chance(1, 2);
                Command::Close { session: self.session(model), by_other }
            }
            Verb::Condemn => Command::Condemn { sessions: self.some_sessions(model) },
            Verb::Expire => Command::Expire { sessions: self.some_sessions(model) },
            Verb::Revoke => self.revoke(model),
            Verb::Release => self.release(model),
            Verb::Unlock => self.unlock(model),
            Verb::Force => self.force(model),
            Verb::TakeBack => self.take_back(model),
            Verb::EndHolds => {
                let timed = |hold: &crate::model::Hold| hold.hold_ms.is_some();
                Command::EndHolds { fences: self.some_fences(model, timed) }
            }
            Verb::EndLost => {
                let lost = |hold: &crate::model::Hold| hold.holder.session().is_none();
                Command::EndLost { fences: self.some_fences(model, lost) }
            }
            Verb::Ripen => Command::Ripen { delays: self.some_delays(model) },
            Verb::Cancel => {
                let (session, wait, _) = self.wait(model);
                Command::Cancel { session, wait }
            }
            Verb::TimeOut => Command::TimeOut { wait: self.wait(model).1 },
            Verb::Forbid => Command::Forbid { wait: self.wait(model).1 },
            Verb::Withdraw => {
                let (_, wait, request) = self.wait(model);
                Command::Withdraw { wait, request }
            }
            Verb::Unwatch => {
                let session = self.session(model);
                Command::Unwatch { session, resource: self.any_resource() }
            }
            Verb::Blind => {
                let session = self.session(model);
                Command::Blind { session, resource: self.any_resource() }
            }
            Verb::Forget => self.forget(model),
            begins => unreachable!("{begins:?} begins something"),
        }
    }

    fn verb(&mut self, model: &Model) -> Verb {
        if model.sessions.is_empty() {
            return Verb::Open;
        }
        let full = model.sessions.len() >= self.mix.alive;
        let total = self.mix.verbs.iter().map(|(weight, _)| weight).sum();
        loop {
            let mut at = self.rng.below(total);
            for &(weight, verb) in self.mix.verbs {
                if at < weight {
                    if !(verb == Verb::Open && full) {
                        return verb;
                    }
                    break;
                }
                at -= weight;
            }
        }
    }

    fn forget(&mut self, model: &Model) -> Command {
        self.marks.push(model.emptied_mark());
        let earlier = *self.rng.pick(&self.marks).expect("has one at least");
        let up_to = if self.rng.chance(1, 2) { model.emptied_mark() } else { earlier };
        Command::Forget { up_to }
    }

    /// How to wait, if at all.
    pub(super) fn ask(&mut self) -> Option<WaitRequest> {
        let origin = match self.rng.below(4) {
            0 => return None,
            1 => WaitOrigin::Request(self.request()),
            _ if self.rng.chance(1, 2) => WaitOrigin::Request(self.request()),
            _ => WaitOrigin::Socket,
        };
        Some(WaitRequest { origin, timeout: self.timeout() })
    }

    /// A new request, or seldom one that has been seen.
    fn request(&mut self) -> RequestId {
        let node = if self.mix.nodes { self.node() } else { NodeId::ALONE };
        if self.rng.chance(5, 6) {
            self.requests += 1;
            return RequestId { node, n: self.requests };
        }
        let few = u64::try_from(self.rng.below(6)).expect("is small");
        RequestId { node, n: self.requests.saturating_sub(few) }
    }

    /// One of few nodes.
    fn node(&mut self) -> NodeId {
        NodeId(u64::try_from(self.rng.below(3)).expect("is small"))
    }

    /// Any number that a request or a wait may have.
    pub(super) fn any_number(&mut self) -> u64 {
        self.rng.next() % (self.requests + 1)
    }
}
