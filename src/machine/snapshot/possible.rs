//! Whether a resource's image is one that a machine can have made, as far as it tells by itself.

use super::types::{HoldSnapshot, PauseSnapshot, ResourceSnapshot, SnapshotParty, TicketSnapshot};
use crate::machine::command::{Kind, Mode};
use crate::machine::names::PRIORITY_MAX;

/// Whether what stands in a resource is of its kind, and it is known or emptied as it must be.
pub(super) fn is_possible(from: &ResourceSnapshot) -> bool {
    let paused = from.pause != PauseSnapshot::None;
    let is_of_kind = match from.last {
        Kind::Lock => {
            let is_waited_for = from.waits.iter().all(|wait| wait.ticket.is_none());
            let is_held = !from.locks.is_empty() || from.waits.is_empty() || paused;
            from.tickets.is_empty() && is_waited_for && is_held
        }
        Kind::Tickets => from.locks.is_empty(),
    };
    let stands = !from.locks.is_empty() || !from.tickets.is_empty() || !from.waits.is_empty();
    let is_numbered = from.emptied != Some(0);
    let is_kept = (stands || paused) == (from.known && from.emptied.is_none());
    let fit = from.tickets.iter().all(is_possible_ticket);
    is_of_kind && is_numbered && is_kept && fit && may_share(&from.locks)
}

/// Whether holds of one lock can stand beside each other.
fn may_share(locks: &[HoldSnapshot]) -> bool {
    let mut fences = locks.windows(2);
    let in_order = fences.all(|pair| pair[0].fence < pair[1].fence);
    in_order && (locks.len() < 2 || locks.iter().all(|hold| hold.mode == Mode::Shared))
}

fn is_possible_ticket(ticket: &TicketSnapshot) -> bool {
    let states = [ticket.claim.is_some(), ticket.delay.is_some(), ticket.dead];
    let is_one = states.into_iter().filter(|it| *it).count() <= 1;
    let is_somebodys = ticket.terms.stay || matches!(ticket.issuer, SnapshotParty::Here(_));
    is_one && is_somebodys && ticket.terms.priority <= PRIORITY_MAX
}
