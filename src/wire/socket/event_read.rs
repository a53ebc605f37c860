//! Events, as a client reads them.

use serde::Deserialize;

use crate::machine::{
    Fence, LockGrant, LossReason, Name, Note, ReleaseReason, SessionName, Sought, WaitEndReason,
    WaitId,
};
use crate::wire::data::DataMembers;
use crate::wire::figures::FiguresMembers;
use crate::wire::holders::{HolderMembers, read_holders, read_mode};
use crate::wire::understood::{NotUnderstood, name, session_name, there};

use super::event::{FORBIDDEN, SocketEvent};
use super::state_read::read_sought;
use super::ticket::GivenTicket;

impl SocketEvent {
    /// Reads the event of that name from a frame; `None` when this version does not know it,
    /// whatever its members are.
    pub(super) fn read(event: &str, frame: &str) -> Result<Option<Self>, NotUnderstood> {
        if !NAMES.contains(&event) {
            return Ok(None);
        }
        let members: EventMembers =
            serde_json::from_str(frame).map_err(|_| NotUnderstood("members of an event"))?;
        let told = if event.starts_with("ticket-") && event != "ticket-available" {
            members.ticket_event(event)
        } else {
            members.event(event)
        };
        told.map(Some)
    }
}

/// All that this version knows.
const NAMES: [&str; 20] = [
    "lock-granted",
    "ticket-granted",
    "ticket-updated",
    "ticket-revoked",
    "ticket-claimed",
    "ticket-released",
    "ticket-taken",
    "claim-expiring",
    "lock-wanted",
    "lock-lost",
    "wait-ended",
    "wait-moved",
    "watch-ended",
    "token-expiring",
    "ticket-available",
    "lock-available",
    "resource-changed",
    "beat",
    "draining",
    "going-away",
];

/// The members of an event, as they came.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EventMembers {
    resource: Option<String>,
    ticket: Option<String>,
    #[serde(flatten)]
    data: DataMembers,
    fence: Option<u64>,
    issuer: Option<String>,
    wait: Option<u64>,
    waiting: Option<u32>,
    session: Option<String>,
    resources: Option<Vec<String>>,
    position: Option<u32>,
    mode: Option<String>,
    reason: Option<String>,
    by: Option<String>,
    attempt: Option<u32>,
    note: Option<String>,
    hold: Option<u32>,
    kind: Option<String>,
    free: Option<u32>,
    held: Option<u32>,
    delayed: u32,
    dead: Option<Dead>,
    paused: bool,
    holders: Option<Vec<HolderMembers>>,
    more: bool,
    after: Option<u32>,
    left: Option<u32>,
    on: Option<bool>,
}

/// Of a resource how many tickets are dead; of a ticket whether it is.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Dead {
    Count(u32),
    Last(bool),
}

impl EventMembers {
    fn resource(&self) -> Result<Name, NotUnderstood> {
        name(there(self.resource.as_deref(), "resource")?)
    }

    fn ticket(&self) -> Result<Name, NotUnderstood> {
        name(there(self.ticket.as_deref(), "ticket")?)
    }

    fn session(&self) -> Result<SessionName, NotUnderstood> {
        session_name(there(self.session.as_deref(), "session")?)
    }

    fn fence(&self) -> Result<Fence, NotUnderstood> {
        there(self.fence, "fence").map(Fence)
    }

    fn wait(&self) -> Result<WaitId, NotUnderstood> {
        there(self.wait, "wait").map(WaitId)
    }

    fn waiting(&self) -> Result<u32, NotUnderstood> {
        there(self.waiting, "waiting")
    }

    fn sought(&self) -> Result<Sought, NotUnderstood> {
        read_sought(self.resource.as_deref(), self.resources.as_deref())
    }

    fn changed(self) -> Result<SocketEvent, NotUnderstood> {
        let (resource, waiting) = (self.resource()?, self.waiting()?);
        let (free, held) = (there(self.free, "free")?, there(self.held, "held")?);
        let (kind, delayed, paused) = (self.kind, self.delayed, self.paused);
        let dead = match self.dead {
            Some(Dead::Count(dead)) => dead,
            _ => 0,
        };
        let figures = FiguresMembers { kind, free, held, waiting, delayed, dead, paused };
        let holders = self.holders.map(|first| read_holders(first, self.more)).transpose()?;
        Ok(SocketEvent::ResourceChanged { resource, figures: figures.into(), holders })
    }

