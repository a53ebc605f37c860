//! Frames that go out: answers and events.

use std::str;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use crate::machine::{
    self, Data, Fence, Figures, Grant, Kind, LockGrant, LossReason, Name, Refusal, Reply,
    TicketGrant, WaitId,
};
use crate::wire::Problem;
use crate::wire::rest::json;

#[derive(Serialize)]
struct Ok<T> {
    id: Option<u64>,
    ok: T,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Failed<'a> {
    id: Option<u64>,
    error: Failure<'a>,
}

#[derive(Serialize)]
struct Failure<'a> {
    code: &'static str,
    message: &'a str,
}

/// An answer that says nothing more.
#[must_use]
pub fn done(id: Option<u64>) -> String {
    json(&Ok { id, ok: Empty {} })
}

/// The answer to a heartbeat.
#[must_use]
pub fn beat_answer(id: Option<u64>, ttl_ms: u32) -> String {
    #[derive(Serialize)]
    struct Beat {
        ttl: u32,
    }
    json(&Ok { id, ok: Beat { ttl: ttl_ms } })
}

/// The answer to a request that made no sense.
#[must_use]
pub fn answer_error(id: Option<u64>, problem: &Problem) -> String {
    let error = Failure { code: problem.code.as_str(), message: &problem.detail };
    json(&Failed { id, error })
}

/// A text that shows what it is: `data` when it is UTF-8, else `data64`.
#[derive(Serialize)]
pub(super) struct DataMember<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data64: Option<String>,
}

impl<'a> From<&'a Data> for DataMember<'a> {
    fn from(data: &'a Data) -> Self {
        match str::from_utf8(data.as_bytes()) {
            std::result::Result::Ok(text) => Self { data: Some(text), data64: None },
            Err(_) => Self { data: None, data64: Some(BASE64.encode(data.as_bytes())) },
        }
    }
}

/// A ticket that was granted.
#[derive(Serialize)]
pub(super) struct Ticket<'a> {
    resource: &'a str,
    ticket: &'a str,
    #[serde(flatten)]
    data: DataMember<'a>,
    fence: u64,
    issuer: &'a str,
}

impl<'a> From<&'a TicketGrant> for Ticket<'a> {
    fn from(grant: &'a TicketGrant) -> Self {
        Self {
            resource: grant.resource.as_str(),
            ticket: grant.ticket.as_str(),
            data: (&grant.data).into(),
            fence: grant.fence.0,
            issuer: grant.issuer.name.as_str(),
        }
    }
}

/// The machine's answer to the request of that id.
#[must_use]
pub fn answer_reply(id: Option<u64>, reply: &Result<Reply, Refusal>) -> String {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Answer<'a> {
        Lock { granted: bool, fence: u64, waiting: u32 },
        Ticket { granted: bool, ticket: Box<Ticket<'a>> },
        Queued { granted: bool, wait: u64, position: u32 },
        NotGranted { granted: bool },
        Released { released: bool },
        Cancelled { cancelled: bool },
        Watching(FiguresMember),
    }
    let ok = match reply {
        Err(refusal) => return answer_error(id, &(*refusal).into()),
        std::result::Result::Ok(reply) => match reply {
            Reply::Granted { grant: Grant::Lock(LockGrant { fence, waiting, .. }), .. } => {
                Answer::Lock { granted: true, fence: fence.0, waiting: *waiting }
            }
            Reply::Granted { grant: Grant::Ticket(grant), .. } => {
                Answer::Ticket { granted: true, ticket: Box::new(grant.into()) }
            }
            Reply::Queued { wait, position } => {
                Answer::Queued { granted: false, wait: wait.0, position: *position }
            }
            Reply::NotGranted => Answer::NotGranted { granted: false },
            Reply::Released(released) => Answer::Released { released: *released },
            Reply::Cancelled(cancelled) => Answer::Cancelled { cancelled: *cancelled },
            Reply::Watching(figures) => Answer::Watching((*figures).into()),
            Reply::Done | Reply::Forgotten { .. } => return done(id),
        },
    };
    json(&Ok { id, ok })
}

/// A resource's kind, as told.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Tickets => "tickets",
        Kind::Lock => "lock",
    }
}

/// A resource's figures, as told.
#[derive(Serialize)]
pub(super) struct FiguresMember {
    kind: Option<&'static str>,
    free: u32,
    held: u32,
    waiting: u32,
}

impl From<Figures> for FiguresMember {
    fn from(figures: Figures) -> Self {
        let Figures { kind: of, free, held, waiting } = figures;
        Self { kind: of.map(kind), free, held, waiting }
    }
}

/// A level-triggered event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelEvent {
    /// There is a free ticket.
    TicketAvailable,
    /// The lock is free.
    LockAvailable,
    /// A figure changed.
    Changed,
}

