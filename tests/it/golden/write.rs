//! From what the machine answers and announces to the right-hand side of a story's line.

use std::fmt::Write as _;
use std::iter::once;
use std::sync::Arc;

use ticketd::machine::{
    Counts, Data, EndReason, Event, Fence, Figures, Grant, IssuedState, Kind, Limit, LockGrant,
    LossReason, Owner, Refusal, Reply, ResourceView, SessionId, SessionInfo, SessionState,
    SessionView, TicketGrant, TicketView, WaitEndReason, WaitState, WaitTimeout, WatchState,
};

/// Answers of one shape whose numbers stand still or count up become one: `3 times ok then …`.
pub(super) fn sum_up(answers: &[String]) -> String {
    let mut runs: Vec<String> = Vec::new();
    let mut left = answers;
    while let Some(first) = left.first() {
        let pieces = split(first);
        let steps = left.get(1).and_then(|second| steps(&pieces, &split(second)));
        let fits = |at: usize| {
            let from = pieces.iter().zip(steps.iter().flatten());
            let wanted = from.map(|(piece, step)| piece.after(step * at as u64));
            split(&left[at]).into_iter().eq(wanted)
        };
        let length = 1 + (1..left.len()).take_while(|&at| steps.is_some() && fits(at)).count();
        let last = split(&left[length - 1]);
        let text: String = pieces.iter().zip(&last).map(|(from, to)| from.up_to(to)).collect();
        runs.push(if length == 1 { text } else { format!("{length} times {text}") });
        left = &left[length..];
    }
    runs.join(" then ")
}

#[derive(PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    Number(u64),
}

impl Piece<'_> {
    fn after(&self, steps: u64) -> Self {
        match *self {
            Self::Text(text) => Self::Text(text),
            Self::Number(number) => Self::Number(number + steps),
        }
    }

    fn up_to(&self, last: &Self) -> String {
        match (self, last) {
            (Self::Text(text), _) => (*text).to_owned(),
            (Self::Number(from), Self::Number(to)) if from != to => format!("{{{from}..{to}}}"),
            (Self::Number(number), _) => number.to_string(),
        }
    }
}

fn split(answer: &str) -> Vec<Piece<'_>> {
    answer
        .as_bytes()
        .chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit())
        .map(|chunk| std::str::from_utf8(chunk).expect("cut beside ASCII digits"))
        .map(|text| text.parse().map_or(Piece::Text(text), Piece::Number))
        .collect()
}

/// By how much each piece grows from one answer to the next; `None` when they are not alike.
fn steps(first: &[Piece], second: &[Piece]) -> Option<Vec<u64>> {
    let step = |(from, to): (&Piece, &Piece)| [0, 1].into_iter().find(|&s| from.after(s) == *to);
    (first.len() == second.len()).then(|| first.iter().zip(second).map(step).collect())?
}

pub(super) fn reply(reply: &Result<Reply, Refusal>) -> String {
    match reply {
        Err(refusal) => refused(*refusal),
        Ok(Reply::Done) => "ok".to_owned(),
        Ok(Reply::Granted { grant, fresh }) => {
            let again = if *fresh { "" } else { " again" };
            match grant {
                Grant::Lock(grant) => format!("granted{again} {}", lock(grant)),
                Grant::Ticket(grant) => format!("granted{again} {}", ticket(grant)),
            }
        }
        Ok(Reply::NotGranted) => "not granted".to_owned(),
        Ok(Reply::Queued { wait, position }) => format!("wait {} position {position}", wait.0),
        Ok(Reply::Released(released)) => no_or(*released, "released"),
        Ok(Reply::Cancelled(cancelled)) => no_or(*cancelled, "cancelled"),
        Ok(Reply::Adopted(adopted)) => if *adopted { "adopted" } else { "ok" }.to_owned(),
        Ok(Reply::Watching(now)) => format!("watching {}", figures(*now)),
        Ok(Reply::Forgotten { more }) => {
            let more = if *more { " more left" } else { "" };
            format!("forgotten{more}")
        }
    }
}

fn no_or(yes: bool, what: &str) -> String {
    let no = if yes { "" } else { "not " };
    format!("{no}{what}")
}