    fn released(self) -> Result<SocketEvent, NotUnderstood> {
        let note = self.note.as_deref().map(Note::parse).transpose();
        Ok(SocketEvent::TicketReleased {
            resource: self.resource()?,
            ticket: self.ticket()?,
            session: self.session()?,
            fence: self.fence()?,
            reason: match self.reason.as_deref() {
                Some("timeout") => ReleaseReason::TimedOut,
                Some("gone") => ReleaseReason::Gone,
                Some("forced") => ReleaseReason::Forced,
                _ => ReleaseReason::Released,
            },
            attempt: self.attempt.unwrap_or(1),
            note: note.map_err(|_| NotUnderstood("note"))?,
            dead: matches!(self.dead, Some(Dead::Last(true))),
        })
    }

    /// One that this version does not know was revoked, whatever else there is to say of it.
    fn reason(&self) -> Result<LossReason, NotUnderstood> {
        Ok(match self.reason.as_deref() {
            Some("issuer-gone") => LossReason::IssuerGone,
            Some("released") => LossReason::Released,
            Some("timeout") => LossReason::TimedOut,
            Some("forced") => LossReason::Forced(self.by.as_deref().map(session_name).transpose()?),
            _ => LossReason::Revoked,
        })
    }

    fn event(self, event: &str) -> Result<SocketEvent, NotUnderstood> {
        use SocketEvent as E;
        Ok(match event {
            "beat" => E::Beat,
            "draining" => E::Draining { on: there(self.on, "on")? },
            "going-away" => E::GoingAway { after_ms: there(self.after, "after")? },
            "lock-granted" => {
                let (resource, fence) = (self.resource()?, self.fence()?);
                let mode = read_mode(self.mode.as_deref());
                let grant = LockGrant { resource, fence, waiting: self.waiting()?, mode };
                E::LockGranted { wait: self.wait()?, grant }
            }
            "lock-wanted" => E::LockWanted { resource: self.resource()?, waiting: self.waiting()? },
            "lock-lost" => {
                let (resource, fence) = (self.resource()?, self.fence()?);
                E::LockLost { resource, fence, reason: self.reason()? }
            }
            "lock-available" => E::LockAvailable { resource: self.resource()? },
            "wait-ended" => {
                let reason = match self.reason.as_deref() {
                    Some(FORBIDDEN) => WaitEndReason::Forbidden,
                    _ => WaitEndReason::TimedOut,
                };
                E::WaitEnded { wait: self.wait()?, sought: self.sought()?, reason }
            }
            "wait-moved" => {
                let position = there(self.position, "position")?;
                E::WaitMoved { wait: self.wait()?, sought: self.sought()?, position }
            }
            "claim-expiring" => {
                let (resource, ticket, fence) = (self.resource()?, self.ticket()?, self.fence()?);
                E::ClaimExpiring { resource, ticket, fence, left_ms: there(self.left, "left")? }
            }
            "watch-ended" => E::WatchEnded { resource: self.resource()? },
            "token-expiring" => E::TokenExpiring { left_ms: there(self.left, "left")? },
            "ticket-available" => {
                E::TicketAvailable { resource: self.resource()?, free: there(self.free, "free")? }
            }
            "resource-changed" => self.changed()?,
            _ => return Err(NotUnderstood("event")),
        })
    }

    fn ticket_event(self, event: &str) -> Result<SocketEvent, NotUnderstood> {
        use SocketEvent as E;
        let (resource, ticket) = (self.resource()?, self.ticket()?);
        Ok(match event {
            "ticket-granted" => {
                let issuer = session_name(there(self.issuer.as_deref(), "issuer")?)?;
                let (wait, fence, data) = (self.wait()?, self.fence()?, self.data.try_into()?);
                let (attempt, hold_ms, left_ms) = (self.attempt, self.hold, self.left);
                let ticket = GivenTicket {
                    resource,
                    ticket,
                    data,
                    fence,
                    issuer,
                    attempt,
                    hold_ms,
                    left_ms,
                };
                E::TicketGranted { wait, ticket }
            }
            "ticket-updated" => {
                let fence = self.fence()?;
                E::TicketUpdated { resource, ticket, data: self.data.try_into()?, fence }
            }
            "ticket-revoked" => {
                let (fence, reason) = (self.fence()?, self.reason()?);
                E::TicketRevoked { resource, ticket, fence, reason }
            }
            "ticket-claimed" => {
                let (session, fence) = (self.session()?, self.fence()?);
                E::TicketClaimed { resource, ticket, session, fence }
            }
            "ticket-released" => self.released()?,
            "ticket-taken" => E::TicketTaken { resource, ticket, session: self.session()? },
            _ => return Err(NotUnderstood("event")),
        })
    }
}
