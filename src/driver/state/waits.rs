//! When waits end by time, and who is to be answered then. Follows the machine's events only.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::oneshot;

use crate::deadlines::{At, Deadlines, Slot};
use crate::machine::{RequestId, SessionId, WaitId, WaitTimeout};

use super::address::Delivered;
use super::due::{Due, deadline};

/// A REST request that waits.
#[derive(Debug)]
pub(in crate::driver) struct RequestWait {
    pub(in crate::driver) wait: WaitId,
    pub(in crate::driver) session: SessionId,
    slot: Slot,
    /// `None` when its client is not here.
    sender: Option<oneshot::Sender<Delivered>>,
}

/// Waits by socket and by request.
#[derive(Debug, Default)]
pub(in crate::driver) struct Waits {
    /// Deadlines of waits by socket.
    sockets: BTreeMap<(SessionId, WaitId), Slot>,
    requests: HashMap<RequestId, RequestWait>,
    next_request: u64,
    /// The request whose command is being carried out: it is to wait, as an event will tell.
    parked: Option<(RequestId, oneshot::Sender<Delivered>)>,
}

impl Waits {
    /// A number for a REST request that may wait.
    pub(in crate::driver) fn next_request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId::alone(self.next_request)
    }

    /// The answer to a request has to wait: the event that tells so follows.
    pub(super) fn park(&mut self, request: RequestId, sender: oneshot::Sender<Delivered>) {
        assert!(self.parked.is_none(), "one command at a time");
        self.parked = Some((request, sender));
    }

    /// A socket waits until `timeout` from now, or longer if it does already.
    pub(super) fn socket_began(
        &mut self,
        (session, wait): (SessionId, WaitId),
        timeout: WaitTimeout,
        deadlines: &mut Deadlines<Due>,
        now: At,
    ) {
        let due = deadline(timeout, now);
        if let Some(&slot) = self.sockets.get(&(session, wait)) {
            deadlines.set(slot, due.max(deadlines.due(slot)));
        } else {
            let slot = deadlines.insert(Due::Wait(session, wait), due);
            self.sockets.insert((session, wait), slot);
        }
    }

    pub(super) fn socket_ended(
        &mut self,
        session: SessionId,
        wait: WaitId,
        deadlines: &mut Deadlines<Due>,
    ) {
        if let Some(slot) = self.sockets.remove(&(session, wait)) {
            deadlines.remove(slot);
        }
    }

    pub(super) fn session_ended(&mut self, session: SessionId, deadlines: &mut Deadlines<Due>) {
        let all = (session, WaitId(0))..=(session, WaitId(u64::MAX));
        let waits: Vec<WaitId> = self.sockets.range(all).map(|(&(_, wait), _)| wait).collect();
        for wait in waits {
            self.socket_ended(session, wait, deadlines);
        }
    }

    pub(super) fn request_began(
        &mut self,
        request: RequestId,
        (session, wait): (SessionId, WaitId),
        timeout: WaitTimeout,
        deadlines: &mut Deadlines<Due>,
        now: At,
    ) {
        let sender = self.parked.take_if(|(parked, _)| *parked == request);
        let sender = sender.map(|(_, sender)| sender);
        let slot = deadlines.insert(Due::Request(request), deadline(timeout, now));
        let wait = RequestWait { wait, session, slot, sender };
        assert!(self.requests.insert(request, wait).is_none(), "a request waits once");
    }

    /// A request waits no more: whom it was for, and who is to be answered.
    pub(super) fn request_ended(
        &mut self,
        request: RequestId,
        deadlines: &mut Deadlines<Due>,
    ) -> Option<(SessionId, Option<oneshot::Sender<Delivered>>)> {
        let wait = self.requests.remove(&request)?;
        deadlines.remove(wait.slot);
        Some((wait.session, wait.sender))
    }

    pub(in crate::driver) fn request(&self, request: RequestId) -> Option<&RequestWait> {
        self.requests.get(&request)
    }

    /// All requests that wait, in order.
    pub(in crate::driver) fn requests(&self) -> Vec<RequestId> {
        let mut requests: Vec<RequestId> = self.requests.keys().copied().collect();
        requests.sort_unstable();
        requests
    }

    /// Waits by socket, in order.
    #[cfg(debug_assertions)]
    pub(super) fn sockets(&self) -> impl Iterator<Item = (SessionId, WaitId)> {
        self.sockets.keys().copied()
    }

    /// Whether a wait by socket is timed.
    pub(super) fn has_socket(&self, session: SessionId, wait: WaitId) -> bool {
        self.sockets.contains_key(&(session, wait))
    }

    /// Nobody is answered any more: each finds out by the end of its channel.
    pub(super) fn abandon_requests(&mut self) {
        for wait in self.requests.values_mut() {
            wait.sender = None;
        }
    }
}
