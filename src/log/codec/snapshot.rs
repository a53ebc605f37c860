//! A snapshot as bytes: a header with the counters, then parts of about [`CHUNK_BYTES`] made of
//! whole items. What stands in a resource follows it, if need be in the next part.

use super::primitives::{
    Bad, Reader, flags, has, put_bytes, put_name, put_number, put_owner, put_request,
};
use crate::machine::{
    Fence, Kind, NodeId, ResourceSnapshot, SessionId, SessionInfo, SessionSnapshot, Snapshot,
    TicketSnapshot, WaitSnapshot, WaitTimeout, WatchSnapshot,
};

/// A part ends with the item that reaches this many bytes.
pub const CHUNK_BYTES: usize = 64 << 10;

const SESSION: u8 = 1;
const RESOURCE: u8 = 2;
const TICKET: u8 = 3;
const WAIT: u8 = 4;
const WATCH: u8 = 5;
const CONDEMNED: u8 = 6;
const NODE: u8 = 7;
/// Whose the session before it is.
const OWNER: u8 = 8;

/// Gives the header of `snapshot`, then its parts, to `each`.
///
/// # Errors
/// The first that `each` returns; then nothing more is given.
pub fn encode_snapshot<E>(
    snapshot: &Snapshot,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut out = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
    let counts = [snapshot.sessions.len() as u64, snapshot.resources.len() as u64];
    let counters =
        [snapshot.next_fence, snapshot.next_wait, snapshot.serial, snapshot.emptied_mark];
    counters.into_iter().chain(counts).for_each(|number| put_number(number, &mut out));
    each(&out)?;
    out.clear();
    let mut end_item = |out: &mut Vec<u8>| {
        if out.len() < CHUNK_BYTES {
            return Ok(());
        }
        each(out)?;
        out.clear();
        Ok(())
    };
    for node in &snapshot.nodes {
        out.push(NODE);
        put_number(node.0, &mut out);
        end_item(&mut out)?;
    }
    for SessionSnapshot { info, owner, condemned } in &snapshot.sessions {
        put_session_info(if *condemned { CONDEMNED } else { SESSION }, info, &mut out);
        end_item(&mut out)?;
        if let Some(owner) = owner {
            out.push(OWNER);
            put_owner(owner, &mut out);
            end_item(&mut out)?;
        }
    }
    for resource in &snapshot.resources {
        put_resource(resource, &mut out);
        end_item(&mut out)?;
        for ticket in &resource.tickets {
            put_ticket(ticket, &mut out);
            end_item(&mut out)?;
        }
        for wait in &resource.waits {
            put_wait(wait, &mut out);
            end_item(&mut out)?;
        }
        for watch in &resource.watches {
            put_watch(watch, &mut out);
            end_item(&mut out)?;
        }
    }
    if out.is_empty() { Ok(()) } else { each(&out) }
}

fn put_session_info(tag: u8, info: &SessionInfo, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&info.id.0);
    put_bytes(info.name.as_str().as_bytes(), out);
    put_number(info.ttl.as_ms().into(), out);
    put_bytes(info.source.as_bytes(), out);
}

fn put_resource(resource: &ResourceSnapshot, out: &mut Vec<u8>) {
    out.push(RESOURCE);
    put_name(&resource.name, out);
    let is_lock = resource.last == Kind::Lock;
    let (emptied, lock) = (resource.emptied, resource.lock);
    out.push(flags([resource.known, is_lock, emptied.is_some(), lock.is_some()]));
    emptied.iter().for_each(|&number| put_number(number, out));
    put_grant(lock, out);
}

fn put_ticket(ticket: &TicketSnapshot, out: &mut Vec<u8>) {
    out.push(TICKET);
    put_name(&ticket.name, out);
    put_bytes(ticket.data.as_bytes(), out);
    out.extend_from_slice(&ticket.issuer.0);
    put_number(ticket.place, out);
    put_number(ticket.issued, out);
    out.push(flags([ticket.notify, ticket.claim.is_some()]));
    put_grant(ticket.claim, out);
}

fn put_grant(grant: Option<(SessionId, Fence)>, out: &mut Vec<u8>) {
    let Some((session, fence)) = grant else { return };
    out.extend_from_slice(&session.0);
    put_number(fence.0, out);
}

fn put_wait(wait: &WaitSnapshot, out: &mut Vec<u8>) {
    out.push(WAIT);
    put_number(wait.id.0, out);
    out.extend_from_slice(&wait.session.0);
    let whole_session = wait.socket == Some(WaitTimeout::Session);
    let with_nodes = wait.requests.iter().any(|request| request.node != NodeId::ALONE);
    let (named, by_socket) = (wait.ticket.is_some(), wait.socket.is_some());
    out.push(flags([named, by_socket, whole_session, wait.merges, with_nodes]));
    wait.ticket.iter().for_each(|ticket| put_name(ticket, out));
    if let Some(WaitTimeout::Ms(ms)) = wait.socket {
        put_number(ms.into(), out);
    }
    put_number(wait.requests.len() as u64, out);
    wait.requests.iter().for_each(|&request| put_request(request, with_nodes, out));
}

fn put_watch(watch: &WatchSnapshot, out: &mut Vec<u8>) {
    out.push(WATCH);
    out.extend_from_slice(&watch.session.0);
    put_number(watch.number, out);
    out.push(flags([watch.changes]));
}

/// Puts a snapshot together from its header and parts.
#[derive(Debug)]
pub struct SnapshotReader {
    snapshot: Snapshot,
    sessions: u64,
    resources: u64,
}

