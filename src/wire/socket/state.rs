//! The whole state of a session, in as many frames as it takes.

use std::vec;

use crate::machine::{
    CLAIM_FIRST_MAX, DATA_MAX_BYTES, Figures, Grant, IssuedState, Kind, LockGrant, Mode,
    NAME_MAX_BYTES, Name, SessionId, SessionName, SessionRef, Sought, Ttl, WaitId, WaitState,
};
use crate::wire::figures::write_figures;
use crate::wire::holders::{HOLDERS_MAX_BYTES, Holders, write_mode};
use crate::wire::id::write_id;
use crate::wire::json::Object;
use crate::wire::look::waited_for;

use super::bounds::{FRAME_MAX_BYTES, LISTS_MAX_BYTES};
use super::ticket::GivenTicket;

/// More than a hold takes: three names, of which a character may be written as two, and data, of
/// which a byte may be written as six; and its members.
const HOLD_MAX_BYTES: usize = 3 * 2 * NAME_MAX_BYTES + 6 * DATA_MAX_BYTES + 320;
/// More than a wait for several resources takes.
const WAIT_MAX_BYTES: usize = CLAIM_FIRST_MAX * (2 * NAME_MAX_BYTES + 3) + 256;
/// More than a watch takes, with those who hold what is watched.
const WATCH_MAX_BYTES: usize = 2 * NAME_MAX_BYTES + HOLDERS_MAX_BYTES + 320;
/// More than the rest of a frame takes: a name, two ids, numbers, and its members.
const HEAD_MAX_BYTES: usize = 2 * NAME_MAX_BYTES + 512;

const _: () = assert!(LISTS_MAX_BYTES + HOLD_MAX_BYTES + HEAD_MAX_BYTES <= FRAME_MAX_BYTES);
const _: () = assert!(LISTS_MAX_BYTES + WAIT_MAX_BYTES + HEAD_MAX_BYTES <= FRAME_MAX_BYTES);
const _: () = assert!(LISTS_MAX_BYTES + WATCH_MAX_BYTES + HEAD_MAX_BYTES <= FRAME_MAX_BYTES);

/// What a state says of the session itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateHead {
    /// Its id.
    pub session: SessionId,
    /// What it is called where its id must not be told. Servers before 0.3 do not tell it.
    pub session_ref: Option<SessionRef>,
    /// Its name.
    pub name: SessionName,
    /// How long it lives unheard.
    pub ttl: Ttl,
    /// Whether it was there before the socket.
    pub resumed: bool,
    /// The server's run.
    pub epoch: Box<str>,
    /// Time between two heartbeats, in ms.
    pub ping_ms: u32,
}

/// What a session has, or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateLists {
    /// Locks and tickets that it holds.
    pub holds: Vec<HoldState>,
    /// Its places in queues.
    pub waits: Vec<Place>,
    /// What it watches.
    pub watches: Vec<Watched>,
    /// What it has issued.
    pub issued: Vec<IssuedState>,
}

/// What a session holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// A lock.
    Lock(LockGrant),
    /// A ticket.
    Ticket(GivenTicket),
}

/// A place in a queue, or in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub wait: WaitId,
    /// What it is for.
    pub sought: Sought,
    /// Whether that is a lock.
    pub kind: Kind,
    /// In which mode it waits for a lock.
    pub mode: Mode,
    /// For that very ticket.
    pub ticket: Option<Name>,
    /// Counted from 1; of several queues, the least.
    pub position: u32,
}

/// What a session watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Which resource.
    pub resource: Name,
    /// Whether every change is told.
    pub changes: bool,
    /// How it stands.
    pub figures: Figures,
    /// Who holds it, if that is told of every change.
    pub holders: Option<Holders>,
}

impl HoldState {
    /// A hold of which so many ms are left, if it ends by itself.
    #[must_use]
    pub fn new(grant: Grant, left_ms: Option<u32>) -> Self {
        match grant {
            Grant::Lock(grant) => Self::Lock(grant),
            Grant::Ticket(grant) => Self::Ticket(GivenTicket::new(grant, left_ms)),
        }
    }
}

impl From<WaitState> for Place {
    fn from(wait: WaitState) -> Self {
        let WaitState { wait, sought, kind, mode, ticket, position, timeout: _ } = wait;
        Self { wait, sought, kind, mode, ticket, position }
    }
}

/// The frames of a state: parts, then the `ok` with the rest. Written one by one, as they are
/// asked for.
#[derive(Debug)]
pub struct StateFrames {
    id: Option<u64>,
    head: Option<StateHead>,
    holds: vec::IntoIter<HoldState>,
    waits: vec::IntoIter<Place>,
    watches: vec::IntoIter<Watched>,
    issued: vec::IntoIter<IssuedState>,
}

impl StateFrames {
    /// The frames that answer the request of that id.
    #[must_use]
    pub fn new(id: Option<u64>, head: StateHead, lists: StateLists) -> Self {
        let StateLists { holds, waits, watches, issued } = lists;
        Self {
            id,
            head: Some(head),
            holds: holds.into_iter(),
            waits: waits.into_iter(),
            watches: watches.into_iter(),
            issued: issued.into_iter(),
        }
    }

