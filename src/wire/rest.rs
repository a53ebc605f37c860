//! What REST answers, in the original's shapes (protocol, section 2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use crate::machine::{Counts, Owner, Party, SessionInfo, TicketGrant, TicketView};

use super::id::write_id;

/// What is told of sessions beside their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Ids, and where they come from.
    Everything,
    /// Its own id to a session itself, and where it comes from; nothing of others.
    Own,
    /// Where they come from.
    Source,
    /// Nothing.
    Nothing,
}

impl Told {
    /// What is told of those who are not asked about.
    pub(super) fn of_others(self) -> Self {
        match self {
            Self::Own => Self::Nothing,
            told => told,
        }
    }
}

/// A session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SessionShape {
    name: String,
    id: String,
    src: String,
    ttl: u32,
    tickets: Vec<TicketShape>,
    issuances: Vec<TicketShape>,
}

/// A ticket, or a lock in the guise of one.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TicketShape {
    name: String,
    resource_name: String,
    data: Option<String>,
    issuer: Option<Box<SessionShape>>,
    claimant: Option<Box<SessionShape>>,
    /// The how manieth attempt is under way, or comes next, when that is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// How long the claim lasts, in ms, unless it is touched.
    #[serde(rename = "Hold", skip_serializing_if = "Option::is_none")]
    hold_ms: Option<u32>,
    /// How long it still lasts, in ms.
    #[serde(rename = "Left", skip_serializing_if = "Option::is_none")]
    left_ms: Option<u32>,
}

/// The answer to a claim.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ClaimShape {
    claimed: bool,
    ticket: TicketShape,
}

impl SessionShape {
    pub(super) fn new(info: &SessionInfo, told: Told) -> Self {
        let (id, src) = match told {
            Told::Everything | Told::Own => (write_id(&info.id), info.source.to_string()),
            Told::Source => (String::new(), info.source.to_string()),
            Told::Nothing => (String::new(), String::new()),
        };
        Self {
            name: info.name.as_str().to_owned(),
            id,
            src,
            ttl: info.ttl.as_ms(),
            tickets: Vec::new(),
            issuances: Vec::new(),
        }
    }
}

/// A session that may be gone: then it has a name and nothing else.
pub(super) fn party(party: &Party, told: Told) -> SessionShape {
    match party {
        Party::Here(info) => SessionShape::new(info, told),
        Party::Gone(name) => SessionShape {
            name: name.as_str().to_owned(),
            id: String::new(),
            src: String::new(),
            ttl: 0,
            tickets: Vec::new(),
            issuances: Vec::new(),
        },
    }
}

/// The original shows a lock as a ticket of its own name, issued by its holder. Further holders
/// have entries of other names.
pub(super) fn lock(entry: &str, name: &str, holder: SessionShape) -> TicketShape {
    TicketShape {
        name: entry.to_owned(),
        resource_name: name.to_owned(),
        data: Some(String::new()),
        issuer: Some(Box::new(holder)),
        ..TicketShape::default()
    }
}

impl TicketShape {
    /// A ticket, of whose claim so many ms are left.
    pub(super) fn new(view: &TicketView, left_ms: Option<u32>, told: Told) -> Self {
        let claimant = view.claim.as_ref().map(|(claimant, _)| Box::new(party(claimant, told)));
        let is_counted = view.stays || view.hold_ms.is_some();
        Self {
            name: view.ticket.as_str().to_owned(),
            resource_name: view.resource.as_str().to_owned(),
            data: Some(BASE64.encode(view.data.as_bytes())),
            issuer: Some(Box::new(party(&view.issuer, told))),
            claimant,
            attempt: is_counted.then_some(view.attempt),
            hold_ms: view.hold_ms,
            left_ms: left_ms.filter(|_| is_counted),
        }
    }
}

impl ClaimShape {
    /// What a grant is answered, of which so many ms are left.
    #[must_use]
    pub fn new(grant: &TicketGrant, left_ms: Option<u32>, told: Told) -> Self {
        let ticket = TicketShape {
            name: grant.ticket.as_str().to_owned(),
            resource_name: grant.resource.as_str().to_owned(),
            data: Some(BASE64.encode(grant.data.as_bytes())),
            issuer: Some(Box::new(party(&grant.issuer, told))),
            claimant: Some(Box::new(SessionShape::new(&grant.claimant, told))),
            attempt: grant.attempt,
            hold_ms: grant.hold_ms,
            left_ms,
        };
        Self { claimed: true, ticket }
    }
}

/// The answer to a touch.
#[derive(Debug, Serialize)]
pub struct TouchShape {
    /// How long the claim lasts from now on, in ms, if it ends by itself.
    #[serde(rename = "Left")]
    pub left_ms: Option<u32>,
}

/// The answer to a revival.
#[derive(Debug, Serialize)]
pub struct RevivedShape {
    /// How many dead tickets are free again.
    pub revived: u32,
}

