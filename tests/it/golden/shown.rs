//! From what those see who look at the machine to the right-hand side of a story's line.

use std::fmt::Write as _;
use std::iter::once;

use ticketd::machine::{
    Counts, Data, Fence, Figures, Grant, HolderView, IssuedState, Kind, LookView, Mode, Name,
    Owner, Party, Refusal, ResourceView, SessionId, SessionInfo, SessionState, SessionView,
    TicketState, TicketView, TimedClaim, WaitState, WaitTimeout, WaiterView, WatchState,
};

use super::events::sought;
use super::write::{behind, data, figures, info_nick, lock, mode, nick, party, refused, ticket};

pub(super) fn holds(holds: Result<Option<Fence>, Refusal>) -> String {
    match holds {
        Ok(Some(fence)) => format!("fence {}", fence.0),
        Ok(None) => "no".to_owned(),
        Err(refusal) => refused(refusal),
    }
}

fn info(info: &SessionInfo) -> String {
    let SessionInfo { id, name, ttl, source } = info;
    let mut text = format!("ttl {}", ttl.as_ms());
    if name.as_str() != nick(id) {
        write!(text, " name {}", name.as_str()).expect("a string takes it");
    }
    if **source != *"host" {
        write!(text, " from {source}").expect("a string takes it");
    }
    text
}

pub(super) fn state(state: Option<SessionState>) -> Vec<String> {
    let Some(SessionState { info: who, holds, waits, watches, issued }) = state else {
        return vec!["gone".to_owned()];
    };
    let holds = holds.iter().map(|grant| match grant {
        Grant::Lock(grant) => format!("holds {} {}", grant.resource, lock(grant)),
        Grant::Ticket(grant) => {
            assert_eq!(grant.claimant, who);
            format!("holds {} {}", grant.resource, ticket(grant))
        }
    });
    let watches = watches.iter().map(|WatchState { resource, changes, figures: now }| {
        let changes = if *changes { " changes" } else { "" };
        format!("watches {resource}{changes}: {}", figures(*now))
    });
    let issued = issued.iter().map(|IssuedState { resource, ticket, claimed, stays }| {
        let claimed = if *claimed { "claimed" } else { "free" };
        format!("issued {resource} {ticket} {claimed}{}", if *stays { " stays" } else { "" })
    });
    once(info(&who))
        .chain(holds)
        .chain(waits.iter().map(wait_state))
        .chain(watches)
        .chain(issued)
        .collect()
}

fn wait_state(wait: &WaitState) -> String {
    let WaitState { wait, sought: queues, kind, mode, ticket, position, timeout } = wait;
    let (queues, what) = (sought(queues), wanted(*kind, *mode, ticket.as_ref()));
    let length = match timeout {
        WaitTimeout::Session => String::new(),
        WaitTimeout::Ms(ms) => format!(" for {ms}"),
    };
    format!("waits {queues} {what} wait {} position {position}{length}", wait.0)
}

fn wanted(kind: Kind, asked: Mode, ticket: Option<&Name>) -> String {
    match (kind, ticket) {
        (Kind::Lock, None) => format!("lock{}", mode(asked)),
        (Kind::Tickets, None) => "any".to_owned(),
        (Kind::Tickets, Some(ticket)) => ticket.to_string(),
        (Kind::Lock, Some(ticket)) => panic!("a wait for a lock names {ticket}"),
    }
}

pub(super) fn owner(owner: Option<Option<&Owner>>) -> String {
    match owner {
        None => "not known".to_owned(),
        Some(None) => "nobody".to_owned(),
        Some(Some(Owner::Principal(name))) => format!("principal {name}"),
        Some(Some(Owner::Subject { signer, sub })) => format!("subject {sub} of {signer}"),
    }
}

fn held_by((holder, fence): &(Party, Fence)) -> String {
    format!("held by {} fence {}", party(holder), fence.0)
}

fn ticket_view(view: &TicketView) -> String {
    let TicketView { resource, ticket, data: carried, issuer, claim, state, .. } = view;
    let (carried, issuer) = (data(carried), party(issuer));
    let state = match (state, claim) {
        (TicketState::Held, Some(claim)) => held_by(claim),
        (TicketState::Free, None) => "free".to_owned(),
        (TicketState::Delayed { until_ms }, None) => format!("delayed until {until_ms}"),
        (TicketState::Dead, None) => "dead".to_owned(),
        odd => panic!("held or not: {odd:?}"),
    };
    format!("{resource} {ticket}{carried} from {issuer} {state}{}", usual(view))
}

