//! How sessions begin and end. An end is one step: nothing is granted to one that ends in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::command::{Conduct, Refusal, Reply};
use super::event::{EndReason, Event, ReleaseReason};
use super::holds::ClaimEnd;
use super::list::List;
use super::names::{Account, Fence, NodeId, SessionId, SessionInfo, SessionName, Ttl};
use super::rows::{HoldKey, Session, SessionKey, WaitKey};
use super::tables::Machine;

impl Machine {
    pub(super) fn open(
        &mut self,
        id: SessionId,
        name: SessionName,
        ttl: Ttl,
        source: Box<str>,
        conduct: Conduct,
    ) -> Reply {
        assert!(self.tables.find_session(&id).is_none(), "a session was opened twice");
        let account = self.enter_account(Account::of(None, &source));
        let session = Session {
            account,
            info: Arc::new(SessionInfo { id, name, ttl, source }),
            conduct,
            locks: List::default(),
            claims: List::default(),
            by_resource: BTreeMap::new(),
            issued: List::default(),
            waits: List::default(),
            watches: List::default(),
            ending: false,
            condemned: false,
        };
        let key = self.tables.sessions.insert(session);
        self.tables.session_ids.insert(id, key);
        Reply::Done
    }

    pub(super) fn boot(&mut self, fence: Fence, out: &mut Vec<Event>) -> Reply {
        self.next_fence = self.next_fence.max(fence.0);
        self.drop_requests(NodeId::ALONE, out);
        self.expire_condemned(out);
        Reply::Done
    }

    pub(super) fn close(
        &mut self,
        session: SessionId,
        by_other: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let key = self.session_key(session)?;
        self.end(&[key], EndReason::Closed, by_other, out);
        Ok(Reply::Done)
    }

    /// The part of an end that grants nothing to anybody: watches, waits, and what was issued.
    pub(super) fn condemn(&mut self, sessions: &[SessionId], out: &mut Vec<Event>) -> Reply {
        let mut keys = Vec::with_capacity(sessions.len());
        for id in sessions {
            if let Some(key) = self.living_key(id) {
                let session = &mut self.tables.sessions[key];
                assert!(!session.ending, "a session is condemned while it ends");
                session.ending = true;
                session.condemned = true;
                self.tables.condemned += 1;
                keys.push(key);
            }
        }
        self.leave_all(&keys, out);
        for key in keys {
            let session = &mut self.tables.sessions[key];
            session.ending = false;
            out.push(Event::SessionEnded { session: session.info.id, why: EndReason::Expired });
            self.count_session(EndReason::Expired);
        }
        Reply::Done
    }

    /// Those that were condemned before a restart end with it: nobody is served yet.
    pub(super) fn expire_condemned(&mut self, out: &mut Vec<Event>) {
        if self.tables.condemned > 0 {
            let condemned = self.tables.sessions.iter().filter(|(_, session)| session.condemned);
            let mut ids: Vec<_> = condemned.map(|(_, session)| session.info.id).collect();
            ids.sort_unstable();
            self.expire(&ids, out);
            assert!(self.tables.condemned == 0, "a condemned session stayed after a restart");
        }
    }

    pub(super) fn expire(&mut self, sessions: &[SessionId], out: &mut Vec<Event>) -> Reply {
        let mut keys = Vec::with_capacity(sessions.len());
        for id in sessions {
            if let Some(key) = self.tables.find_session(id) {
                let session = &mut self.tables.sessions[key];
                if !std::mem::replace(&mut session.ending, true) {
                    keys.push(key);
                }
            }
        }
        self.end(&keys, EndReason::Expired, true, out);
        Reply::Done
    }

    /// First all their waits, then all they issued, then what they held. (protocol, section 1)
    fn end(
        &mut self,
        sessions: &[SessionKey],
        why: EndReason,
        is_loss: bool,
        out: &mut Vec<Event>,
    ) {
        for &session in sessions {
            self.tables.sessions[session].ending = true;
        }
        self.leave_all(sessions, out);
        for &session in sessions {
            self.drop_holds(session, is_loss, out);
        }
        for &session in sessions {
            let gone = self.tables.sessions.remove(session);
            assert!(gone.ending && gone.holds() == 0, "a session ended that still holds something");
            assert!(gone.by_resource.is_empty(), "a session's holds disagree");
            self.tables.session_ids.remove(gone.info.id, session);
            self.leave_account(gone.account);
            if gone.condemned {
                assert!(self.tables.condemned > 0, "the condemned were miscounted");
                self.tables.condemned -= 1;
            } else {
                self.count_session(why);
                out.push(Event::SessionEnded { session: gone.info.id, why });
            }
        }
    }

    /// Grants nothing to anybody. What the condemned gave up is not there any more.
    fn leave_all(&mut self, sessions: &[SessionKey], out: &mut Vec<Event>) {
        for &session in sessions {
            self.drop_watches(session);
        }
        let mut waits: Vec<WaitKey> = Vec::new();
        for &session in sessions {
            let list = self.tables.sessions[session].waits;
            waits.extend(list.keys(&self.tables.waits, |w| &w.in_session));
        }
        self.leave_together(&waits, out, |ended, out| {
            let requests = ended.requests.into_iter();
            out.extend(requests.map(|request| Event::Orphaned { request }));
        });
        for &session in sessions {
            self.drop_issued(session, out);
            let left = &self.tables.sessions[session];
            assert!(left.ending, "a session lost what it has without ending");
            assert!(left.waits.is_empty() && left.watches.is_empty(), "a session ended halfway");
            assert!(left.issued.is_empty(), "an ended session issues");
        }
    }

    /// First its locks, then its claims, each in order of their fences.
    fn drop_holds(&mut self, session: SessionKey, is_loss: bool, out: &mut Vec<Event>) {
        let Session { locks, claims, conduct, .. } = self.tables.sessions[session];
        let stay = is_loss && conduct.delay_ms > 0;
        for list in [locks, claims] {
            let keys: Vec<HoldKey> = list.keys(&self.tables.holds, |h| &h.in_session).collect();
            for key in keys {
                if stay {
                    self.lose(key, out);
                } else {
                    self.pass_on(key, ClaimEnd::by(ReleaseReason::Gone), out);
                }
            }
        }
    }
}