/// A session in a list.
#[derive(Debug, Serialize)]
pub struct ListedSession {
    /// Its name.
    pub name: String,
    /// What it is called where its id must not be told.
    #[serde(rename = "ref")]
    pub session_ref: String,
    /// Whose it is.
    pub owner: Option<OwnerShape>,
    /// The address it was opened from.
    pub src: String,
    /// How long it lives unheard, in ms.
    #[serde(rename = "ttl")]
    pub ttl_ms: u32,
    /// How long ago it was last heard, in ms; 0 while a request of it is under way.
    #[serde(rename = "heard")]
    pub heard_ms: u64,
    /// Locks and tickets that it holds.
    pub holds: usize,
    /// Its places in queues.
    pub waits: usize,
    /// Tickets that it issued.
    pub issued: usize,
}

/// Whose something is.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum OwnerShape {
    /// A principal's.
    Principal {
        /// Which.
        principal: String,
    },
    /// One's of whom a signer's tokens speak.
    Subject {
        /// Whose tokens.
        signer: String,
        /// Of whom they speak.
        sub: String,
    },
}

impl From<&Owner> for OwnerShape {
    fn from(owner: &Owner) -> Self {
        match owner.parts() {
            (principal, None) => Self::Principal { principal: principal.to_owned() },
            (signer, Some(sub)) => Self::Subject { signer: signer.to_owned(), sub: sub.to_owned() },
        }
    }
}

/// A page of a list of sessions.
#[derive(Debug, Serialize)]
pub struct SessionList {
    /// In order of their refs.
    pub sessions: Vec<ListedSession>,
    /// Behind which the next page begins, if there is one.
    pub after: Option<String>,
}

/// The answer to `GET /status`: the original's members, then our own.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StatusShape {
    /// The server's version.
    pub version: &'static str,
    /// Time since the start, as Go writes it.
    pub uptime: String,
    /// When it was started, for people.
    pub started: String,
    /// Time since the start, in ns.
    #[serde(rename = "Uptime_t")]
    pub uptime_ns: u64,
    /// When it was started, for programs (RFC 3339).
    #[serde(rename = "Started_t")]
    pub started_at: String,
    /// Processors that it may use.
    pub num_cpus: usize,
    /// Living sessions.
    pub sessions: usize,
    /// Open sockets.
    pub sockets: usize,
    /// Known resources.
    pub resources: usize,
    /// Tickets.
    pub tickets: usize,
    /// Held locks.
    pub locks: usize,
    /// Claimed tickets.
    pub claims: usize,
    /// Tickets that are free only later.
    pub delayed: usize,
    /// Tickets that go to nobody any more.
    pub dead: usize,
    /// Places in queues.
    pub waits: usize,
    /// Watches.
    pub watches: usize,
    /// Requests carried out since the start.
    pub operations: u64,
    /// No new sessions are taken.
    pub draining: bool,
    /// Resident memory, in bytes; 0 where it cannot be told.
    pub resident_bytes: u64,
    /// What is kept on disk.
    #[serde(flatten)]
    pub persistence: PersistenceShape,
}

/// The part of [`StatusShape`] that is about the journal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PersistenceShape {
    /// `always`, `interval`, `none`; `memory` when nothing is kept.
    pub durability: &'static str,
    /// The journal's file, in its directory.
    pub journal_file: Option<String>,
    /// Its size, in bytes.
    pub journal_bytes: u64,
    /// How much of it is the image that it begins with.
    pub image_bytes: u64,
    /// Commands behind the image: a start replays them.
    pub journal_commands: u64,
    /// When it was last synced (RFC 3339).
    pub last_sync: Option<String>,
    /// When the last image of this run was done (RFC 3339).
    pub last_image: Option<String>,
    /// The disk is full: nothing is done until it is no more.
    pub disk_full: bool,
}

impl Default for PersistenceShape {
    fn default() -> Self {
        Self {
            durability: "memory",
            journal_file: None,
            journal_bytes: 0,
            image_bytes: 0,
            journal_commands: 0,
            last_sync: None,
            last_image: None,
            disk_full: false,
        }
    }
}

impl StatusShape {
    /// The figures that count things.
    #[must_use]
    pub fn with(self, counts: Counts) -> Self {
        Self {
            sessions: counts.sessions,
            resources: counts.resources,
            tickets: counts.tickets,
            locks: counts.locks,
            claims: counts.claims,
            delayed: counts.delayed,
            dead: counts.dead,
            waits: counts.waits,
            watches: counts.watches,
            ..self
        }
    }
}

/// A span of time as Go writes it: `1h2m3.5s`.
#[must_use]
pub fn go_duration(millis: u64) -> String {
    let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
    let seconds = millis % 60_000;
    let mut text = String::new();
    if hours > 0 {
        text += &format!("{hours}h");
    }
    if hours > 0 || minutes > 0 {
        text += &format!("{minutes}m");
    }
    let fraction = format!("{:03}", seconds % 1000);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    text + &format!("{}{dot}{fraction}s", seconds / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        for (ms, text) in [
            (0, "0s"),
            (1500, "1.5s"),
            (60_000, "1m0s"),
            (3_723_050, "1h2m3.05s"),
            (7_200_000, "2h0m0s"),
        ] {
            assert_eq!(go_duration(ms), text);
        }
    }
}
