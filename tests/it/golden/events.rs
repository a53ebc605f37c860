//! From what the machine announces to the right-hand side of a story's line.

use ticketd::machine::{
    EndReason, Event, Grant, LockGrant, LossReason, ReleaseReason, Sought, WaitEndReason,
};

use super::write::{behind, data, figures, info_nick, lock, mode, nick, ticket};

pub(super) fn event(event: &Event) -> String {
    match event {
        Event::Granted { to, wait, grant: Grant::Lock(grant) } => {
            let LockGrant { resource, fence, waiting, mode: asked } = grant;
            let (to, fence, wait, mode) = (nick(to), fence.0, wait.0, mode(*asked));
            format!(
                "{to} lock-granted {resource} fence {fence} wait {wait} waiting {waiting}{mode}"
            )
        }
        Event::Granted { to, wait, grant: Grant::Ticket(grant) } => {
            assert_eq!(grant.claimant.id, *to);
            let (to, resource) = (nick(to), &grant.resource);
            format!("{to} ticket-granted {resource} {} wait {}", ticket(grant), wait.0)
        }
        Event::Answered { request, grant: Grant::Lock(grant) } => {
            format!("{} lock-granted {} {}", asking(*request), grant.resource, lock(grant))
        }
        Event::Answered { request, grant: Grant::Ticket(grant) } => {
            let (resource, claimant) = (&grant.resource, info_nick(&grant.claimant));
            let request = asking(*request);
            format!("{request} ticket-granted {resource} {} to {claimant}", ticket(grant))
        }
        Event::Orphaned { request } => format!("{} orphaned", asking(*request)),
        Event::WaitEnded { to, wait, sought: queues, reason } => {
            let reason = match reason {
                WaitEndReason::TimedOut => "",
                WaitEndReason::Forbidden => " forbidden",
            };
            format!("{} wait-ended {} wait {}{reason}", nick(to), sought(queues), wait.0)
        }
        Event::WatchEnded { to, resource } => format!("{} watch-ended {resource}", nick(to)),
        Event::LockWanted { to, resource, waiting } => {
            format!("{} lock-wanted {resource} waiting {waiting}", nick(to))
        }
        Event::LockLost { to, resource, fence, reason } => {
            let reason = match reason {
                // As it was before there was another.
                LossReason::Released => String::new(),
                reason => loss(reason),
            };
            format!("{} lock-lost {resource} fence {}{reason}", nick(to), fence.0)
        }
        Event::Changed { resource, before, after, freed, holders } => {
            let freed = if *freed { " freed" } else { "" };
            let holders = if *holders { " holders" } else { "" };
            let (before, after) = (figures(*before), figures(*after));
            format!("changed {resource} from {before} to {after}{freed}{holders}")
        }
        Event::SessionEnded { session, why } => {
            let why = match why {
                EndReason::Closed => "closed",
                EndReason::Expired => "expired",
            };
            format!("{} ended {why}", nick(session))
        }
        Event::HoldTimed { .. }
        | Event::HoldLost { .. }
        | Event::HoldEnded { .. }
        | Event::DelayBegan { .. }
        | Event::DelayEnded { .. }
        | Event::Serving { .. } => timing(event),
        about_a_ticket => ticket_event(about_a_ticket),
    }
}

fn ticket_event(event: &Event) -> String {
    match event {
        Event::TicketUpdated { to, resource, ticket, data: new, fence } => {
            let to = nick(to);
            format!("{to} ticket-updated {resource} {ticket} fence {}{}", fence.0, data(new))
        }
        Event::TicketRevoked { to, resource, ticket, fence, reason } => {
            let (to, reason) = (nick(to), loss(reason));
            format!("{to} ticket-revoked {resource} {ticket} fence {}{reason}", fence.0)
        }
        Event::TicketClaimed { to, resource, ticket, claimant, fence } => {
            let (to, by) = (nick(to), claimant.as_str());
            format!("{to} ticket-claimed {resource} {ticket} fence {} by {by}", fence.0)
        }
        Event::TicketReleased { to, resource, ticket, claimant, fence, .. } => {
            let (to, by, how) = (nick(to), claimant.as_str(), ending(event));
            format!("{to} ticket-released {resource} {ticket} fence {} by {by}{how}", fence.0)
        }
        Event::TicketTaken { to, resource, ticket, by } => {
            format!("{} ticket-taken {resource} {ticket} by {}", nick(to), by.as_str())
        }
        internal => panic!("no client is told of {internal:?}"),
    }
}

/// How a claim ended. That it was given back, and a first attempt, goes without saying.
fn ending(event: &Event) -> String {
    let Event::TicketReleased { reason, attempt, note, dead, .. } = event else {
        panic!("nothing was released: {event:?}");
    };
    let reason = match reason {
        ReleaseReason::Released => "",
        ReleaseReason::TimedOut => " timeout",
        ReleaseReason::Gone => " gone",
        ReleaseReason::Forced => " forced",
    };
    let attempt = behind("attempt", Some(*attempt).filter(|attempt| *attempt != 1));
    let note = note.as_ref().map(|note| format!(" note {}", note.as_str()));
    let dead = if *dead { " dead" } else { "" };
    format!("{reason}{attempt}{}{dead}", note.unwrap_or_default())
}

/// What the driver's clocks follow. Delays go by their numbers in the story.
fn timing(event: &Event) -> String {
    match event {
        Event::HoldTimed { session, fence, hold_ms } => {
            format!("time fence {} of {} for {hold_ms}", fence.0, nick(session))
        }
        Event::HoldLost { fence, delay_ms } => format!("lost fence {} for {delay_ms}", fence.0),
        Event::HoldEnded { fence } => format!("untime fence {}", fence.0),
        Event::DelayBegan { delay, delay_ms, until_ms } => {
            format!("delay {} for {delay_ms} until {until_ms}", delay.0)
        }
        Event::DelayEnded { delay } => format!("undelay {}", delay.0),
        Event::Serving { resource } => format!("serving {resource}"),
        other => panic!("no clock follows {other:?}"),
    }
}

fn asking(request: ticketd::machine::RequestId) -> String {
    match request.node {
        ticketd::machine::NodeId::ALONE => format!("request {}", request.n),
        node => format!("request {} of {}", request.n, node.0),
    }
}

pub(super) fn sought(sought: &Sought) -> String {
    match sought {
        Sought::One(resource) => resource.to_string(),
        Sought::FirstOf(resources) => {
            let names: Vec<&str> = resources.iter().map(|name| name.as_str()).collect();
            format!("first-of {}", names.join(" "))
        }
    }
}

fn loss(reason: &LossReason) -> String {
    match reason {
        LossReason::Revoked => " revoked".to_owned(),
        LossReason::IssuerGone => " issuer-gone".to_owned(),
        LossReason::Released => " released".to_owned(),
        LossReason::TimedOut => " timeout".to_owned(),
        LossReason::Forced(None) => " forced".to_owned(),
        LossReason::Forced(Some(by)) => format!(" forced by {}", by.as_str()),
    }
}
