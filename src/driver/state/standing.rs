//! Whose a session is to who names it, and what becomes of it when rights or proofs end. Only asked
//! where access is.

use crate::access::{Needs, Ownership, Right, Rules, Subject};
use crate::audit::AuditLine;
use crate::deadlines::At;
use crate::driver::clock;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::message::{Answered, Ending, Message, RequestMark};
use crate::machine::{Command, Kind, Name, Owner, SessionId};

use super::State;
use super::address::ReplyTo;
use super::speaker::Speaker;
use super::verdict::{NamedAs, SessionFacts, Verdict};

/// What is said to who issues more than its owner may.
pub(in crate::driver) const TOO_MUCH_ISSUED: &str = "no more issued tickets for this token's owner";

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

    /// Why a command of who speaks for a session is not carried out: a right that it lacks, or a
    /// bound that it has reached. Where revoking is asked for, the command is told how far it
    /// reaches.
    pub(super) fn refused(&self, session: &SessionId, command: &mut Command) -> Option<Answered> {
        let subject = self.sessions.subject(session)?;
        let (rules, needs) = (subject.rules(), Needs::of(command));
        if let Some((right, resource)) = needs.lacking_on(rules, command.resources()) {
            self.tell_lacking(session, right, resource);
            return Some(Answered::Forbidden(right));
        }
        match command {
            Command::Revoke { resource, reach, .. } => {
                *reach = rules.reach(resource.as_str());
                None
            }
            Command::Issue { resource, ticket, .. } => self
                .issues_too_much(session, subject, resource, ticket)
                .then(|| Answered::Limit(TOO_MUCH_ISSUED.to_owned())),
            _ => None,
        }
    }

    /// What a socket is answered that looks at a resource.
    pub(super) fn look_of(
        &self,
        session: &SessionId,
        resource: &Name,
        limit: usize,
        now: At,
    ) -> Answered {
        let subject = self.sessions.subject(session);
        if subject.is_some_and(|subject| !subject.rules().may(Right::Watch, resource.as_str())) {
            self.tell_lacking(session, Right::Watch, Some(resource));
            return Answered::Forbidden(Right::Watch);
        }
        Answered::Look(Box::new(self.looked(resource, limit, now)))
    }

    /// Whether a ticket would be one more than its issuer's owner may have issued.
    pub(in crate::driver) fn issues_too_much(
        &self,
        session: &SessionId,
        subject: &Subject,
        resource: &Name,
        ticket: &Name,
    ) -> bool {
        let Some(most) = subject.quotas().issued else { return false };
        let issuing = self.machine.issuing(session, resource, ticket);
        issuing.is_some_and(|(counts, adds)| adds && counts.issued >= most as usize)
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
                let former = self.sessions.subject(session);
                let is_same = former.is_some_and(|former| *former.rules() == rules);
                self.sessions.set_subject(session, Some(subject));
                if !is_same {
                    self.hold_to(session, &rules, now);
                }
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
        id: RequestMark,
        subject: Subject,
        position: LogPosition,
        now: At,
    ) {
        let session = &speaker.session;
        let answered = match self.standing(session, &subject) {
            NamedAs::Hidden => Answered::AnothersProof,
            standing => {
                self.review(session, Verdict::Renewed(subject), position, now);
                if let NamedAs::Free(owner) = standing {
                    let adopt = Command::Adopt { session: *session, owner };
                    self.submit(adopt, ReplyTo::Nobody, now);
                }
                Answered::Done
            }
        };
        speaker.outbox.push(Message::Answer(id, answered), position);
    }

    /// A session has got its owner: a socket of anybody else's speaks for it no more.
    pub(super) fn adopted(&self, session: &SessionId, owner: &Owner, position: LogPosition) {
        let subject = self.sessions.subject(session);
        if subject.is_some_and(|subject| subject.owner() != Some(owner))
            && let Some(socket) = self.sessions.socket(session)
        {
            socket.end(Ending::Unauthorized, position);
        }
    }

    /// A session waits for and watches nothing any more that `rules` do not give. What it holds and
    /// issued stays.
    pub(super) fn hold_to(&mut self, session: &SessionId, rules: &Rules, now: At) {
        let Some(state) = self.machine.state_head(session) else { return };
        for wait in state.waits {
            let right = match wait.kind {
                Kind::Lock => Right::Lock,
                Kind::Tickets => Right::Claim,
            };
            let mut resources = wait.sought.resources().iter();
            if !resources.all(|resource| rules.may(right, resource.as_str())) {
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

impl State {
    /// Tells the trail, if there is one, of something about a session.
    pub(in crate::driver) fn tell(&self, session: Option<&SessionId>, line: AuditLine) {
        let Some(audit) = &self.audit else { return };
        let session = session.and_then(|session| self.machine.info_of(session));
        audit.tell(AuditLine { session, ..line });
    }

    /// Tells it that whoever speaks for a session lacks a right.
    pub(super) fn tell_lacking(&self, session: &SessionId, right: Right, resource: Option<&Name>) {
        if self.audit.is_some() {
            let owner = self.machine.owner(session).flatten().cloned();
            self.tell(Some(session), AuditLine::lacking(owner, right.as_str(), resource));
        }
    }
}