/// What is as usual of a ticket goes without saying.
fn usual(view: &TicketView) -> String {
    let TicketView { priority, stays, attempt, hold_ms, note, .. } = view;
    let priority = behind("priority", Some(u32::from(*priority)).filter(|it| *it != 0));
    let stays = if *stays { " stays" } else { "" };
    let attempt = behind("attempt", Some(*attempt).filter(|it| *it != 1));
    let note = note.as_ref().map(|note| format!(" note {}", note.as_str()));
    let note = note.unwrap_or_default();
    format!("{priority}{stays}{attempt}{}{note}", behind("for", *hold_ms))
}

pub(super) fn session(view: Option<SessionView>) -> Vec<String> {
    let Some(SessionView { info: who, claims, issued, locks }) = view else {
        return vec!["not known".to_owned()];
    };
    once(info(&who))
        .chain(claims.iter().map(|view| format!("claims {}", ticket_view(view))))
        .chain(issued.iter().map(|view| format!("issued {}", ticket_view(view))))
        .chain(locks.iter().map(|name| format!("locks {name}")))
        .collect()
}

pub(super) fn resource(view: Option<ResourceView>) -> Vec<String> {
    let Some(ResourceView { name, is_lock, holders, tickets }) = view else {
        return vec!["not known".to_owned()];
    };
    assert!(tickets.iter().all(|view| view.resource == name));
    assert!(tickets.is_sorted_by(|one, next| one.number < next.number), "oldest first");
    let kind = if is_lock { "lock" } else { "tickets" };
    once(kind.to_owned())
        .chain(holders.iter().map(held_by))
        .chain(tickets.iter().map(ticket_view))
        .collect()
}

pub(super) fn tickets(page: &[TicketView]) -> Vec<String> {
    assert!(page.is_sorted_by(|one, next| one.number < next.number), "oldest first");
    some(page.iter().map(ticket_view))
}

pub(super) fn resources(page: &[(Name, Figures)]) -> Vec<String> {
    some(page.iter().map(|(name, now)| format!("{name}: {}", figures(*now))))
}

fn some(lines: impl Iterator<Item = String>) -> Vec<String> {
    let all: Vec<String> = lines.collect();
    if all.is_empty() { vec!["none".to_owned()] } else { all }
}

pub(super) fn timed(claim: Option<&TimedClaim>) -> String {
    let Some(TimedClaim { session, resource, ticket }) = claim else { return "no".to_owned() };
    format!("{resource} {ticket} of {}", nick(session))
}

pub(super) fn look(view: &LookView) -> Vec<String> {
    let LookView { figures: now, holders, waiters, more } = view;
    once(figures(*now))
        .chain(holders.iter().map(holder_view))
        .chain(waiters.iter().map(waiter_view))
        .chain(more.then(|| "more".to_owned()))
        .collect()
}

fn holder_view(view: &HolderView) -> String {
    let HolderView { party: who, ticket, fence, since_ms, mode: held, data, .. } = view;
    let what = ticket.as_ref().map(|ticket| format!(" {ticket}")).unwrap_or_default();
    let known = data.as_ref().map(known).unwrap_or_default();
    let (attempt, hold) = (behind("attempt", view.attempt), behind("for", view.hold_ms));
    let (who, mode, fence) = (party(who), mode(*held), fence.0);
    format!("held{what} by {who} fence {fence}{mode}{known}{attempt}{hold} since {since_ms}")
}

/// An empty value would be one that is made known.
fn known(value: &Data) -> String {
    if value.as_bytes().is_empty() { " empty".to_owned() } else { data(value) }
}

fn waiter_view(view: &WaiterView) -> String {
    let WaiterView { session, position, since_ms, kind, mode, ticket } = view;
    let (who, what) = (info_nick(session), wanted(*kind, *mode, ticket.as_ref()));
    format!("wanted by {who} {what} position {position} since {since_ms}")
}

pub(super) fn watchers(watchers: impl Iterator<Item = (SessionId, bool)>) -> Vec<String> {
    let named = |(who, changes): (SessionId, bool)| {
        format!("{}{}", nick(&who), if changes { " changes" } else { "" })
    };
    let all: Vec<String> = watchers.map(named).collect();
    if all.is_empty() { vec!["nobody".to_owned()] } else { all }
}

pub(super) fn counts(counts: Counts) -> String {
    let Counts { sessions, resources, tickets, locks, claims, waits, watches, .. } = counts;
    format!(
        "sessions {sessions} resources {resources} tickets {tickets} locks {locks} \
         claims {claims} waits {waits} watches {watches}"
    )
}