/// An event about a watched resource.
#[must_use]
pub fn level(what: LevelEvent, resource: &Name, figures: Figures) -> String {
    #[derive(Serialize)]
    struct Available<'a> {
        event: &'static str,
        resource: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        free: Option<u32>,
    }
    #[derive(Serialize)]
    struct Changed<'a> {
        event: &'static str,
        resource: &'a str,
        #[serde(flatten)]
        figures: FiguresMember,
    }
    let resource = resource.as_str();
    match what {
        LevelEvent::TicketAvailable => {
            json(&Available { event: "ticket-available", resource, free: Some(figures.free) })
        }
        LevelEvent::LockAvailable => {
            json(&Available { event: "lock-available", resource, free: None })
        }
        LevelEvent::Changed => {
            json(&Changed { event: "resource-changed", resource, figures: figures.into() })
        }
    }
}

/// The heartbeat that a client answers.
#[must_use]
pub fn beat_event() -> String {
    json(&Event::Beat)
}

/// The server stops in so many ms.
#[must_use]
pub fn going_away(after_ms: u32) -> String {
    json(&Event::GoingAway { after: after_ms })
}

/// The events, as they are told.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event<'a> {
    /// A lock was granted to a wait.
    LockGranted { resource: &'a str, fence: u64, wait: u64, waiting: u32 },
    /// A ticket was granted to a wait.
    TicketGranted {
        #[serde(flatten)]
        ticket: Ticket<'a>,
        wait: u64,
    },
    /// A claimed ticket was issued again.
    TicketUpdated {
        resource: &'a str,
        ticket: &'a str,
        #[serde(flatten)]
        data: DataMember<'a>,
        fence: u64,
    },
    /// A claim is lost.
    TicketRevoked { resource: &'a str, ticket: &'a str, fence: u64, reason: &'static str },
    /// A ticket was claimed.
    TicketClaimed { resource: &'a str, ticket: &'a str, session: &'a str, fence: u64 },
    /// A claim ended.
    TicketReleased { resource: &'a str, ticket: &'a str, session: &'a str, fence: u64 },
    /// A ticket has another issuer, or is gone.
    TicketTaken { resource: &'a str, ticket: &'a str, session: &'a str },
    /// Somebody waits for the lock.
    LockWanted { resource: &'a str, waiting: u32 },
    /// The lock is lost.
    LockLost { resource: &'a str, fence: u64, reason: &'static str },
    /// A wait ended without a grant.
    WaitEnded { wait: u64, resource: &'a str, reason: &'static str },
    /// A heartbeat.
    Beat,
    /// The server stops.
    GoingAway { after: u32 },
}

/// What the machine announced, if it is for a socket.
#[must_use]
pub fn event(event: &machine::Event) -> Option<String> {
    use machine::Event as E;
    let told = match event {
        E::Granted { wait, grant: Grant::Lock(grant), .. } => Event::LockGranted {
            resource: grant.resource.as_str(),
            fence: grant.fence.0,
            wait: wait.0,
            waiting: grant.waiting,
        },
        E::Granted { wait, grant: Grant::Ticket(grant), .. } => {
            Event::TicketGranted { ticket: grant.into(), wait: wait.0 }
        }
        E::WaitEnded { wait: WaitId(wait), resource, .. } => {
            Event::WaitEnded { wait: *wait, resource: resource.as_str(), reason: "timeout" }
        }
        E::TicketUpdated { resource, ticket, data, fence: Fence(fence), .. } => {
            let (resource, ticket) = (resource.as_str(), ticket.as_str());
            Event::TicketUpdated { resource, ticket, data: data.into(), fence: *fence }
        }
        E::TicketRevoked { resource, ticket, fence: Fence(fence), reason, .. } => {
            let (resource, ticket) = (resource.as_str(), ticket.as_str());
            let reason = match reason {
                LossReason::Revoked => "revoked",
                LossReason::IssuerGone => "issuer-gone",
                LossReason::Released => "released",
            };
            Event::TicketRevoked { resource, ticket, fence: *fence, reason }
        }
        E::TicketClaimed { resource, ticket, claimant, fence: Fence(fence), .. } => {
            let (resource, ticket) = (resource.as_str(), ticket.as_str());
            Event::TicketClaimed { resource, ticket, session: claimant.as_str(), fence: *fence }
        }
        E::TicketReleased { resource, ticket, claimant, fence: Fence(fence), .. } => {
            let (resource, ticket) = (resource.as_str(), ticket.as_str());
            Event::TicketReleased { resource, ticket, session: claimant.as_str(), fence: *fence }
        }
        E::TicketTaken { resource, ticket, by, .. } => {
            let (resource, ticket) = (resource.as_str(), ticket.as_str());
            Event::TicketTaken { resource, ticket, session: by.as_str() }
        }
        E::LockWanted { resource, waiting, .. } => {
            Event::LockWanted { resource: resource.as_str(), waiting: *waiting }
        }
        E::LockLost { resource, fence: Fence(fence), .. } => {
            Event::LockLost { resource: resource.as_str(), fence: *fence, reason: "released" }
        }
        E::Answered { .. } | E::Orphaned { .. } | E::Changed { .. } | E::SessionEnded { .. } => {
            return None;
        }
    };
    Some(json(&told))
}
