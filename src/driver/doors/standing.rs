//! Where access is asked for: whose a session is, and what becomes of it when rights end.

use crate::access::Subject;
use crate::driver::handle::Driver;
use crate::driver::mode::Unavailable;
use crate::driver::state::queue::Turn;
use crate::driver::state::verdict::{NamedAs, SessionFacts, Verdict};
use crate::machine::{Account, AccountCounts, Command, Owner, Scan, SessionId};

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
        let standing = self.visit()?.standing(session, asker);
        match standing {
            NamedAs::Own => Ok(true),
            NamedAs::Hidden => Ok(false),
            NamedAs::Free(owner) => {
                let adopt = Command::Adopt { session: *session, owner };
                Ok(self.request(*session, adopt).await?.reply.is_ok())
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
                    let owner = visit.machine.owner(&session).flatten();
                    let verdict = judge(visit.sessions.subject(&session), owner);
                    if !matches!(verdict, Verdict::Stays) {
                        visit.take_turn(Turn::Review(session, verdict), now);
                    }
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
