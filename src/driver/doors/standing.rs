//! Where access is asked for: whose a session is, and what becomes of it when rights end.

use crate::access::Subject;
use crate::deadlines::At;
use crate::driver::handle::Driver;
use crate::driver::mode::Unavailable;
use crate::driver::state::queue::Turn;
use crate::driver::state::standing::TOO_MUCH_ISSUED;
use crate::driver::state::verdict::{NamedAs, SessionFacts, Verdict};
use crate::driver::visit::Visit;
use crate::machine::{Account, AccountCounts, Command, Name, Owner, Scan, SessionId};

impl Driver {
    /// What there is to tell of sessions; those that have ended are left out.
    ///
    /// # Errors
    /// When it cannot be promised that this is so.
    pub async fn session_facts(
        &self,
        ids: Vec<SessionId>,
    ) -> Result<Vec<SessionFacts>, Unavailable> {
        self.settled().await?;
        let (facts, position) = {
            let visit = self.visit()?;
            let facts = ids.iter().filter_map(|id| visit.facts(id, visit.now)).collect();
            (facts, visit.position())
        };
        self.reached(position).await?;
        Ok(facts)
    }

    /// Whether `asker` may name a session, as far as that is up to whose it is; one that was
    /// nobody's is its own from now on. True also when there is no such session: whoever asks it
    /// for something learns that then.
    ///
    /// # Errors
    /// When it cannot be promised that this is so.
    pub async fn admit(&self, session: &SessionId, asker: &Subject) -> Result<bool, Unavailable> {
        let standing = self.door().look(|state| state.standing(session, asker));
        match standing {
            NamedAs::Own => Ok(true),
            NamedAs::Hidden => Ok(false),
            NamedAs::Free(owner) => {
                let adopt = Command::Adopt { session: *session, owner };
                let adopted = self.request(*session, adopt).await?.reply.is_ok();
                if adopted {
                    // It waits and watches by what its owner may from now on.
                    let at_most = asker.rules().clone();
                    self.review_one(session, |_, _| Verdict::AtMost(at_most.clone()));
                }
                Ok(adopted)
            }
        }
    }

    /// Whether anything can be asked at the moment.
    ///
    /// # Errors
    /// When not.
    pub fn may_ask(&self) -> Result<(), Unavailable> {
        self.visit().map(drop)
    }

    /// Judges who speaks for one session.
    pub fn review_one(
        &self,
        session: &SessionId,
        mut judge: impl FnMut(Option<&Subject>, Option<&Owner>) -> Verdict,
    ) {
        let mut visit = self.visit_as_driver();
        let now = visit.now;
        judge_one(&mut visit, *session, now, &mut judge);
    }

    /// Whether a ticket would be one more than its issuer's owner may have issued; what is said of
    /// that.
    #[must_use]
    pub fn issues_too_much(
        &self,
        session: &SessionId,
        subject: &Subject,
        resource: &Name,
        ticket: &Name,
    ) -> Option<&'static str> {
        subject.quotas().issued?;
        let visit = self.visit_as_driver();
        let is_too_much = visit.issues_too_much(session, subject, resource, ticket);
        is_too_much.then_some(TOO_MUCH_ISSUED)
    }

    /// How much an account has at the moment.
    #[must_use]
    pub fn account_counts(&self, account: &Account) -> AccountCounts {
        self.visit_as_driver().machine.account_counts(account)
    }

    /// Judges who speaks for each session, in slices: who its last socket was, if it had one since
    /// the server started, and whose it is.
    pub async fn review(&self, mut judge: impl FnMut(Option<&Subject>, Option<&Owner>) -> Verdict) {
        let mut scan = Scan::default();
        loop {
            {
                let mut visit = self.visit_as_driver();
                let now = visit.now;
                for session in visit.machine.session_ids_slice(&mut scan) {
                    judge_one(&mut visit, session, now, &mut judge);
                }
            }
            if scan.done {
                return;
            }
            // Others go first.
            tokio::task::yield_now().await;
        }
    }
}

fn judge_one(
    visit: &mut Visit<'_>,
    session: SessionId,
    now: At,
    judge: &mut impl FnMut(Option<&Subject>, Option<&Owner>) -> Verdict,
) {
    let owner = visit.machine.owner(&session).flatten();
    let judged = visit.sessions.subject(&session).cloned();
    let verdict = judge(judged.as_ref(), owner);
    if !matches!(verdict, Verdict::Stays) {
        visit.take_turn(Turn::Review(session, judged, verdict), now);
    }
}