    /// Appends as many entries of the lists as fit; false when some are left.
    fn fill(&mut self, object: &mut Object<'_>) -> bool {
        let mut room = LISTS_MAX_BYTES;
        list(object, "holds", &mut self.holds, &mut room, |hold, object| match hold {
            HoldState::Lock(LockGrant { resource, fence, waiting, mode }) => {
                object.member("resource", resource.as_str()).member("fence", fence.0);
                object.member("waiting", waiting);
                write_mode(object, mode);
            }
            HoldState::Ticket(ticket) => ticket.write(object),
        }) && list(object, "waits", &mut self.waits, &mut room, |wait, object| wait.write(object))
            && list(object, "watches", &mut self.watches, &mut room, |watch, object| {
                object.member("resource", watch.resource.as_str()).member("changes", watch.changes);
                write_figures(object, watch.figures);
                if let Some(holders) = watch.holders {
                    holders.write(object);
                }
            })
            && list(object, "issued", &mut self.issued, &mut room, |issued, object| {
                object.member("resource", issued.resource.as_str());
                object.member("ticket", issued.ticket.as_str()).member("claimed", issued.claimed);
                object.unless_default("stay", issued.stays);
            })
    }
}

/// Writes a list of as many entries as there is room for; false when some are left.
fn list<T>(
    object: &mut Object<'_>,
    name: &'static str,
    entries: &mut vec::IntoIter<T>,
    room: &mut usize,
    write: impl Fn(T, &mut Object<'_>),
) -> bool {
    let mut list = vec![b'['];
    while list.len() < *room {
        let Some(entry) = entries.next() else { break };
        if list.len() > 1 {
            list.push(b',');
        }
        let mut object = Object::begin(&mut list);
        write(entry, &mut object);
        object.end();
    }
    list.push(b']');
    *room = room.saturating_sub(list.len());
    object.written(name, &list);
    entries.as_slice().is_empty()
}

impl Place {
    fn write(&self, object: &mut Object<'_>) {
        object.member("wait", self.wait.0);
        write_sought(object, &self.sought);
        object.member("kind", waited_for(self.kind));
        write_mode(object, self.mode);
        object.optional("ticket", self.ticket.as_ref().map(Name::as_str));
        object.member("position", self.position);
    }
}

/// Writes what a wait is for: the name of a resource, or those of several.
pub(super) fn write_sought(object: &mut Object<'_>, sought: &Sought) {
    match sought {
        Sought::One(resource) => object.member("resource", resource.as_str()),
        Sought::FirstOf(resources) => {
            let resources: Vec<&str> = resources.iter().map(Name::as_str).collect();
            object.member("resources", resources)
        }
    };
}

impl Iterator for StateFrames {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let head = self.head.take()?;
        let (mut lists, mut out) = (Vec::new(), Vec::new());
        let mut members = Object::begin(&mut lists);
        let is_all = self.fill(&mut members);
        members.end();
        let mut frame = Object::begin(&mut out);
        frame.member("id", self.id);
        if is_all {
            let mut ok = frame.object("ok");
            head.write(&mut ok);
            ok.members_of(&lists);
            ok.end();
        } else {
            frame.written("part", &lists);
            self.head = Some(head);
        }
        frame.end();
        Some(out)
    }
}

impl StateHead {
    fn write(&self, ok: &mut Object<'_>) {
        ok.member("session", write_id(&self.session));
        if let Some(session_ref) = self.session_ref {
            ok.member("ref", session_ref.to_string());
        }
        ok.member("name", self.name.as_str());
        ok.member("ttl", self.ttl.as_ms()).member("resumed", self.resumed);
        ok.member("epoch", &*self.epoch).member("ping", self.ping_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_state_comes_in_parts_that_fit_and_lack_nothing() {
        let head = StateHead {
            session: SessionId([7; 20]),
            session_ref: Some(SessionRef([1; 8])),
            name: SessionName::parse(&"\"".repeat(255)).unwrap(),
            ttl: Ttl::new(5000).unwrap(),
            resumed: true,
            epoch: "e".into(),
            ping_ms: 7,
        };
        let name = Name::parse(&"\\".repeat(255)).unwrap();
        let ticket =
            IssuedState { resource: name.clone(), ticket: name, claimed: true, stays: true };
        let issued = vec![ticket; 10_000];
        let lists = StateLists { issued, ..StateLists::default() };
        let frames: Vec<Vec<u8>> = StateFrames::new(Some(9), head, lists).collect();
        assert!(frames.len() > 100 && frames.iter().all(|frame| frame.len() <= FRAME_MAX_BYTES));
        let mut count = 0;
        for (at, frame) in frames.iter().enumerate() {
            let value: serde_json::Value = serde_json::from_slice(frame).unwrap();
            assert_eq!(value["id"], 9);
            let last = at + 1 == frames.len();
            assert_eq!(value.get("ok").is_some(), last);
            let lists = if last { &value["ok"] } else { &value["part"] };
            count += lists["issued"].as_array().map_or(0, Vec::len);
        }
        assert_eq!(count, 10_000);
    }
}
