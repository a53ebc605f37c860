//! Locks: taken, waited for, given back.

use super::command::{Kind, Limit, Refusal, Reply};
use super::event::Event;
use super::names::{Fence, HOLDS_MAX, Name, SessionId, WaitRequest};
use super::rows::{Held, ResourceKey};
use super::tables::Machine;

impl Machine {
    pub(super) fn lock(
        &mut self,
        session: SessionId,
        name: &Name,
        wait_request: Option<WaitRequest>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        if let Some(key) = self.resource_key(name.as_str()) {
            if self.tables.resources[key].kind == Some(Kind::Tickets) {
                return Err(Refusal::WrongKind);
            }
            if let Some(hold) = self.lock_hold(key, session) {
                return Ok(self.granted(hold, false));
            }
            if !self.is_free_lock(key) {
                return match wait_request {
                    None => Ok(Reply::NotGranted),
                    Some(wait_request) => {
                        self.join(session, name, Kind::Lock, None, wait_request, out)
                    }
                };
            }
        }
        if self.tables.sessions[session].holds() >= HOLDS_MAX {
            return Err(Refusal::Limit(Limit::Holds));
        }
        // Nothing below can refuse.
        let key = self.resource_entry(name);
        let hold = self.change(key, |machine| machine.begin_hold(session, key, Held::Lock));
        assert!(self.lock_hold(key, session) == Some(hold), "a lock was granted to nobody");
        Ok(self.granted(hold, true))
    }

    /// Whether a try is granted: nobody holds it in a mode that does not fit, and nobody waits.
    fn is_free_lock(&self, key: ResourceKey) -> bool {
        let resource = &self.tables.resources[key];
        assert!(resource.kind != Some(Kind::Tickets), "tickets are taken for a lock");
        resource.holds.is_empty() && resource.queue.is_none()
    }

    pub(super) fn unlock(
        &mut self,
        session: SessionId,
        name: &Name,
        only: Option<Fence>,
        by_socket: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let session_key = self.session_key(session)?;
        let key = self.known_key(name.as_str())?;
        match self.tables.resources[key].kind {
            Some(Kind::Tickets) => return Err(Refusal::WrongKind),
            Some(Kind::Lock) => {}
            None => return Err(Refusal::NotLocked),
        }
        let hold = self.lock_hold(key, session_key).ok_or(Refusal::NotHolder)?;
        if !self.is_by(hold, only) {
            return Err(Refusal::NotHolder);
        }
        // Nothing below can refuse.
        assert!(self.tables.holds[hold].what == Held::Lock, "a claim is given back as a lock");
        if !by_socket {
            let fence = self.tables.holds[hold].fence;
            out.push(Event::LockLost { to: session, resource: name.clone(), fence });
        }
        self.pass_on(hold, out);
        Ok(Reply::Done)
    }
}
