//! Events: what a socket is told without having asked.

use serde::Deserialize;

use crate::machine::{
    Data, Event, Fence, Figures, Grant, LockGrant, LossReason, Name, SessionName, WaitEndReason,
    WaitId,
};
use crate::wire::json::Object;

use super::figures::{FiguresMembers, write_figures};
use super::ticket::{DataMembers, GivenTicket, write_data};
use super::understood::{NotUnderstood, name, session_name, there};

/// An event, as its client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members are the contract's")]
pub enum SocketEvent {
    /// A lock was granted to a wait.
    LockGranted { wait: WaitId, grant: LockGrant },
    /// A ticket was granted to a wait.
    TicketGranted { wait: WaitId, ticket: GivenTicket },
    /// A claimed ticket was issued again.
    TicketUpdated { resource: Name, ticket: Name, data: Data, fence: Fence },
    /// A claim is lost.
    TicketRevoked { resource: Name, ticket: Name, fence: Fence, reason: LossReason },
    /// A ticket was claimed.
    TicketClaimed { resource: Name, ticket: Name, session: SessionName, fence: Fence },
    /// A claim ended.
    TicketReleased { resource: Name, ticket: Name, session: SessionName, fence: Fence },
    /// A ticket has another issuer, or is gone.
    TicketTaken { resource: Name, ticket: Name, session: SessionName },
    /// Somebody waits for the lock.
    LockWanted { resource: Name, waiting: u32 },
    /// The lock is lost: it was given up through the session's other connection.
    LockLost { resource: Name, fence: Fence },
    /// A wait ended without a grant.
    WaitEnded { wait: WaitId, resource: Name, reason: WaitEndReason },
    /// A watch ended: its session may not look any more.
    WatchEnded { resource: Name },
    /// The proof of who it is is about to end.
    TokenExpiring { left_ms: u32 },
    /// There is a free ticket.
    TicketAvailable { resource: Name, free: u32 },
    /// The lock is free.
    LockAvailable { resource: Name },
    /// A figure of a watched resource changed.
    ResourceChanged { resource: Name, figures: Figures },
    /// A heartbeat.
    Beat,
    /// The server stops.
    GoingAway { after_ms: u32 },
}

impl SocketEvent {
    /// What the machine announced, if it is for a socket.
    #[must_use]
    pub fn of(event: Event) -> Option<Self> {
        Some(match event {
            Event::Granted { wait, grant: Grant::Lock(grant), .. } => {
                Self::LockGranted { wait, grant }
            }
            Event::Granted { wait, grant: Grant::Ticket(grant), .. } => {
                Self::TicketGranted { wait, ticket: grant.into() }
            }
            Event::WaitEnded { wait, resource, reason, .. } => {
                Self::WaitEnded { wait, resource, reason }
            }
            Event::WatchEnded { resource, .. } => Self::WatchEnded { resource },
            Event::TicketUpdated { resource, ticket, data, fence, .. } => {
                Self::TicketUpdated { resource, ticket, data, fence }
            }
            Event::TicketRevoked { resource, ticket, fence, reason, .. } => {
                Self::TicketRevoked { resource, ticket, fence, reason }
            }
            Event::TicketClaimed { resource, ticket, claimant: session, fence, .. } => {
                Self::TicketClaimed { resource, ticket, session, fence }
            }
            Event::TicketReleased { resource, ticket, claimant: session, fence, .. } => {
                Self::TicketReleased { resource, ticket, session, fence }
            }
            Event::TicketTaken { resource, ticket, by: session, .. } => {
                Self::TicketTaken { resource, ticket, session }
            }
            Event::LockWanted { resource, waiting, .. } => Self::LockWanted { resource, waiting },
            Event::LockLost { resource, fence, .. } => Self::LockLost { resource, fence },
            Event::Answered { .. }
            | Event::Orphaned { .. }
            | Event::Changed { .. }
            | Event::SessionEnded { .. }
            | Event::SessionOpened { .. }
            | Event::WaitBegan { .. }
            | Event::WaitCancelled { .. }
            | Event::Withdrawn { .. }
            | Event::Emptied { .. }
            | Event::Forgotten { .. } => return None,
        })
    }

