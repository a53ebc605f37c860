//! What the audit trail is told of a command: sessions that begin and end, grants, holds that end
//! or are lost, and what is done by force. What ends with a command is looked at before it, for
//! nobody knows it afterwards.

use std::sync::Arc;

use crate::access::Right;
use crate::audit::{Audit, AuditLine, AuditWhat};
use crate::machine::{
    Applied, Command, EndReason, Event, Fence, Grant, LossReason, Machine, Name, Party, Refusal,
    Reply, RequestId, SessionId, SessionInfo, TimedClaim,
};

use super::address::Outsider;

/// What a command ends if it is carried out.
pub(super) fn endings(machine: &Machine, command: &Command) -> Vec<AuditLine> {
    let trail = Trail { machine };
    match command {
        Command::Close { session, by_other } => {
            trail.session_ends(session, EndReason::Closed, *by_other)
        }
        Command::Condemn { sessions } | Command::Expire { sessions } => {
            let ends = sessions.iter().map(|id| trail.session_ends(id, EndReason::Expired, true));
            ends.flatten().collect()
        }
        Command::Unlock { session, resource, .. } => {
            let fence = machine.lock_fence(session, resource.as_str());
            Vec::from_iter(
                fence.and_then(|it| trail.given(session, (resource, None, it), RELEASED)),
            )
        }
        Command::Release { session, resource, ticket, .. } => {
            let held = machine.holds(session, resource.as_str(), ticket.as_str()).ok().flatten();
            let line = |fence| trail.given(session, (resource, Some(ticket), fence), RELEASED);
            Vec::from_iter(held.and_then(line))
        }
        Command::TakeBack { session, resource, ticket, fence } => {
            let hold = (resource, ticket.as_ref(), *fence);
            Vec::from_iter(trail.given(session, hold, "undelivered"))
        }
        Command::EndHolds { fences } => {
            let claims =
                fences.iter().filter_map(|&fence| Some((machine.timed_claim(fence)?, fence)));
            let line = |(claim, fence): (TimedClaim, Fence)| {
                let hold = (&claim.resource, Some(&claim.ticket), fence);
                trail.given(&claim.session, hold, TIMEOUT)
            };
            claims.filter_map(line).collect()
        }
        Command::EndLost { fences } => fences
            .iter()
            .filter_map(|&fence| {
                let (resource, ticket, party) = machine.lost_hold(fence)?;
                Some(trail.hold(&party, (&resource, ticket.as_ref(), fence), TIMEOUT))
            })
            .collect(),
        _ => trail.forced(command),
    }
}

/// Why a hold ended that was given back.
const RELEASED: &str = "released";
/// Why a hold ended whose time was up.
const TIMEOUT: &str = "timeout";

/// A command that was carried out.
pub(super) struct DoneCommand<'a> {
    pub(super) command: &'a Command,
    pub(super) applied: &'a Applied,
    /// Who gave it, if that has no session.
    pub(super) outsider: Option<&'a Outsider>,
}

