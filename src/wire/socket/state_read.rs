//! The whole state of a session, as a client reads it.

use serde::Deserialize;

use crate::machine::{
    Fence, Figures, IssuedState, LockGrant, Name, SessionRef, Sought, Ttl, WaitId,
};
use crate::wire::data::DataMembers;
use crate::wire::figures::FiguresMembers;
use crate::wire::holders::{HolderMembers, read_holders, read_mode};
use crate::wire::id::read_id;
use crate::wire::look::read_waited_for;
use crate::wire::understood::{NotUnderstood, name, session_name, there};

use super::state::{HoldState, Place, StateHead, StateLists, Watched};
use super::ticket::GivenTicket;

impl StateHead {
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
    mode: Option<String>,
    ticket: Option<String>,
    #[serde(flatten)]
    data: DataMembers,
    issuer: Option<String>,
    attempt: Option<u32>,
    hold: Option<u32>,
    left: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct PlaceMembers {
    wait: u64,
    resource: Option<String>,
    resources: Option<Vec<String>>,
    kind: String,
    mode: Option<String>,
    ticket: Option<String>,
    position: u32,
}

#[derive(Debug, Deserialize)]
struct WatchMembers {
    resource: String,
    changes: bool,
    #[serde(flatten)]
    figures: FiguresMembers,
    holders: Option<Vec<HolderMembers>>,
    #[serde(default)]
    more: bool,
}

#[derive(Debug, Deserialize)]
struct IssuedMembers {
    resource: String,
    ticket: String,
    claimed: bool,
    #[serde(default)]
    stay: bool,
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
            let mode = read_mode(hold.mode.as_deref());
            return Ok(Self::Lock(LockGrant { resource, fence, waiting, mode }));
        };
        Ok(Self::Ticket(GivenTicket {
            resource,
            ticket: name(&ticket)?,
            data: hold.data.try_into()?,
            fence,
            issuer: session_name(&there(hold.issuer, "issuer")?)?,
            attempt: hold.attempt,
            hold_ms: hold.hold,
            left_ms: hold.left,
        }))
    }
}

impl TryFrom<PlaceMembers> for Place {
    type Error = NotUnderstood;

    fn try_from(place: PlaceMembers) -> Result<Self, NotUnderstood> {
        Ok(Self {
            wait: WaitId(place.wait),
            sought: read_sought(place.resource.as_deref(), place.resources.as_deref())?,
            kind: read_waited_for(&place.kind),
            mode: read_mode(place.mode.as_deref()),
            ticket: place.ticket.map(|ticket| name(&ticket)).transpose()?,
            position: place.position,
        })
    }
}

/// Reads what a wait is for.
pub(super) fn read_sought(
    resource: Option<&str>,
    resources: Option<&[String]>,
) -> Result<Sought, NotUnderstood> {
    match resources {
        Some(resources) => {
            let names: Result<Vec<Name>, _> = resources.iter().map(|text| name(text)).collect();
            Ok(Sought::FirstOf(names?.into()))
        }
        None => name(there(resource, "resource")?).map(Sought::One),
    }
}

fn watch(watch: WatchMembers) -> Result<Watched, NotUnderstood> {
    let (resource, figures) = (name(&watch.resource)?, Figures::from(watch.figures));
    let holders = watch.holders.map(|first| read_holders(first, watch.more)).transpose()?;
    Ok(Watched { resource, changes: watch.changes, figures, holders })
}

fn issued(issued: &IssuedMembers) -> Result<IssuedState, NotUnderstood> {
    let (resource, ticket) = (name(&issued.resource)?, name(&issued.ticket)?);
    Ok(IssuedState { resource, ticket, claimed: issued.claimed, stays: issued.stay })
}
