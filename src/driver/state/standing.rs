//! Whose a session is to who names it, and what becomes of it when rights or proofs end. Only asked
//! where access is.

use crate::access::{Needs, Ownership, Right, Rules, Subject};
use crate::deadlines::At;
use crate::driver::clock;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::message::{Answered, Ending, Message};
use crate::machine::{Command, Kind, SessionId};

use super::State;
use super::address::ReplyTo;
use super::speaker::Speaker;
use super::verdict::{NamedAs, SessionFacts, Verdict};

impl State {
    /// What a session is to who names it.
    pub(in crate::driver) fn standing(&self, session: &SessionId, asker: &Subject) -> NamedAs {
        let Some(owner) = self.machine.owner(session) else { return NamedAs::Own };
        match (Ownership::of(owner, asker.owner()), asker.owner()) {
            (Ownership::Own, _) => NamedAs::Own,
            (Ownership::Adopted, Some(owner)) => NamedAs::Free(owner.clone()),
            (Ownership::Adopted | Ownership::Hidden, _) => NamedAs::Hidden,
        }
    }

    /// What there is to tell of a session.
    pub(in crate::driver) fn facts(&self, session: &SessionId, now: At) -> Option<SessionFacts> {
        let (machine, owner) = (&self.machine, self.machine.owner(session)?);
        let (info, stakes) = (machine.info_of(session)?, machine.stakes(session)?);
        Some(SessionFacts {
            info,
            owner: owner.cloned(),
            heard_ms: self.sessions.unheard_ms(session, &self.deadlines, now),
            holds: stakes.locks + stakes.claims,
            waits: stakes.waits,
            issued: machine.issued_count(session),
        })
    }

    /// Whether the proof of who speaks for a session has ended by now.
    pub(in crate::driver) fn is_over(&self, session: &SessionId) -> bool {
        let subject = self.sessions.subject(session).filter(|subject| subject.ends().is_some());
        subject.is_some_and(|subject| !subject.is_good_at(clock::wall_ms() / 1000))
    }

    /// The right that who speaks for a session lacks for a command. Where revoking is asked for,
    /// the command is told how far it reaches.
    pub(in crate::driver) fn lacking(
        &self,
        session: &SessionId,
        command: &mut Command,
    ) -> Option<Right> {
        let rules = self.sessions.subject(session)?.rules();
        let lacking = Needs::of(command).lacking(rules, command.resource());
        if let Command::Revoke { resource, reach, .. } = command {
            *reach = rules.reach(resource.as_str());
        }
        lacking
    }

    /// Who speaks for a session was judged.
    pub(super) fn review(
        &mut self,
        session: &SessionId,
        verdict: Verdict,
        position: LogPosition,
        now: At,
    ) {
        match verdict {
            Verdict::Stays => {}
            Verdict::Expiring { left_ms } => {
                if self.sessions.warn(session)
                    && let Some(socket) = self.sessions.socket(session)
                {
                    socket.push(Message::TokenExpiring(left_ms), LogPosition::default());
                }
            }
            Verdict::Renewed(subject) => {
                let rules = subject.rules().clone();
                self.sessions.set_subject(session, Some(subject));
                self.hold_to(session, &rules, now);
            }
            Verdict::AtMost(rules) => self.hold_to(session, &rules, now),
            Verdict::Ended { at_most } => {
                let ended = self.sessions.subject(session).map(Subject::ended);
                self.sessions.set_subject(session, ended);
                if let Some(socket) = self.sessions.socket(session) {
                    socket.end(Ending::Unauthorized, position);
                }
                if let Some(rules) = at_most {
                    self.hold_to(session, &rules, now);
                }
            }
        }
    }

    /// A socket shows another proof.
    pub(super) fn renew(
        &mut self,
        speaker: &Speaker,
        id: Option<u64>,
        subject: Subject,
        position: LogPosition,
        now: At,
    ) {
        let session = &speaker.session;
        let answered = match self.standing(session, &subject) {
            NamedAs::Hidden => Answered::AnothersProof,
            standing => {
                if let NamedAs::Free(owner) = standing {
                    let adopt = Command::Adopt { session: *session, owner };
                    self.submit(adopt, ReplyTo::Nobody, now);
                }
                self.review(session, Verdict::Renewed(subject), position, now);
                Answered::Done
            }
        };
        speaker.outbox.push(Message::Answer(id, answered), position);
    }

    /// A session waits for and watches nothing any more that `rules` do not give. What it holds and
    /// issued stays.
    fn hold_to(&mut self, session: &SessionId, rules: &Rules, now: At) {
        let Some(state) = self.machine.state_head(session) else { return };
        for wait in state.waits {
            let right = match wait.kind {
                Kind::Lock => Right::Lock,
                Kind::Tickets => Right::Claim,
            };
            if !rules.may(right, wait.resource.as_str()) {
                self.submit(Command::Forbid { wait: wait.wait }, ReplyTo::Nobody, now);
            }
        }
        for watch in state.watches {
            if !rules.may(Right::Watch, watch.resource.as_str()) {
                let blind = Command::Blind { session: *session, resource: watch.resource };
                self.submit(blind, ReplyTo::Nobody, now);
            }
        }
    }
}