/// The codes of protocol, section 5.
fn refused(refusal: Refusal) -> String {
    let code = match refusal {
        Refusal::Forbidden => "forbidden",
        Refusal::SessionNotFound => "session-not-found",
        Refusal::ResourceNotFound => "resource-not-found",
        Refusal::WrongKind => "wrong-kind",
        Refusal::TicketNotFound => "ticket-not-found",
        Refusal::NotLocked => "not-locked",
        Refusal::NotHolder => "not-holder",
        Refusal::TicketHeld => "ticket-held",
        Refusal::Limit(Limit::Holds) => "limit holds",
        Refusal::Limit(Limit::Waits) => "limit waits",
        Refusal::Limit(Limit::Watches) => "limit watches",
        Refusal::Limit(Limit::Issued) => "limit issued",
        Refusal::Limit(Limit::Waiters) => "limit waiters",
    };
    format!("refused {code}")
}

pub(super) fn event(event: &Event) -> String {
    match event {
        Event::Granted { to, wait, grant: Grant::Lock(grant) } => {
            let LockGrant { resource, fence, waiting } = grant;
            let (to, fence, wait) = (nick(to), fence.0, wait.0);
            format!("{to} lock-granted {resource} fence {fence} wait {wait} waiting {waiting}")
        }
        Event::Granted { to, wait, grant: Grant::Ticket(grant) } => {
            assert_eq!(grant.claimant.id, *to);
            let (to, resource) = (nick(to), &grant.resource);
            format!("{to} ticket-granted {resource} {} wait {}", ticket(grant), wait.0)
        }
        Event::Answered { request, grant: Grant::Lock(grant) } => {
            format!("request {} lock-granted {} {}", request.n, grant.resource, lock(grant))
        }
        Event::Answered { request, grant: Grant::Ticket(grant) } => {
            let (resource, claimant) = (&grant.resource, party_nick(&grant.claimant));
            let request = request.n;
            format!("request {request} ticket-granted {resource} {} to {claimant}", ticket(grant))
        }
        Event::Orphaned { request } => format!("request {} orphaned", request.n),
        Event::WaitEnded { to, wait, resource, reason } => {
            let reason = match reason {
                WaitEndReason::TimedOut => "",
                WaitEndReason::Forbidden => " forbidden",
            };
            format!("{} wait-ended {resource} wait {}{reason}", nick(to), wait.0)
        }
        Event::WatchEnded { to, resource } => format!("{} watch-ended {resource}", nick(to)),
        Event::LockWanted { to, resource, waiting } => {
            format!("{} lock-wanted {resource} waiting {waiting}", nick(to))
        }
        Event::LockLost { to, resource, fence } => {
            format!("{} lock-lost {resource} fence {}", nick(to), fence.0)
        }
        Event::Changed { resource, before, after, freed } => {
            let freed = if *freed { " freed" } else { "" };
            format!("changed {resource} from {} to {}{freed}", figures(*before), figures(*after))
        }
        Event::SessionEnded { session, why } => {
            let why = match why {
                EndReason::Closed => "closed",
                EndReason::Expired => "expired",
            };
            format!("{} ended {why}", nick(session))
        }
        Event::TicketUpdated { .. }
        | Event::TicketRevoked { .. }
        | Event::TicketClaimed { .. }
        | Event::TicketReleased { .. }
        | Event::TicketTaken { .. } => ticket_event(event),
        internal => panic!("no client is told of {internal:?}"),
    }
}

fn ticket_event(event: &Event) -> String {
    match event {
        Event::TicketUpdated { to, resource, ticket, data: new, fence } => {
            let to = nick(to);
            format!("{to} ticket-updated {resource} {ticket} fence {}{}", fence.0, data(new))
        }
        Event::TicketRevoked { to, resource, ticket, fence, reason } => {
            let reason = match reason {
                LossReason::Revoked => "revoked",
                LossReason::IssuerGone => "issuer-gone",
                LossReason::Released => "released",
            };
            format!("{} ticket-revoked {resource} {ticket} fence {} {reason}", nick(to), fence.0)
        }
        Event::TicketClaimed { to, resource, ticket, claimant, fence } => {
            let (to, by) = (nick(to), claimant.as_str());
            format!("{to} ticket-claimed {resource} {ticket} fence {} by {by}", fence.0)
        }
        Event::TicketReleased { to, resource, ticket, claimant, fence } => {
            let (to, by) = (nick(to), claimant.as_str());
            format!("{to} ticket-released {resource} {ticket} fence {} by {by}", fence.0)
        }
        Event::TicketTaken { to, resource, ticket, by } => {
            format!("{} ticket-taken {resource} {ticket} by {}", nick(to), by.as_str())
        }
        other => panic!("not about a ticket: {other:?}"),
    }
}

