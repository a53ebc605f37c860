//! What the audit trail is told of a command: sessions that begin and end, grants, and holds that
//! end. What ends with a command is looked at before it, for nobody knows it afterwards.

use std::sync::Arc;

use crate::access::Right;
use crate::audit::{Audit, AuditLine, AuditWhat};
use crate::machine::{
    Applied, Command, EndReason, Event, Fence, Grant, LossReason, Machine, Name, Refusal, Reply,
    SessionId, SessionInfo,
};

/// What a command ends if it is carried out; `is_undone` says that it gives back a grant of which
/// nobody could be told.
pub(super) fn endings(machine: &Machine, command: &Command, is_undone: bool) -> Vec<AuditLine> {
    let trail = Trail { machine };
    let given_back = if is_undone { "undelivered" } else { "released" };
    match command {
        Command::Close { session } => trail.session_ends(session, EndReason::Closed),
        Command::Condemn { sessions } | Command::Expire { sessions } => {
            let ends = sessions.iter().map(|id| trail.session_ends(id, EndReason::Expired));
            ends.flatten().collect()
        }
        Command::Unlock { session, resource, .. } => {
            let holder = trail.holder(resource).filter(|(info, _)| info.id == *session);
            let line = holder.map(|(info, fence)| {
                trail.hold(AuditWhat::HoldEnded, info, (resource, None, fence), given_back)
            });
            line.into_iter().collect()
        }
        Command::Release { session, resource, ticket, .. } => {
            let held = machine.holds(session, resource.as_str(), ticket.as_str());
            let line = held.ok().flatten().zip(machine.info_of(session)).map(|(fence, info)| {
                let hold = (resource, Some(ticket), fence);
                trail.hold(AuditWhat::HoldEnded, info, hold, given_back)
            });
            line.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Tells what a command has done: what it ended, what it answers, what it announces.
pub(super) fn tell(
    audit: &Audit,
    machine: &Machine,
    (command, applied): (&Command, &Applied),
    endings: Vec<AuditLine>,
    events: &[Event],
) {
    let trail = Trail { machine };
    if applied.changed && !matches!(applied.reply, Err(_) | Ok(Reply::Released(false))) {
        endings.into_iter().for_each(|line| audit.tell(line));
    }
    if let Some(line) = trail.replied(command, applied) {
        audit.tell(line);
    }
    // Each way by which a place was waited for is told of its grant.
    let mut told = None;
    for event in events {
        let line = trail.announced(command, event);
        let fence = line.as_ref().and_then(|line| line.fence);
        if fence.is_none() || fence != told {
            line.into_iter().for_each(|line| audit.tell(line));
        }
        told = fence.or(told);
    }
}

/// A hold's resource, its ticket if it is one, and the number of the grant.
type HoldParts<'a> = (&'a Name, Option<&'a Name>, Fence);

/// What lines are made from.
struct Trail<'m> {
    machine: &'m Machine,
}

impl Trail<'_> {
    fn session(&self, what: AuditWhat, info: Arc<SessionInfo>) -> AuditLine {
        let owner = self.machine.owner(&info.id).flatten().cloned();
        AuditLine { owner, session: Some(info), ..AuditLine::new(what) }
    }

    fn hold(
        &self,
        what: AuditWhat,
        info: Arc<SessionInfo>,
        (resource, ticket, fence): HoldParts<'_>,
        reason: &'static str,
    ) -> AuditLine {
        AuditLine {
            resource: Some(resource.clone()),
            ticket: ticket.cloned(),
            fence: Some(fence),
            reason: Some(reason.into()).filter(|_| !reason.is_empty()),
            ..self.session(what, info)
        }
    }

    /// A session ends, and each of its holds before it.
    fn session_ends(&self, id: &SessionId, why: EndReason) -> Vec<AuditLine> {
        let Some(state) = self.machine.state_head(id) else { return Vec::new() };
        let reason = match why {
            EndReason::Closed => "closed",
            EndReason::Expired => "expired",
        };
        let hold =
            |grant| self.hold(AuditWhat::HoldEnded, state.info.clone(), parts(grant), reason);
        let mut lines: Vec<_> = state.holds.iter().map(hold).collect();
        let end = self.session(AuditWhat::SessionEnded, state.info);
        lines.push(AuditLine { reason: Some(reason.into()), ..end });
        lines
    }

    /// Who holds a lock.
    fn holder(&self, resource: &Name) -> Option<(Arc<SessionInfo>, Fence)> {
        self.machine.resource_head(resource.as_str())?.holder
    }

    fn granted(&self, grant: &Grant) -> Option<AuditLine> {
        let info = match grant {
            Grant::Lock(lock) => {
                let (info, fence) = self.holder(&lock.resource)?;
                Some(info).filter(|_| fence == lock.fence)?
            }
            Grant::Ticket(ticket) => ticket.claimant.clone(),
        };
        Some(self.hold(AuditWhat::Granted, info, parts(grant), ""))
    }

    fn replied(&self, command: &Command, applied: &Applied) -> Option<AuditLine> {
        match (command, &applied.reply) {
            (_, Ok(Reply::Granted { grant, fresh: true })) => self.granted(grant),
            (Command::Adopt { session, .. }, Ok(_)) if applied.changed => {
                Some(self.session(AuditWhat::SessionAdopted, self.machine.info_of(session)?))
            }
            (Command::Revoke { session, resource, ticket, .. }, Err(Refusal::Forbidden)) => {
                let owner = self.machine.owner(session).flatten().cloned();
                let line = AuditLine::lacking(owner, Right::Issue.as_str(), Some(resource));
                let session = self.machine.info_of(session);
                Some(AuditLine { session, ticket: Some(ticket.clone()), ..line })
            }
            _ => None,
        }
    }

    fn announced(&self, command: &Command, event: &Event) -> Option<AuditLine> {
        match event {
            Event::SessionOpened { session, .. } => {
                Some(self.session(AuditWhat::SessionOpened, self.machine.info_of(session)?))
            }
            Event::Granted { grant, .. } | Event::Answered { grant, .. } => self.granted(grant),
            Event::TicketRevoked { to, resource, ticket, fence, reason } => {
                let reason = match reason {
                    LossReason::Revoked => "revoked",
                    LossReason::IssuerGone => "issuer-gone",
                    // It was looked at before the command.
                    LossReason::Released => return None,
                };
                let (info, hold) = (self.machine.info_of(to)?, (resource, Some(ticket), *fence));
                let by = match command {
                    Command::Revoke { session, .. } => Some(*session).filter(|by| by != to),
                    _ => None,
                };
                Some(AuditLine { by, ..self.hold(AuditWhat::HoldEnded, info, hold, reason) })
            }
            _ => None,
        }
    }
}

fn parts(grant: &Grant) -> HoldParts<'_> {
    match grant {
        Grant::Lock(grant) => (&grant.resource, None, grant.fence),
        Grant::Ticket(grant) => (&grant.resource, Some(&grant.ticket), grant.fence),
    }
}
