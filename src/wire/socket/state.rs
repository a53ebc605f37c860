//! The whole state of a session, in as many frames as it takes.

use std::vec;

use serde::Deserialize;

use crate::machine::{
    DATA_MAX_BYTES, Fence, Figures, Grant, IssuedState, Kind, LockGrant, NAME_MAX_BYTES, Name,
    SessionId, SessionName, SessionRef, SessionState, Ttl, WaitId, WaitState, WatchState,
};
use crate::wire::id::{read_id, write_id};
use crate::wire::json::Object;

use super::bounds::FRAME_MAX_BYTES;
use super::figures::{FiguresMembers, write_figures};
use super::ticket::{DataMembers, GivenTicket};
use super::understood::{NotUnderstood, name, session_name, there};

/// Bytes of lists in one frame, beyond which no entry is begun.
const LISTS_MAX_BYTES: usize = 48 * 1024;
/// More than the largest entry takes: a hold, with three names, of which a character may be
/// written as two, and data, of which a byte may be written as six; and its members.
const ENTRY_MAX_BYTES: usize = 3 * 2 * NAME_MAX_BYTES + 6 * DATA_MAX_BYTES + 256;
/// More than the rest of a frame takes: a name, two ids, numbers, and its members.
const HEAD_MAX_BYTES: usize = 2 * NAME_MAX_BYTES + 512;

const _: () = assert!(LISTS_MAX_BYTES + ENTRY_MAX_BYTES + HEAD_MAX_BYTES <= FRAME_MAX_BYTES);

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
    pub watches: Vec<WatchState>,
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

/// A place in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number.
    pub wait: WaitId,
    /// What it is for.
    pub resource: Name,
    /// Whether that is a lock.
    pub kind: Kind,
    /// For that very ticket.
    pub ticket: Option<Name>,
    /// Counted from 1.
    pub position: u32,
}

impl From<Grant> for HoldState {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::Lock(grant) => Self::Lock(grant),
            Grant::Ticket(grant) => Self::Ticket(grant.into()),
        }
    }
}

impl From<WaitState> for Place {
    fn from(wait: WaitState) -> Self {
        let WaitState { wait, resource, kind, ticket, position, timeout: _ } = wait;
        Self { wait, resource, kind, ticket, position }
    }
}

/// The frames of a state: parts, then the `ok` with the rest. Written one by one, as they are
/// asked for.
#[derive(Debug)]
pub struct StateFrames {
    id: Option<u64>,
    head: Option<StateHead>,
    holds: vec::IntoIter<Grant>,
    waits: vec::IntoIter<WaitState>,
    watches: vec::IntoIter<WatchState>,
    issued: vec::IntoIter<IssuedState>,
}

impl StateFrames {
    /// The frames that answer the request of that id.
    #[must_use]
    pub fn new(
        id: Option<u64>,
        state: SessionState,
        session_ref: SessionRef,
        resumed: bool,
        epoch: &str,
        ping_ms: u32,
    ) -> Self {
        let head = StateHead {
            session: state.info.id,
            session_ref: Some(session_ref),
            name: state.info.name.clone(),
            ttl: state.info.ttl,
            resumed,
            epoch: epoch.into(),
            ping_ms,
        };
        Self {
            id,
            head: Some(head),
            holds: state.holds.into_iter(),
            waits: state.waits.into_iter(),
            watches: state.watches.into_iter(),
            issued: state.issued.into_iter(),
        }
    }

