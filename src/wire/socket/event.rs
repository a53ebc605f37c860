//! Events: what a socket is told without having asked.

use serde::Serialize;

use crate::machine::{
    Data, Event, Fence, Figures, Grant, LockGrant, LossReason, Name, Note, ReleaseReason,
    SessionName, Sought, WaitEndReason, WaitId,
};
use crate::wire::data::write_data;
use crate::wire::figures::write_figures;
use crate::wire::holders::{Holders, write_mode};
use crate::wire::json::Object;

use super::state::write_sought;
use super::ticket::GivenTicket;

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
    TicketReleased {
        resource: Name,
        ticket: Name,
        session: SessionName,
        fence: Fence,
        reason: ReleaseReason,
        attempt: u32,
        note: Option<Note>,
        dead: bool,
    },
    /// A claim is about to end by itself.
    ClaimExpiring { resource: Name, ticket: Name, fence: Fence, left_ms: u32 },
    /// A ticket has another issuer, or is gone.
    TicketTaken { resource: Name, ticket: Name, session: SessionName },
    /// Somebody waits for the lock.
    LockWanted { resource: Name, waiting: u32 },
    /// The lock is lost: it was given up through the session's other connection, or taken by force.
    LockLost { resource: Name, fence: Fence, reason: LossReason },
    /// A wait ended without a grant.
    WaitEnded { wait: WaitId, sought: Sought, reason: WaitEndReason },
    /// A wait has another position.
    WaitMoved { wait: WaitId, sought: Sought, position: u32 },
    /// A watch ended: its session may not look any more.
    WatchEnded { resource: Name },
    /// The proof of who it is is about to end.
    TokenExpiring { left_ms: u32 },
    /// There is a free ticket.
    TicketAvailable { resource: Name, free: u32 },
    /// The lock is free.
    LockAvailable { resource: Name },
    /// A figure of a watched resource changed, or who holds it.
    ResourceChanged { resource: Name, figures: Figures, holders: Option<Holders> },
    /// A heartbeat.
    Beat,
    /// Whether the server takes no new sessions.
    Draining { on: bool },
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
            Event::WaitEnded { wait, sought, reason, .. } => {
                Self::WaitEnded { wait, sought, reason }
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
            Event::TicketReleased {
                resource,
                ticket,
                claimant: session,
                fence,
                reason,
                attempt,
                note,
                dead,
                to: _,
            } => Self::TicketReleased {
                resource,
                ticket,
                session,
                fence,
                reason,
                attempt,
                note,
                dead,
            },
            Event::TicketTaken { resource, ticket, by: session, .. } => {
                Self::TicketTaken { resource, ticket, session }
            }
            Event::LockWanted { resource, waiting, .. } => Self::LockWanted { resource, waiting },
            Event::LockLost { resource, fence, reason, .. } => {
                Self::LockLost { resource, fence, reason }
            }
            Event::Answered { .. }
            | Event::Orphaned { .. }
            | Event::Changed { .. }
            | Event::SessionEnded { .. }
            | Event::SessionOpened { .. }
            | Event::WaitBegan { .. }
            | Event::WaitCancelled { .. }
            | Event::Withdrawn { .. }
            | Event::HoldTimed { .. }
            | Event::HoldLost { .. }
            | Event::HoldEnded { .. }
            | Event::DelayBegan { .. }
            | Event::DelayEnded { .. }
            | Event::Serving { .. }
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
            Self::ClaimExpiring { .. } => "claim-expiring",
            Self::LockWanted { .. } => "lock-wanted",
            Self::LockLost { .. } => "lock-lost",
            Self::WaitEnded { .. } => "wait-ended",
            Self::WaitMoved { .. } => "wait-moved",
            Self::WatchEnded { .. } => "watch-ended",
            Self::TokenExpiring { .. } => "token-expiring",
            Self::TicketAvailable { .. } => "ticket-available",
            Self::LockAvailable { .. } => "lock-available",
            Self::ResourceChanged { .. } => "resource-changed",
            Self::Beat => "beat",
            Self::Draining { .. } => "draining",
            Self::GoingAway { .. } => "going-away",
        }
    }

    /// Writes it, behind what is in the buffer.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.member("event", self.name());
        let it = &mut object;
        match self {
            Self::LockGranted { wait, grant: LockGrant { resource, fence, waiting, mode } } => {
                it.member("resource", resource.as_str()).member("fence", fence.0);
                it.member("wait", wait.0).member("waiting", waiting);
                write_mode(it, *mode);
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
                it.member("fence", fence.0);
                write_loss(it, reason);
            }
            Self::TicketClaimed { resource, ticket, session, fence } => {
                it.member("resource", resource.as_str()).member("ticket", ticket.as_str());
                it.member("session", session.as_str()).member("fence", fence.0);
            }
            Self::TicketReleased { .. } => self.write_release(it),
            Self::ClaimExpiring { resource, ticket, fence, left_ms } => {
                it.member("resource", resource.as_str()).member("ticket", ticket.as_str());
                it.member("fence", fence.0).member("left", left_ms);
            }
            Self::TicketTaken { resource, ticket, session } => {
                it.member("resource", resource.as_str()).member("ticket", ticket.as_str());
                it.member("session", session.as_str());
            }
            Self::LockWanted { resource, waiting } => {
                it.member("resource", resource.as_str()).member("waiting", waiting);
            }
            Self::LockLost { resource, fence, reason } => {
                it.member("resource", resource.as_str()).member("fence", fence.0);
                write_loss(it, reason);
            }
            Self::WaitMoved { wait, sought, position } => {
                it.member("wait", wait.0);
                write_sought(it, sought);
                it.member("position", position);
            }
            Self::WaitEnded { wait, sought, reason } => write_wait_end(it, *wait, sought, *reason),
            Self::WatchEnded { resource } => {
                it.member("resource", resource.as_str()).member("reason", FORBIDDEN);
            }
            Self::TokenExpiring { left_ms } => write_one(it, "left", left_ms),
            Self::TicketAvailable { resource, free } => {
                it.member("resource", resource.as_str()).member("free", free);
            }
            Self::LockAvailable { resource } => write_one(it, "resource", resource.as_str()),
            Self::ResourceChanged { resource, figures, holders } => {
                it.member("resource", resource.as_str());
                write_figures(it, *figures);
                if let Some(holders) = holders {
                    holders.write(it);
                }
            }
            Self::Beat => {}
            Self::Draining { on } => write_one(it, "on", on),
            Self::GoingAway { after_ms } => write_one(it, "after", after_ms),
        }
        object.end();
    }

    fn write_release(&self, object: &mut Object<'_>) {
        let Self::TicketReleased { resource, ticket, session, fence, reason, attempt, note, dead } =
            self
        else {
            return;
        };
        object.member("resource", resource.as_str()).member("ticket", ticket.as_str());
        object.member("session", session.as_str()).member("fence", fence.0);
        let reason = match reason {
            ReleaseReason::Released => "released",
            ReleaseReason::TimedOut => "timeout",
            ReleaseReason::Gone => "gone",
            ReleaseReason::Forced => "forced",
        };
        object.member("reason", reason).member("attempt", attempt);
        object.optional("note", note.as_ref().map(Note::as_str)).unless_default("dead", *dead);
    }
}

/// Why a wait or a watch ended that its session may not have any more, as told.
pub(super) const FORBIDDEN: &str = "forbidden";

fn write_wait_end(object: &mut Object<'_>, wait: WaitId, sought: &Sought, reason: WaitEndReason) {
    object.member("wait", wait.0);
    write_sought(object, sought);
    let reason = match reason {
        WaitEndReason::TimedOut => "timeout",
        WaitEndReason::Forbidden => FORBIDDEN,
    };
    object.member("reason", reason);
}

fn write_one(object: &mut Object<'_>, name: &'static str, value: impl Serialize) {
    object.member(name, value);
}

/// Writes why a lock or a claim was lost.
fn write_loss(object: &mut Object<'_>, reason: &LossReason) {
    let (name, by) = match reason {
        LossReason::Revoked => ("revoked", &None),
        LossReason::IssuerGone => ("issuer-gone", &None),
        LossReason::Released => ("released", &None),
        LossReason::TimedOut => ("timeout", &None),
        LossReason::Forced(by) => ("forced", by),
    };
    object.member("reason", name).optional("by", by.as_ref().map(SessionName::as_str));
}