    /// What it is called.
    fn name(&self) -> &'static str {
        match self {
            Self::LockGranted { .. } => "lock-granted",
            Self::TicketGranted { .. } => "ticket-granted",
            Self::TicketUpdated { .. } => "ticket-updated",
            Self::TicketRevoked { .. } => "ticket-revoked",
            Self::TicketClaimed { .. } => "ticket-claimed",
            Self::TicketReleased { .. } => "ticket-released",
            Self::TicketTaken { .. } => "ticket-taken",
            Self::LockWanted { .. } => "lock-wanted",
            Self::LockLost { .. } => "lock-lost",
            Self::WaitEnded { .. } => "wait-ended",
            Self::WatchEnded { .. } => "watch-ended",
            Self::TokenExpiring { .. } => "token-expiring",
            Self::TicketAvailable { .. } => "ticket-available",
            Self::LockAvailable { .. } => "lock-available",
            Self::ResourceChanged { .. } => "resource-changed",
            Self::Beat => "beat",
            Self::GoingAway { .. } => "going-away",
        }
    }

    /// Writes it, behind what is in the buffer.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.member("event", self.name());
        let it = &mut object;
        match self {
            Self::LockGranted { wait, grant: LockGrant { resource, fence, waiting } } => {
                it.member("resource", resource.as_str()).member("fence", fence.0);
                it.member("wait", wait.0).member("waiting", waiting);
            }
            Self::TicketGranted { wait, ticket } => {
                ticket.write(it);
                it.member("wait", wait.0);
            }
            Self::TicketUpdated { resource, ticket, data, fence } => {
                it.member("resource", resource.as_str()).member("ticket", ticket.as_str());
                write_data(it, data);
                it.member("fence", fence.0);
            }
            Self::TicketRevoked { resource, ticket, fence, reason } => {
                it.member("resource", resource.as_str()).member("ticket", ticket.as_str());
                it.member("fence", fence.0).member("reason", reason_name(*reason));
            }
            Self::TicketClaimed { resource, ticket, session, fence }
            | Self::TicketReleased { resource, ticket, session, fence } => {
                it.member("resource", resource.as_str()).member("ticket", ticket.as_str());
                it.member("session", session.as_str()).member("fence", fence.0);
            }
            Self::TicketTaken { resource, ticket, session } => {
                it.member("resource", resource.as_str()).member("ticket", ticket.as_str());
                it.member("session", session.as_str());
            }
            Self::LockWanted { resource, waiting } => {
                it.member("resource", resource.as_str()).member("waiting", waiting);
            }
            Self::LockLost { resource, fence } => {
                it.member("resource", resource.as_str()).member("fence", fence.0);
                it.member("reason", "released");
            }
            Self::WaitEnded { wait, resource, reason } => {
                it.member("wait", wait.0).member("resource", resource.as_str());
                let reason = match reason {
                    WaitEndReason::TimedOut => "timeout",
                    WaitEndReason::Forbidden => FORBIDDEN,
                };
                it.member("reason", reason);
            }
            Self::WatchEnded { resource } => {
                it.member("resource", resource.as_str()).member("reason", FORBIDDEN);
            }
            Self::TokenExpiring { left_ms } => {
                it.member("left", left_ms);
            }
            Self::TicketAvailable { resource, free } => {
                it.member("resource", resource.as_str()).member("free", free);
            }
            Self::LockAvailable { resource } => {
                it.member("resource", resource.as_str());
            }
            Self::ResourceChanged { resource, figures } => {
                it.member("resource", resource.as_str());
                write_figures(it, *figures);
            }
            Self::Beat => {}
            Self::GoingAway { after_ms } => {
                it.member("after", after_ms);
            }
        }
        object.end();
    }

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