    /// Appends as many entries of the lists as fit; false when some are left.
    fn fill(&mut self, object: &mut Object<'_>) -> bool {
        let mut room = LISTS_MAX_BYTES;
        list(object, "holds", &mut self.holds, &mut room, |hold, object| match hold {
            Grant::Lock(LockGrant { resource, fence, waiting }) => {
                object.member("resource", resource.as_str()).member("fence", fence.0);
                object.member("waiting", waiting);
            }
            Grant::Ticket(grant) => GivenTicket::from(grant).write(object),
        }) && list(object, "waits", &mut self.waits, &mut room, |wait, object| {
            write_wait(&wait, object)
        }) && list(object, "watches", &mut self.watches, &mut room, |watch, object| {
            object.member("resource", watch.resource.as_str()).member("changes", watch.changes);
            write_figures(object, watch.figures);
        }) && list(object, "issued", &mut self.issued, &mut room, |issued, object| {
            object.member("resource", issued.resource.as_str());
            object.member("ticket", issued.ticket.as_str()).member("claimed", issued.claimed);
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

fn write_wait(wait: &WaitState, object: &mut Object<'_>) {
    let kind = match wait.kind {
        Kind::Lock => "lock",
        Kind::Tickets => "ticket",
    };
    object.member("wait", wait.wait.0).member("resource", wait.resource.as_str());
    object.member("kind", kind);
    if let Some(ticket) = &wait.ticket {
        object.member("ticket", ticket.as_str());
    }
    object.member("position", wait.position);
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

    /// Reads what is in `ok`; `None` when it is no state.
    pub(super) fn read(ok: &str) -> Result<Option<Self>, NotUnderstood> {
        let members: HeadMembers =
            serde_json::from_str(ok).map_err(|_| NotUnderstood("members of ok"))?;
        let Some(session) = members.session else { return Ok(None) };
        let ttl = there(members.ttl, "ttl")?;
        Ok(Some(Self {
            session: there(read_id(&session), "session")?,
            session_ref: members.session_ref.as_deref().and_then(SessionRef::parse),
            name: session_name(&there(members.name, "name")?)?,
            ttl: there(Ttl::new(ttl), "ttl")?,
            resumed: there(members.resumed, "resumed")?,
            epoch: there(members.epoch, "epoch")?.into(),
            ping_ms: there(members.ping, "ping")?,
        }))
    }
}

/// The members of a state's head, as they came.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HeadMembers {
    session: Option<String>,
    #[serde(rename = "ref")]
    session_ref: Option<String>,
    name: Option<String>,
    ttl: Option<i64>,
    resumed: Option<bool>,
    epoch: Option<String>,
    ping: Option<u32>,
}

/// The lists of a state, as they came.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListsMembers {
    holds: Vec<HoldMembers>,
    waits: Vec<PlaceMembers>,
    watches: Vec<WatchMembers>,
    issued: Vec<IssuedMembers>,
}

#[derive(Debug, Deserialize)]
struct HoldMembers {
    resource: String,
    fence: u64,
    waiting: Option<u32>,
    ticket: Option<String>,
    #[serde(flatten)]
    data: DataMembers,
    issuer: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PlaceMembers {
    wait: u64,
    resource: String,
    kind: String,
    ticket: Option<String>,
    position: u32,
}

#[derive(Debug, Deserialize)]
struct WatchMembers {
    resource: String,
    changes: bool,
    #[serde(flatten)]
    figures: FiguresMembers,
}

#[derive(Debug, Deserialize)]
struct IssuedMembers {
    resource: String,
    ticket: String,
    claimed: bool,
}

impl StateLists {
    /// Reads the lists in `ok` or `part`.
    pub(super) fn read(lists: &str) -> Result<Self, NotUnderstood> {
        let members: ListsMembers =
            serde_json::from_str(lists).map_err(|_| NotUnderstood("lists of a state"))?;
        Ok(Self {
            holds: members.holds.into_iter().map(HoldState::try_from).collect::<Result<_, _>>()?,
            waits: members.waits.into_iter().map(Place::try_from).collect::<Result<_, _>>()?,
            watches: members.watches.into_iter().map(watch).collect::<Result<_, _>>()?,
            issued: members.issued.iter().map(issued).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<HoldMembers> for HoldState {
    type Error = NotUnderstood;

    fn try_from(hold: HoldMembers) -> Result<Self, NotUnderstood> {
        let (resource, fence) = (name(&hold.resource)?, Fence(hold.fence));
        let Some(ticket) = hold.ticket else {
            let waiting = there(hold.waiting, "waiting")?;
            return Ok(Self::Lock(LockGrant { resource, fence, waiting }));
        };
        Ok(Self::Ticket(GivenTicket {
            resource,
            ticket: name(&ticket)?,
            data: hold.data.try_into()?,
            fence,
            issuer: session_name(&there(hold.issuer, "issuer")?)?,
        }))
    }
}

impl TryFrom<PlaceMembers> for Place {
    type Error = NotUnderstood;

    fn try_from(place: PlaceMembers) -> Result<Self, NotUnderstood> {
        Ok(Self {
            wait: WaitId(place.wait),
            resource: name(&place.resource)?,
            kind: if place.kind == "lock" { Kind::Lock } else { Kind::Tickets },
            ticket: place.ticket.map(|ticket| name(&ticket)).transpose()?,
            position: place.position,
        })
    }
}

fn watch(watch: WatchMembers) -> Result<WatchState, NotUnderstood> {
    let (resource, figures) = (name(&watch.resource)?, Figures::from(watch.figures));
    Ok(WatchState { resource, changes: watch.changes, figures })
}

fn issued(issued: &IssuedMembers) -> Result<IssuedState, NotUnderstood> {
    let (resource, ticket) = (name(&issued.resource)?, name(&issued.ticket)?);
    Ok(IssuedState { resource, ticket, claimed: issued.claimed })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::machine::SessionInfo;

    #[test]
    fn a_large_state_comes_in_parts_that_fit_and_lack_nothing() {
        let info = Arc::new(SessionInfo {
            id: SessionId([7; 20]),
            name: SessionName::parse(&"\"".repeat(255)).unwrap(),
            ttl: Ttl::new(5000).unwrap(),
            source: "here".into(),
        });
        let name = Name::parse(&"\\".repeat(255)).unwrap();
        let ticket = IssuedState { resource: name.clone(), ticket: name, claimed: true };
        let issued = vec![ticket; 10_000];
        let state = SessionState { info, holds: vec![], waits: vec![], watches: vec![], issued };
        let frames: Vec<Vec<u8>> =
            StateFrames::new(Some(9), state, SessionRef([1; 8]), true, "e", 7).collect();
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
