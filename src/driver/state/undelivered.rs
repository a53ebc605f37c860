//! Grants that only REST requests were told of: when nobody is left who could hand one over, it is
//! undone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::machine::{Command, Fence, Grant, Name, SessionId};

/// A grant that only REST requests were told of. When the last of them is dropped and none was
/// handed its answer, nobody knows of the grant: it is undone.
#[derive(Debug)]
pub(in crate::driver) struct UndeliveredGrant {
    session: SessionId,
    resource: Name,
    /// `None` for a lock.
    ticket: Option<Name>,
    fence: Fence,
    delivered: AtomicBool,
}

impl UndeliveredGrant {
    fn new(session: SessionId, grant: &Grant) -> Arc<Self> {
        let (resource, ticket) = match grant {
            Grant::Lock(grant) => (grant.resource.clone(), None),
            Grant::Ticket(grant) => (grant.resource.clone(), Some(grant.ticket.clone())),
        };
        let (fence, delivered) = (grant.fence(), AtomicBool::new(false));
        Arc::new(Self { session, resource, ticket, fence, delivered })
    }

    /// An answer was handed over: the grant stands.
    pub(in crate::driver) fn deliver(&self) {
        self.delivered.store(true, Ordering::Release);
    }

    fn is_delivered(&self) -> bool {
        self.delivered.load(Ordering::Acquire)
    }

    /// What gives the grant back.
    fn undoing(&self) -> Command {
        let Self { session, resource, ticket, fence, delivered: _ } = self;
        let (resource, ticket) = (resource.clone(), ticket.clone());
        Command::TakeBack { session: *session, resource, ticket, fence: *fence }
    }
}

/// All grants that may yet be undone.
#[derive(Debug, Default)]
pub(in crate::driver) struct UndeliveredGrants {
    by_fence: HashMap<Fence, Weak<UndeliveredGrant>>,
    /// The grant that was last routed to a request, and who shares it; `None` when a socket is told
    /// of it, too.
    latest: Option<(Fence, Option<Arc<UndeliveredGrant>>)>,
}

impl UndeliveredGrants {
    /// A grant may be undone because nobody was told of it yet.
    pub(super) fn add(&mut self, session: SessionId, grant: &Grant) -> Arc<UndeliveredGrant> {
        let undelivered = UndeliveredGrant::new(session, grant);
        self.by_fence.insert(grant.fence(), Arc::downgrade(&undelivered));
        undelivered
    }

    /// A request is told of a grant: what it shares with others that are.
    pub(super) fn share(
        &mut self,
        session: SessionId,
        grant: &Grant,
    ) -> Option<Arc<UndeliveredGrant>> {
        match &self.latest {
            Some((fence, undelivered)) if *fence == grant.fence() => undelivered.clone(),
            _ => {
                let undelivered = Some(self.add(session, grant));
                self.latest = Some((grant.fence(), undelivered.clone()));
                undelivered
            }
        }
    }

    /// The session's socket is told of a grant, or finds it in its state when it comes back.
    pub(super) fn told_by_socket(&mut self, fence: Fence) {
        self.latest = Some((fence, None));
    }

    /// The events of a command were routed.
    pub(super) fn end_of_events(&mut self) {
        self.latest = None;
    }

    /// The session is told of a grant in another way: it stands, whoever else is told.
    pub(in crate::driver) fn confirm(&self, fence: Fence) {
        if let Some(undelivered) = self.by_fence.get(&fence).and_then(Weak::upgrade) {
            undelivered.deliver();
        }
    }

    /// One who could have handed a grant over is gone. If it was the last, and nobody was told:
    /// what gives the grant back.
    pub(super) fn take_back(&mut self, undelivered: Arc<UndeliveredGrant>) -> Option<Command> {
        let undelivered = Arc::into_inner(undelivered)?;
        self.by_fence.remove(&undelivered.fence);
        if undelivered.is_delivered() {
            return None;
        }
        tracing::debug!("a grant could not be handed over, and is undone");
        Some(undelivered.undoing())
    }
}