impl SnapshotReader {
    /// Begins with the header.
    ///
    /// # Errors
    /// [`Bad`] when it is none.
    pub fn new(header: &[u8]) -> Result<Self, Bad> {
        let mut from = Reader::new(header);
        let snapshot = Snapshot {
            next_fence: from.number()?,
            next_wait: from.number()?,
            serial: from.number()?,
            emptied_mark: from.number()?,
            ..Snapshot::default()
        };
        let (sessions, resources) = (from.number()?, from.number()?);
        if from.is_empty() {
            Ok(Self { snapshot, sessions, resources })
        } else {
            Err(Bad::Order("bytes behind the header"))
        }
    }

    /// Adds the next part.
    ///
    /// # Errors
    /// [`Bad`] when it is none.
    pub fn part(&mut self, part: &[u8]) -> Result<(), Bad> {
        let mut from = Reader::new(part);
        while !from.is_empty() {
            let tag = from.byte()?;
            let Snapshot { nodes, sessions, resources, .. } = &mut self.snapshot;
            match (tag, resources.last_mut()) {
                (NODE, None) if sessions.is_empty() => nodes.push(node_after(nodes, &mut from)?),
                (SESSION | CONDEMNED, None) => {
                    let (info, condemned) = (info(&mut from)?, tag == CONDEMNED);
                    sessions.push(SessionSnapshot { info, owner: None, condemned });
                }
                (OWNER, None) => match sessions.last_mut() {
                    Some(session) if session.owner.is_none() => {
                        session.owner = Some(from.owner()?);
                    }
                    _ => return Err(Bad::Order("an owner")),
                },
                (RESOURCE, _) => resources.push(resource(&mut from)?),
                (TICKET, Some(at)) => at.tickets.push(ticket(&mut from)?),
                (WAIT, Some(at)) => at.waits.push(wait(&mut from)?),
                (WATCH, Some(at)) => at.watches.push(watch(&mut from)?),
                (SESSION | CONDEMNED | OWNER | TICKET | WAIT | WATCH | NODE, _) => {
                    return Err(Bad::Order("an item"));
                }
                _ => return Err(Bad::Choice("item", tag)),
            }
        }
        Ok(())
    }

    /// The snapshot, when all of it has come.
    ///
    /// # Errors
    /// [`Bad`] when there is more or less than the header said.
    pub fn finish(self) -> Result<Snapshot, Bad> {
        let Self { snapshot, sessions, resources } = self;
        let found = (snapshot.sessions.len() as u64, snapshot.resources.len() as u64);
        if found == (sessions, resources) {
            Ok(snapshot)
        } else {
            Err(Bad::Value("count of items"))
        }
    }
}

/// The next node: they come in order.
fn node_after(nodes: &[NodeId], from: &mut Reader<'_>) -> Result<NodeId, Bad> {
    let node = from.node()?;
    if nodes.last().is_some_and(|last| *last >= node) {
        Err(Bad::Order("a node"))
    } else {
        Ok(node)
    }
}

fn info(from: &mut Reader<'_>) -> Result<SessionInfo, Bad> {
    Ok(SessionInfo {
        id: from.session()?,
        name: from.session_name()?,
        ttl: from.ttl()?,
        source: from.text()?.into(),
    })
}

fn resource(from: &mut Reader<'_>) -> Result<ResourceSnapshot, Bad> {
    let (name, flags) = (from.name()?, from.flags(15)?);
    Ok(ResourceSnapshot {
        name,
        known: has(flags, 0),
        last: if has(flags, 1) { Kind::Lock } else { Kind::Tickets },
        emptied: if has(flags, 2) { Some(from.number()?) } else { None },
        lock: if has(flags, 3) { Some(grant(from)?) } else { None },
        tickets: Vec::new(),
        waits: Vec::new(),
        watches: Vec::new(),
    })
}

fn ticket(from: &mut Reader<'_>) -> Result<TicketSnapshot, Bad> {
    let (name, data, issuer) = (from.name()?, from.data()?, from.session()?);
    let (place, issued, flags) = (from.number()?, from.number()?, from.flags(3)?);
    let claim = if has(flags, 1) { Some(grant(from)?) } else { None };
    Ok(TicketSnapshot { name, data, issuer, claim, notify: has(flags, 0), place, issued })
}

fn grant(from: &mut Reader<'_>) -> Result<(SessionId, Fence), Bad> {
    Ok((from.session()?, from.fence()?))
}

fn wait(from: &mut Reader<'_>) -> Result<WaitSnapshot, Bad> {
    let (id, session, flags) = (from.wait()?, from.session()?, from.flags(31)?);
    let ticket = if has(flags, 0) { Some(from.name()?) } else { None };
    let socket = match (has(flags, 1), has(flags, 2)) {
        (false, false) => None,
        (true, true) => Some(WaitTimeout::Session),
        (true, false) => Some(from.ms()?),
        (false, true) => return Err(Bad::Choice("option", flags)),
    };
    let with_nodes = has(flags, 4);
    let mut requests = Vec::new();
    for _ in 0..from.number()? {
        requests.push(if with_nodes { from.request()? } else { from.request_alone()? });
    }
    if with_nodes && requests.iter().all(|request| request.node == NodeId::ALONE) {
        return Err(Bad::Value("node"));
    }
    Ok(WaitSnapshot { id, session, ticket, socket, requests, merges: has(flags, 3) })
}

fn watch(from: &mut Reader<'_>) -> Result<WatchSnapshot, Bad> {
    let (session, number) = (from.session()?, from.number()?);
    Ok(WatchSnapshot { session, changes: has(from.flags(1)?, 0), number })
}
