//! Locks: taken, waited for, given back, passed on.

use super::command::{Grant, Kind, Limit, LockGrant, Refusal, Reply};
use super::event::Event;
use super::names::{Fence, HOLDS_MAX, Name, SessionId, WaitRequest};
use super::rows::{Body, ResourceKey, SessionKey};
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
            let resource = &self.tables.resources[key as usize];
            if resource.kind() == Some(Kind::Tickets) {
                return Err(Refusal::WrongKind);
            }
            if let Body::Lock { holder, fence } = resource.body {
                if holder == session {
                    let waiting = resource.waiting();
                    return Ok(granted(name.clone(), fence, waiting, false));
                }
                return match wait_request {
                    None => Ok(Reply::NotGranted),
                    Some(wait_request) => self.join(session, name, None, wait_request, true, out),
                };
            }
        }
        if self.tables.sessions[session as usize].holds() >= HOLDS_MAX {
            return Err(Refusal::Limit(Limit::Holds));
        }
        let key = self.resource_entry(name);
        self.touch(key);
        let fence = self.hold_lock(key, session);
        self.reindex(key);
        Ok(granted(name.clone(), fence, 0, true))
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
        let resource = &self.tables.resources[key as usize];
        let fence = match resource.body {
            Body::Lock { holder, fence } => {
                if holder != session_key || only.is_some_and(|only| only != fence) {
                    return Err(Refusal::NotHolder);
                }
                fence
            }
            Body::Tickets(_) => return Err(Refusal::WrongKind),
            Body::Empty if resource.kind().is_some() => return Err(Refusal::WrongKind),
            Body::Empty => return Err(Refusal::NotLocked),
        };
        // Nothing below can refuse.
        if !by_socket {
            out.push(Event::LockLost { to: session, resource: name.clone(), fence });
        }
        self.pass_on_lock(key, out);
        Ok(Reply::Done)
    }

    /// Takes a held lock from its holder and gives it to the first in line, if anybody waits.
    pub(super) fn pass_on_lock(&mut self, key: ResourceKey, out: &mut Vec<Event>) {
        self.touch(key);
        let tables = &mut self.tables;
        let Body::Lock { holder, .. } = tables.resources[key as usize].body else {
            panic!("a lock passes on that nobody holds");
        };
        tables.sessions[holder as usize]
            .locks
            .remove(&mut tables.resources, key, |r| &mut r.in_locks);
        tables.locks -= 1;
        tables.resources[key as usize].body = Body::Empty;
        if let Some(wait) = self.first_for_lock(key) {
            let next = self.tables.waits[wait as usize].session;
            let fence = self.hold_lock(key, next);
            let ended = self.leave_queue(wait);
            let resource = &self.tables.resources[key as usize];
            let (resource, waiting) = (resource.name.clone(), resource.waiting());
            self.answer_wait(ended, &Grant::Lock(LockGrant { resource, fence, waiting }), out);
        }
        self.reindex(key);
    }

    fn hold_lock(&mut self, key: ResourceKey, session: SessionKey) -> Fence {
        let fence = self.fence();
        let tables = &mut self.tables;
        tables.resources[key as usize].body = Body::Lock { holder: session, fence };
        let list = &mut tables.sessions[session as usize].locks;
        list.push(&mut tables.resources, key, |r| &mut r.in_locks);
        tables.locks += 1;
        fence
    }
}

fn granted(resource: Name, fence: Fence, waiting: u32, fresh: bool) -> Reply {
    Reply::Granted { grant: Grant::Lock(LockGrant { resource, fence, waiting }), fresh }
}