/// Tells what a command has done: what it ended, what it answers, what it announces. `waits` says
/// which session a request is of that waits.
pub(super) fn tell(
    audit: &Audit,
    machine: &Machine,
    done: &DoneCommand<'_>,
    endings: Vec<AuditLine>,
    events: &[Event],
    waits: impl Fn(RequestId) -> Option<SessionId>,
) {
    let trail = Trail { machine };
    let Applied { reply, changed } = done.applied;
    if *changed && !matches!(reply, Err(_) | Ok(Reply::Released(false))) {
        endings.into_iter().for_each(|line| audit.tell(line));
    }
    trail.replied(done).into_iter().for_each(|line| audit.tell(line));
    // Each way by which a place was waited for is told of its grant.
    let mut told = None;
    for event in events {
        let line = trail.announced(done.command, event, &waits);
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

    /// A hold of one who may be gone has ended.
    fn hold(&self, party: &Party, hold: HoldParts<'_>, reason: &'static str) -> AuditLine {
        let line = match party {
            Party::Here(info) => self.session(AuditWhat::HoldEnded, info.clone()),
            Party::Gone(name) => {
                AuditLine { gone: Some(name.clone()), ..AuditLine::new(AuditWhat::HoldEnded) }
            }
        };
        AuditLine { reason: Some(reason.into()), ..with_hold(line, hold) }
    }

    /// A session's hold has ended.
    fn given(
        &self,
        session: &SessionId,
        hold: HoldParts<'_>,
        reason: &'static str,
    ) -> Option<AuditLine> {
        Some(self.hold(&Party::Here(self.machine.info_of(session)?), hold, reason))
    }

    /// A session ends, and each of its holds before it, or it is lost.
    fn session_ends(&self, id: &SessionId, why: EndReason, is_loss: bool) -> Vec<AuditLine> {
        let Some(state) = self.machine.state_head(id) else { return Vec::new() };
        let reason = match why {
            EndReason::Closed => "closed",
            EndReason::Expired => "expired",
        };
        let stays = is_loss && self.machine.loss_delay_ms(id) > 0;
        let what = if stays { AuditWhat::HoldLost } else { AuditWhat::HoldEnded };
        let party = Party::Here(state.info.clone());
        let hold = |grant| AuditLine { what, ..self.hold(&party, parts(grant), reason) };
        let mut lines: Vec<_> = state.holds.iter().map(hold).collect();
        let end = self.session(AuditWhat::SessionEnded, state.info);
        lines.push(AuditLine { reason: Some(reason.into()), ..end });
        lines
    }

    /// What a command ends of others' holds, by force, or because it makes a ticket vanish whose
    /// claimant is gone and cannot be told.
    fn forced(&self, command: &Command) -> Vec<AuditLine> {
        let machine = self.machine;
        let (by, resource, ticket, holders, reason) = match command {
            Command::Force { by, resource, ticket: None, fence } => {
                let holders = machine.lock_holders(resource.as_str(), *fence);
                (*by, resource, None, holders, FORCED)
            }
            Command::Force { by, resource, ticket: Some(ticket), fence } => {
                let claim = machine.claim_of(resource.as_str(), ticket.as_str());
                let claim = claim.filter(|(_, held)| fence.is_none_or(|fence| fence == *held));
                (*by, resource, Some(ticket), Vec::from_iter(claim), FORCED)
            }
            Command::Lock { session, resource, ask, .. } if ask.steal => {
                let holders = machine.lock_holders(resource.as_str(), None);
                (Some(*session), resource, None, holders, FORCED)
            }
            Command::Revoke { session, resource, ticket, .. } => {
                let claim = machine.claim_of(resource.as_str(), ticket.as_str());
                let lost = claim.filter(|(party, _)| matches!(party, Party::Gone(_)));
                (Some(*session), resource, Some(ticket), Vec::from_iter(lost), "revoked")
            }
            _ => return Vec::new(),
        };
        let line = |(party, fence): (Party, Fence)| {
            let own = matches!(&party, Party::Here(info) if Some(info.id) == by);
            let by = by.filter(|_| !own);
            AuditLine { by, ..self.hold(&party, (resource, ticket, fence), reason) }
        };
        holders.into_iter().map(line).collect()
    }

    fn granted(&self, session: &SessionId, grant: &Grant) -> Option<AuditLine> {
        let line = self.session(AuditWhat::Granted, self.machine.info_of(session)?);
        Some(with_hold(line, parts(grant)))
    }

    /// What somebody did on purpose, with a session or without.
    fn act(
        &self,
        what: AuditWhat,
        by: Option<&SessionId>,
        resource: &Name,
        outsider: Option<&Outsider>,
    ) -> AuditLine {
        let line = match by.and_then(|by| self.machine.info_of(by)) {
            Some(info) => self.session(what, info),
            None => {
                let Outsider { owner, address } = outsider.cloned().unwrap_or_default();
                AuditLine { owner, address, ..AuditLine::new(what) }
            }
        };
        AuditLine { resource: Some(resource.clone()), ..line }
    }

    fn replied(&self, done: &DoneCommand<'_>) -> Option<AuditLine> {
        let DoneCommand { command, applied, outsider } = done;
        match (command, &applied.reply) {
            (
                Command::Lock { session, .. }
                | Command::Claim { session, .. }
                | Command::ClaimFirst { session, .. },
                Ok(Reply::Granted { grant, fresh: true }),
            ) => self.granted(session, grant),
            (Command::Adopt { session, .. }, Ok(_)) if applied.changed => {
                Some(self.session(AuditWhat::SessionAdopted, self.machine.info_of(session)?))
            }
            (
                Command::Force { by, resource, ticket, fence },
                Ok(Reply::Done | Reply::Released(true)),
            ) => {
                let line = self.act(AuditWhat::Forced, by.as_ref(), resource, *outsider);
                Some(AuditLine { ticket: ticket.clone(), fence: *fence, ..line })
            }
            (Command::Pause { session, resource, paused }, Ok(_)) => {
                let what = if *paused { AuditWhat::Paused } else { AuditWhat::Resumed };
                Some(self.act(what, session.as_ref(), resource, *outsider))
            }
            (Command::Revive { session, resource, ticket }, Ok(Reply::Revived(1..))) => {
                let line = self.act(AuditWhat::Revived, session.as_ref(), resource, *outsider);
                Some(AuditLine { ticket: ticket.clone(), ..line })
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

    fn announced(
        &self,
        command: &Command,
        event: &Event,
        waits: impl Fn(RequestId) -> Option<SessionId>,
    ) -> Option<AuditLine> {
        match event {
            Event::SessionOpened { session, .. } => {
                Some(self.session(AuditWhat::SessionOpened, self.machine.info_of(session)?))
            }
            Event::Granted { to, grant, .. } => self.granted(to, grant),
            Event::Answered { request, grant } => self.granted(&waits(*request)?, grant),
            Event::TicketRevoked { to, resource, ticket, fence, reason } => {
                let reason = match reason {
                    LossReason::Revoked => "revoked",
                    LossReason::IssuerGone => "issuer-gone",
                    // It was looked at before the command.
                    LossReason::Released | LossReason::TimedOut | LossReason::Forced(_) => {
                        return None;
                    }
                };
                let by = match command {
                    Command::Revoke { session, .. } => Some(*session).filter(|by| by != to),
                    _ => None,
                };
                let line = self.given(to, (resource, Some(ticket), *fence), reason)?;
                Some(AuditLine { by, ..line })
            }
            _ => None,
        }
    }
}

/// Why a hold ended that was taken from who had it.
const FORCED: &str = "forced";

fn with_hold(line: AuditLine, (resource, ticket, fence): HoldParts<'_>) -> AuditLine {
    let (resource, ticket) = (Some(resource.clone()), ticket.cloned());
    AuditLine { resource, ticket, fence: Some(fence), ..line }
}

fn parts(grant: &Grant) -> HoldParts<'_> {
    match grant {
        Grant::Lock(grant) => (&grant.resource, None, grant.fence),
        Grant::Ticket(grant) => (&grant.resource, Some(&grant.ticket), grant.fence),
    }
}