fn nick(session: &SessionId) -> String {
    let name = session.0.iter().copied().take_while(|&byte| byte != 0).collect();
    String::from_utf8(name).expect("a nickname")
}

fn party_nick(info: &SessionInfo) -> String {
    nick(&info.id)
}

fn lock(grant: &LockGrant) -> String {
    format!("fence {} waiting {}", grant.fence.0, grant.waiting)
}

fn ticket(grant: &TicketGrant) -> String {
    let TicketGrant { ticket, fence, issuer, .. } = grant;
    format!("{ticket} fence {}{} from {}", fence.0, data(&grant.data), party_nick(issuer))
}

fn data(data: &Data) -> String {
    let text = String::from_utf8_lossy(data.as_bytes());
    if text.is_empty() { String::new() } else { format!(" data {text}") }
}

/// Figures that are 0 go without saying.
pub(super) fn figures(figures: Figures) -> String {
    let Figures { kind, free, held, waiting } = figures;
    let mut text = match kind {
        None => "nothing".to_owned(),
        Some(Kind::Tickets) => "tickets".to_owned(),
        Some(Kind::Lock) => "lock".to_owned(),
    };
    for (what, count) in [("free", free), ("held", held), ("waiting", waiting)] {
        if count > 0 {
            write!(text, " {what} {count}").expect("a string takes it");
        }
    }
    text
}

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
    let issued = issued.iter().map(|IssuedState { resource, ticket, claimed }| {
        let claimed = if *claimed { "claimed" } else { "free" };
        format!("issued {resource} {ticket} {claimed}")
    });
    once(info(&who))
        .chain(holds)
        .chain(waits.iter().map(wait_state))
        .chain(watches)
        .chain(issued)
        .collect()
}

fn wait_state(wait: &WaitState) -> String {
    let WaitState { wait, resource, kind, ticket, position, timeout } = wait;
    let what = match (kind, ticket) {
        (Kind::Lock, None) => "lock".to_owned(),
        (Kind::Tickets, None) => "any".to_owned(),
        (Kind::Tickets, Some(ticket)) => ticket.to_string(),
        (Kind::Lock, Some(ticket)) => panic!("a wait for the lock {resource} names {ticket}"),
    };
    let length = match timeout {
        WaitTimeout::Session => String::new(),
        WaitTimeout::Ms(ms) => format!(" for {ms}"),
    };
    format!("waits {resource} {what} wait {} position {position}{length}", wait.0)
}

pub(super) fn owner(owner: Option<Option<&Owner>>) -> String {
    match owner {
        None => "not known".to_owned(),
        Some(None) => "nobody".to_owned(),
        Some(Some(Owner::Principal(name))) => format!("principal {name}"),
        Some(Some(Owner::Subject { signer, sub })) => format!("subject {sub} of {signer}"),
    }
}

fn held_by((holder, fence): &(Arc<SessionInfo>, Fence)) -> String {
    format!("held by {} fence {}", party_nick(holder), fence.0)
}

fn ticket_view(view: &TicketView) -> String {
    let TicketView { resource, ticket, data: carried, issuer, claim } = view;
    let issuer = party_nick(issuer);
    let claim = claim.as_ref().map_or_else(|| "free".to_owned(), held_by);
    format!("{resource} {ticket}{} from {issuer} {claim}", data(carried))
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
    let Some(ResourceView { name, is_lock, holder, tickets }) = view else {
        return vec!["not known".to_owned()];
    };
    assert!(tickets.iter().all(|view| view.resource == name));
    let kind = if is_lock { "lock" } else { "tickets" };
    once(kind.to_owned())
        .chain(holder.iter().map(held_by))
        .chain(tickets.iter().map(ticket_view))
        .collect()
}

pub(super) fn watchers(watchers: impl Iterator<Item = (SessionId, bool)>) -> Vec<String> {
    let named = |(who, changes): (SessionId, bool)| {
        format!("{}{}", nick(&who), if changes { " changes" } else { "" })
    };
    let all: Vec<String> = watchers.map(named).collect();
    if all.is_empty() { vec!["nobody".to_owned()] } else { all }
}

pub(super) fn counts(counts: Counts) -> String {
    let Counts { sessions, resources, tickets, locks, claims, waits, watches } = counts;
    format!(
        "sessions {sessions} resources {resources} tickets {tickets} locks {locks} \
         claims {claims} waits {waits} watches {watches}"
    )
}
