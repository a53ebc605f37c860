//! What REST answers, in the original's shapes (protocol, section 2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use crate::machine::{Counts, SessionInfo, TicketGrant, TicketView};

use super::id::write_id;

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
}

/// The answer to a claim.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ClaimShape {
    claimed: bool,
    ticket: TicketShape,
}

impl From<&SessionInfo> for SessionShape {
    fn from(info: &SessionInfo) -> Self {
        Self {
            name: info.name.as_str().to_owned(),
            id: write_id(&info.id),
            src: info.source.to_string(),
            ttl: info.ttl.as_ms(),
            tickets: Vec::new(),
            issuances: Vec::new(),
        }
    }
}

/// The original shows a lock as a ticket of its own name, issued by its holder.
pub(super) fn lock(name: &str, holder: &SessionInfo) -> TicketShape {
    TicketShape {
        name: name.to_owned(),
        resource_name: name.to_owned(),
        data: Some(String::new()),
        issuer: Some(Box::new(holder.into())),
        claimant: None,
    }
}

impl From<&TicketView> for TicketShape {
    fn from(view: &TicketView) -> Self {
        Self {
            name: view.ticket.as_str().to_owned(),
            resource_name: view.resource.as_str().to_owned(),
            data: Some(BASE64.encode(view.data.as_bytes())),
            issuer: Some(Box::new((&*view.issuer).into())),
            claimant: view.claim.as_ref().map(|(claimant, _)| Box::new((&**claimant).into())),
        }
    }
}

impl From<&TicketGrant> for ClaimShape {
    fn from(grant: &TicketGrant) -> Self {
        let ticket = TicketShape {
            name: grant.ticket.as_str().to_owned(),
            resource_name: grant.resource.as_str().to_owned(),
            data: Some(BASE64.encode(grant.data.as_bytes())),
            issuer: Some(Box::new((&*grant.issuer).into())),
            claimant: Some(Box::new((&*grant.claimant).into())),
        };
        Self { claimed: true, ticket }
    }
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
    /// Places in queues.
    pub waits: usize,
    /// Watches.
    pub watches: usize,
    /// Requests carried out since the start.
    pub operations: u64,
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
