//! A snapshot as bytes: a header with the counters, then parts of about [`CHUNK_BYTES`] made of
//! whole items. What stands in a resource follows it, if need be in the next part.

use super::asks::{conduct, put_conduct};
use super::primitives::{Bad, Reader, put_number, put_owner};
use super::snapshot_items::{
    CLOCK, CONDEMNED, CONDUCT, HOLD, NODE, OWNER, RESOURCE, SESSION, TICKET, TICKET_IN_FULL, WAIT,
    WATCH, hold, info, put_hold, put_resource, put_session_info, put_ticket, put_wait, put_watch,
    resource, ticket, ticket_in_full, wait, watch,
};
use crate::machine::{Conduct, NodeId, ResourceSnapshot, SessionSnapshot, Snapshot};

/// A part ends with the item that reaches this many bytes.
pub const CHUNK_BYTES: usize = 64 << 10;

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
    if snapshot.clock_ms > 0 {
        out.push(CLOCK);
        put_number(snapshot.clock_ms, &mut out);
        end_item(&mut out)?;
    }
    for node in &snapshot.nodes {
        out.push(NODE);
        put_number(node.0, &mut out);
        end_item(&mut out)?;
    }
    for session in &snapshot.sessions {
        put_whole_session(session, &mut out, &mut end_item)?;
    }
    for resource in &snapshot.resources {
        put_whole_resource(resource, &mut out, &mut end_item)?;
    }
    if out.is_empty() { Ok(()) } else { each(&out) }
}

/// A session and what there is to say of it, each item ended by `end_item`.
fn put_whole_session<E>(
    session: &SessionSnapshot,
    out: &mut Vec<u8>,
    mut end_item: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let SessionSnapshot { info, owner, condemned, conduct } = session;
    put_session_info(if *condemned { CONDEMNED } else { SESSION }, info, out);
    end_item(out)?;
    if let Some(owner) = owner {
        out.push(OWNER);
        put_owner(owner, out);
        end_item(out)?;
    }
    if *conduct != Conduct::default() {
        out.push(CONDUCT);
        put_conduct(conduct, out);
        end_item(out)?;
    }
    Ok(())
}

/// A resource and what stands in it, each item ended by `end_item`.
fn put_whole_resource<E>(
    resource: &ResourceSnapshot,
    out: &mut Vec<u8>,
    mut end_item: impl FnMut(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let lacks_grants = put_resource(resource, out);
    end_item(out)?;
    for lock in resource.locks.iter().filter(|_| lacks_grants) {
        out.push(HOLD);
        put_hold(lock, out);
        end_item(out)?;
    }
    for ticket in &resource.tickets {
        put_ticket(ticket, out);
        end_item(out)?;
    }
    for wait in &resource.waits {
        put_wait(wait, out);
        end_item(out)?;
    }
    for watch in &resource.watches {
        put_watch(watch, out);
        end_item(out)?;
    }
    Ok(())
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
            self.item(&mut from)?;
        }
        Ok(())
    }

    fn item(&mut self, from: &mut Reader<'_>) -> Result<(), Bad> {
        let tag = from.byte()?;
        let Snapshot { clock_ms, nodes, sessions, resources, .. } = &mut self.snapshot;
        match (tag, resources.last_mut()) {
            (CLOCK, None) if sessions.is_empty() && nodes.is_empty() && *clock_ms == 0 => {
                *clock_ms = from.number()?;
            }
            (NODE, None) if sessions.is_empty() => nodes.push(node_after(nodes, from)?),
            (SESSION | CONDEMNED, None) => {
                let (info, condemned) = (info(from)?, tag == CONDEMNED);
                let conduct = Conduct::default();
                sessions.push(SessionSnapshot { info, owner: None, condemned, conduct });
            }
            (OWNER | CONDUCT, None) => {
                let session = sessions.last_mut();
                let session = session.filter(|session| session.conduct == Conduct::default());
                match session.ok_or(Bad::Order("what is said of a session"))? {
                    session if tag == CONDUCT => session.conduct = conduct(from)?,
                    session if session.owner.is_none() => session.owner = Some(from.owner()?),
                    _ => return Err(Bad::Order("an owner")),
                }
            }
            (RESOURCE, _) => resources.push(resource(from)?),
            (HOLD, Some(at)) => at.locks.push(hold(from)?),
            (TICKET, Some(at)) => at.tickets.push(ticket(from)?),
            (TICKET_IN_FULL, Some(at)) => at.tickets.push(ticket_in_full(from)?),
            (WAIT, Some(at)) => at.waits.push(wait(from)?),
            (WATCH, Some(at)) => at.watches.push(watch(from)?),
            (SESSION..=TICKET_IN_FULL, _) => return Err(Bad::Order("an item")),
            _ => return Err(Bad::Choice("item", tag)),
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