/// Why a wait or a watch ended that its session may not have any more, as told.
const FORBIDDEN: &str = "forbidden";

/// All that this version knows.
const NAMES: [&str; 17] = [
    "lock-granted",
    "ticket-granted",
    "ticket-updated",
    "ticket-revoked",
    "ticket-claimed",
    "ticket-released",
    "ticket-taken",
    "lock-wanted",
    "lock-lost",
    "wait-ended",
    "watch-ended",
    "token-expiring",
    "ticket-available",
    "lock-available",
    "resource-changed",
    "beat",
    "going-away",
];

/// Why a claim was lost, as told.
fn reason_name(reason: LossReason) -> &'static str {
    match reason {
        LossReason::Revoked => "revoked",
        LossReason::IssuerGone => "issuer-gone",
        LossReason::Released => "released",
    }
}

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
    reason: Option<String>,
    kind: Option<String>,
    free: Option<u32>,
    held: Option<u32>,
    after: Option<u32>,
    left: Option<u32>,
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

    fn figures(self) -> Result<Figures, NotUnderstood> {
        let waiting = self.waiting()?;
        let (free, held) = (there(self.free, "free")?, there(self.held, "held")?);
        Ok(FiguresMembers { kind: self.kind, free, held, waiting }.into())
    }

    /// One that this version does not know was revoked, whatever else there is to say of it.
    fn reason(&self) -> LossReason {
        match self.reason.as_deref() {
            Some("issuer-gone") => LossReason::IssuerGone,
            Some("released") => LossReason::Released,
            _ => LossReason::Revoked,
        }
    }

    fn event(self, event: &str) -> Result<SocketEvent, NotUnderstood> {
        use SocketEvent as E;
        Ok(match event {
            "beat" => E::Beat,
            "going-away" => E::GoingAway { after_ms: there(self.after, "after")? },
            "lock-granted" => {
                let (resource, fence) = (self.resource()?, self.fence()?);
                let grant = LockGrant { resource, fence, waiting: self.waiting()? };
                E::LockGranted { wait: self.wait()?, grant }
            }
            "lock-wanted" => E::LockWanted { resource: self.resource()?, waiting: self.waiting()? },
            "lock-lost" => E::LockLost { resource: self.resource()?, fence: self.fence()? },
            "lock-available" => E::LockAvailable { resource: self.resource()? },
            "wait-ended" => {
                let reason = match self.reason.as_deref() {
                    Some(FORBIDDEN) => WaitEndReason::Forbidden,
                    _ => WaitEndReason::TimedOut,
                };
                E::WaitEnded { wait: self.wait()?, resource: self.resource()?, reason }
            }
            "watch-ended" => E::WatchEnded { resource: self.resource()? },
            "token-expiring" => E::TokenExpiring { left_ms: there(self.left, "left")? },
            "ticket-available" => {
                E::TicketAvailable { resource: self.resource()?, free: there(self.free, "free")? }
            }
            "resource-changed" => {
                E::ResourceChanged { resource: self.resource()?, figures: self.figures()? }
            }
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
                let ticket = GivenTicket { resource, ticket, data, fence, issuer };
                E::TicketGranted { wait, ticket }
            }
            "ticket-updated" => {
                let fence = self.fence()?;
                E::TicketUpdated { resource, ticket, data: self.data.try_into()?, fence }
            }
            "ticket-revoked" => {
                let (fence, reason) = (self.fence()?, self.reason());
                E::TicketRevoked { resource, ticket, fence, reason }
            }
            "ticket-claimed" => {
                let (session, fence) = (self.session()?, self.fence()?);
                E::TicketClaimed { resource, ticket, session, fence }
            }
            "ticket-released" => {
                let (session, fence) = (self.session()?, self.fence()?);
                E::TicketReleased { resource, ticket, session, fence }
            }
            "ticket-taken" => E::TicketTaken { resource, ticket, session: self.session()? },
            _ => return Err(NotUnderstood("event")),
        })
    }
}
