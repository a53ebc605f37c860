//! One of every event of the machine's, and the schema of what a socket is told of it.

use ticketd::machine::{
    Event, Fence, Grant, LossReason, Mode, Note, ReleaseReason, SessionId, Sought, WaitEndReason,
    WaitId,
};

use super::samples::{data, lock, name, session_name, several, ticket, timed};

/// All that a socket may be told of.
pub(super) fn events() -> Vec<Event> {
    let to = SessionId([1; 20]);
    let (resource, ticket_name, fence) = (name("jobs"), name("t1"), Fence(3));
    let who = session_name("w");
    let wait = WaitId(1);
    let mut all: Vec<Event> = [lock(Mode::Exclusive), lock(Mode::Shared), ticket(b"x")]
        .into_iter()
        .chain([ticket(&[0xff]), timed()])
        .map(|grant| Event::Granted { to, wait, grant })
        .collect();
    let one = Sought::One(resource.clone());
    for (sought, reason) in [
        (one.clone(), WaitEndReason::TimedOut),
        (one, WaitEndReason::Forbidden),
        (several(), WaitEndReason::TimedOut),
    ] {
        all.push(Event::WaitEnded { to, wait, sought, reason });
    }
    all.push(Event::WatchEnded { to, resource: resource.clone() });
    all.push(Event::LockWanted { to, resource: resource.clone(), waiting: 1 });
    for bytes in [&b"x"[..], &[0xff]] {
        let (data, resource, ticket) = (data(bytes), resource.clone(), ticket_name.clone());
        all.push(Event::TicketUpdated { to, resource, ticket, data, fence });
    }
    let forced = [LossReason::Forced(Some(who.clone())), LossReason::Forced(None)];
    let others = [LossReason::Revoked, LossReason::IssuerGone, LossReason::TimedOut];
    for reason in forced.clone().into_iter().chain([LossReason::Released]) {
        let lost = Event::LockLost { to, resource: resource.clone(), fence, reason };
        all.push(lost);
    }
    for reason in forced.into_iter().chain(others).chain([LossReason::Released]) {
        let (resource, ticket) = (resource.clone(), ticket_name.clone());
        all.push(Event::TicketRevoked { to, resource, ticket, fence, reason });
    }
    let (r, t, claimant) = (resource.clone(), ticket_name.clone(), who.clone());
    all.push(Event::TicketClaimed { to, resource: r, ticket: t, claimant, fence });
    for (reason, note, dead) in [
        (ReleaseReason::Released, Note::parse("why").ok(), true),
        (ReleaseReason::TimedOut, None, false),
        (ReleaseReason::Gone, None, false),
        (ReleaseReason::Forced, None, false),
    ] {
        let (resource, ticket, claimant) = (resource.clone(), ticket_name.clone(), who.clone());
        let attempt = 2;
        all.push(Event::TicketReleased {
            to,
            resource,
            ticket,
            claimant,
            fence,
            reason,
            attempt,
            note,
            dead,
        });
    }
    all.push(Event::TicketTaken { to, resource, ticket: ticket_name, by: who });
    all
}

/// The schema of an event. Exhaustive, so that a new event needs a schema and a sample.
pub(super) fn kind_of(event: &Event) -> Option<String> {
    let kind = match event {
        Event::Granted { grant: Grant::Lock(_), .. } => "lock-granted",
        Event::Granted { grant: Grant::Ticket(_), .. } => "ticket-granted",
        Event::WaitEnded { .. } => "wait-ended",
        Event::TicketUpdated { .. } => "ticket-updated",
        Event::TicketRevoked { .. } => "ticket-revoked",
        Event::TicketClaimed { .. } => "ticket-claimed",
        Event::TicketReleased { .. } => "ticket-released",
        Event::TicketTaken { .. } => "ticket-taken",
        Event::LockWanted { .. } => "lock-wanted",
        Event::LockLost { .. } => "lock-lost",
        Event::WatchEnded { .. } => "watch-ended",
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
    };
    Some(format!("event-{kind}"))
}
