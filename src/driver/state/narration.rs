//! What the log tells of sessions, grants and ends. Ids are told by six digits, data never.

use tracing::Level;

use crate::machine::{Command, Event, Grant, Machine, Reply, SessionId};

/// Most sessions of one slice that have a line each.
const LINES_MAX: usize = 20;

/// Tells of sessions that are about to expire while they hold something or wait for it.
pub(super) fn expired(machine: &Machine, sessions: &[SessionId]) {
    if !tracing::enabled!(Level::INFO) {
        return;
    }
    let (mut told, mut left) = (0, 0_usize);
    for id in sessions {
        let Some(stakes) = machine.stakes(id) else { continue };
        if stakes.locks + stakes.claims + stakes.waits == 0 {
            continue;
        }
        if told == LINES_MAX {
            left += 1;
            continue;
        }
        told += 1;
        tracing::info!(
            name = ?stakes.name.as_str(),
            locks = stakes.locks,
            claims = stakes.claims,
            waits = stakes.waits,
            "a session expired; what it held passes on"
        );
    }
    if left > 0 {
        tracing::info!(sessions = left, "more sessions expired that held or waited for something");
    }
}

/// Tells of a grant that is made at once, or of a hold that is given up.
pub(super) fn replied(command: &Command, reply: &Reply) {
    match (command, reply) {
        (
            Command::Lock { session, .. }
            | Command::Claim { session, .. }
            | Command::ClaimFirst { session, .. },
            Reply::Granted { grant, fresh: true },
        ) => granted(grant, *session),
        (Command::Unlock { session, resource, .. }, Reply::Done) => {
            tracing::debug!(?session, resource = resource.as_str(), "unlocked");
        }
        (Command::Release { session, resource, ticket, .. }, Reply::Released(true)) => {
            let (resource, ticket) = (resource.as_str(), ticket.as_str());
            tracing::debug!(?session, resource, ticket, "released");
        }
        (Command::Revoke { session, resource, ticket, .. }, Reply::Done) => {
            let (resource, ticket) = (resource.as_str(), ticket.as_str());
            tracing::debug!(?session, resource, ticket, "revoked");
        }
        _ => {}
    }
}

/// Tells of a grant or an end that the machine announces.
pub(super) fn announced(event: &Event) {
    match event {
        Event::Granted { to, grant, .. } => granted(grant, *to),
        Event::Answered { request, grant } => {
            let (resource, ticket, fence) = parts(grant);
            tracing::debug!(request = request.n, resource, ticket, fence, "granted to a request");
        }
        Event::WaitEnded { to, sought, reason, .. } => {
            tracing::debug!(session = ?to, ?sought, ?reason, "a wait ended");
        }
        Event::TicketRevoked { to, resource, ticket, fence, reason } => {
            let (resource, ticket) = (resource.as_str(), ticket.as_str());
            let fence = fence.0;
            tracing::debug!(session = ?to, resource, ticket, fence, ?reason, "a claim was lost");
        }
        Event::LockLost { to, resource, fence, reason } => {
            let (resource, fence) = (resource.as_str(), fence.0);
            tracing::debug!(session = ?to, resource, fence, ?reason, "a lock was lost");
        }
        Event::SessionEnded { session, why } => tracing::debug!(?session, ?why, "session ended"),
        _ => {}
    }
}

fn granted(grant: &Grant, session: SessionId) {
    let (resource, ticket, fence) = parts(grant);
    tracing::debug!(?session, resource, ticket, fence, "granted");
}

fn parts(grant: &Grant) -> (&str, Option<&str>, u64) {
    match grant {
        Grant::Lock(grant) => (grant.resource.as_str(), None, grant.fence.0),
        Grant::Ticket(grant) => {
            (grant.resource.as_str(), Some(grant.ticket.as_str()), grant.fence.0)
        }
    }
}
