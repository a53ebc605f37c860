//! How a resource stands, as those are told who look, by REST and by socket.

use serde::Deserialize;

use crate::machine::{
    Fence, Figures, Kind, LookView, Mode, Name, SessionId, SessionName, SessionRef, WaiterView,
};

use super::figures::{FiguresMembers, write_all_figures};
use super::holders::{Holder, HolderMembers, read_mode, write_mode};
use super::json::Object;
use super::understood::{NotUnderstood, name, session_name, there};

/// How a resource stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which.
    pub resource: Name,
    /// In figures.
    pub figures: Figures,
    /// The grants in force, in order of their fences.
    pub holders: Vec<LookHolder>,
    /// Who waits, first come first.
    pub waiters: Vec<LookWaiter>,
    /// Whether there are more of either.
    pub more: bool,
}

/// A grant in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookHolder {
    /// Whose, and how.
    pub holder: Holder,
    /// The ticket, if it is of one.
    pub ticket: Option<Name>,
    /// When it was granted, in ms since 1970.
    pub since_ms: u64,
    /// The how manieth attempt it is, when that is counted.
    pub attempt: Option<u32>,
}

/// A place in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookWaiter {
    /// What who waits is called.
    pub session: SessionName,
    /// What it is called where its id must not be told.
    pub session_ref: SessionRef,
    /// Counted from 1.
    pub position: u32,
    /// Since when, in ms since 1970.
    pub since_ms: u64,
    /// Whether for a lock.
    pub kind: Kind,
    /// In which mode it waits for a lock.
    pub mode: Mode,
    /// That very ticket.
    pub ticket: Option<Name>,
}

impl Look {
    /// What is told of a resource. `left` knows what is left of holds, in ms.
    #[must_use]
    pub fn new(
        resource: Name,
        view: LookView,
        left: impl Fn(Fence) -> Option<u32>,
        session_ref: impl Fn(&SessionId) -> SessionRef,
    ) -> Self {
        let LookView { figures, holders, waiters, more } = view;
        let holders = holders.into_iter().map(|view| LookHolder {
            holder: Holder::new(&view, left(view.fence), &session_ref),
            ticket: view.ticket,
            since_ms: view.since_ms,
            attempt: view.attempt,
        });
        let holders = holders.collect();
        let waiters = waiters.into_iter().map(|waiter| {
            let WaiterView { session, position, since_ms, kind, mode, ticket } = waiter;
            let (session, session_ref) = (session.name.clone(), session_ref(&session.id));
            LookWaiter { session, session_ref, position, since_ms, kind, mode, ticket }
        });
        let waiters = waiters.collect();
        Self { resource, figures, holders, waiters, more }
    }

    /// Writes it as an object, with no more of the lists than so many bytes.
    pub fn write(&self, out: &mut Vec<u8>, most_bytes: usize) {
        let mut object = Object::begin(out);
        self.write_members(&mut object, most_bytes);
        object.end();
    }

    pub(super) fn write_members(&self, object: &mut Object<'_>, most_bytes: usize) {
        object.member("resource", self.resource.as_str());
        write_all_figures(object, self.figures);
        // Holders who make much known leave room for those who wait.
        let (holders, all_holders) =
            list(&self.holders, most_bytes / 2, |holder, entry| holder.write(entry));
        let (waiters, all_waiters) =
            list(&self.waiters, most_bytes - holders.len(), |waiter, entry| waiter.write(entry));
        object.written("holders", &holders).written("waiters", &waiters);
        object.unless_default("more", self.more || !all_holders || !all_waiters);
    }
}

/// A list of as many entries as there is room for, and whether that is all of them.
fn list<T>(
    entries: &[T],
    room_bytes: usize,
    write: impl Fn(&T, &mut Object<'_>),
) -> (Vec<u8>, bool) {
    let mut list = vec![b'['];
    let mut is_all = true;
    for entry in entries {
        let before = list.len();
        if before > 1 {
            list.push(b',');
        }
        let mut written = Object::begin(&mut list);
        write(entry, &mut written);
        written.end();
        if list.len() >= room_bytes {
            list.truncate(before);
            is_all = false;
            break;
        }
    }
    list.push(b']');
    (list, is_all)
}

impl LookHolder {
    fn write(&self, object: &mut Object<'_>) {
        self.holder.write_session(object);
        object.optional("ticket", self.ticket.as_ref().map(Name::as_str));
        self.holder.write_grant(object);
        object.member("since", self.since_ms);
        object.optional("left", self.holder.left_ms).optional("attempt", self.attempt);
    }
}

impl LookWaiter {
    fn write(&self, object: &mut Object<'_>) {
        object.member("session", self.session.as_str());
        object.member("ref", self.session_ref.to_string());
        object.member("position", self.position).member("since", self.since_ms);
        object.member("kind", waited_for(self.kind));
        write_mode(object, self.mode);
        object.optional("ticket", self.ticket.as_ref().map(Name::as_str));
    }
}

/// What a wait is for, as told.
pub(super) fn waited_for(kind: Kind) -> &'static str {
    match kind {
        Kind::Lock => "lock",
        Kind::Tickets => "ticket",
    }
}

/// What a wait is for, as read.
pub(super) fn read_waited_for(kind: &str) -> Kind {
    if kind == "lock" { Kind::Lock } else { Kind::Tickets }
}

/// The members of a look, as they came.
#[derive(Debug, Deserialize)]
pub(super) struct LookMembers {
    resource: String,
    #[serde(flatten)]
    figures: FiguresMembers,
    holders: Vec<LookHolderMembers>,
    waiters: Vec<LookWaiterMembers>,
    #[serde(default)]
    more: bool,
}

#[derive(Debug, Deserialize)]
struct LookHolderMembers {
    #[serde(flatten)]
    holder: HolderMembers,
    ticket: Option<String>,
    since: u64,
    attempt: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct LookWaiterMembers {
    session: String,
    r#ref: String,
    position: u32,
    since: u64,
    kind: String,
    mode: Option<String>,
    ticket: Option<String>,
}

impl TryFrom<LookMembers> for Look {
    type Error = NotUnderstood;

    fn try_from(members: LookMembers) -> Result<Self, NotUnderstood> {
        let LookMembers { resource, figures, holders, waiters, more } = members;
        let holders = holders.into_iter().map(LookHolder::try_from).collect::<Result<_, _>>()?;
        let waiters = waiters.into_iter().map(LookWaiter::try_from).collect::<Result<_, _>>()?;
        Ok(Self { resource: name(&resource)?, figures: figures.into(), holders, waiters, more })
    }
}

impl TryFrom<LookHolderMembers> for LookHolder {
    type Error = NotUnderstood;

    fn try_from(members: LookHolderMembers) -> Result<Self, NotUnderstood> {
        let LookHolderMembers { holder, ticket, since, attempt } = members;
        let ticket = ticket.map(|ticket| name(&ticket)).transpose()?;
        Ok(Self { holder: holder.try_into()?, ticket, since_ms: since, attempt })
    }
}

impl TryFrom<LookWaiterMembers> for LookWaiter {
    type Error = NotUnderstood;

    fn try_from(members: LookWaiterMembers) -> Result<Self, NotUnderstood> {
        Ok(Self {
            session: session_name(&members.session)?,
            session_ref: there(SessionRef::parse(&members.r#ref), "ref")?,
            position: members.position,
            since_ms: members.since,
            kind: read_waited_for(&members.kind),
            mode: read_mode(members.mode.as_deref()),
            ticket: members.ticket.map(|ticket| name(&ticket)).transpose()?,
        })
    }
}
