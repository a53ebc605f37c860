//! From what the machine answers to the right-hand side of a story's line.

use std::fmt::Write as _;

use ticketd::machine::{
    BlockedSession, Data, Figures, Grant, Kind, Limit, LockGrant, Mode, Party, Refusal, Reply,
    SessionId, SessionInfo, TicketGrant,
};

/// Answers of one shape whose numbers stand still or count become one: `3 times ok then …`.
pub(super) fn sum_up(answers: &[String]) -> String {
    runs(answers).join(" then ")
}

/// Texts of one shape whose numbers stand still, or count up or down, become one.
pub(super) fn runs(answers: &[String]) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    let mut left = answers;
    while let Some(first) = left.first() {
        let pieces = split(first);
        let steps = left.get(1).and_then(|second| steps(&pieces, &split(second)));
        let fits = |at: usize| {
            let from = pieces.iter().zip(steps.iter().flatten());
            let wanted = from.map(|(piece, step)| piece.after(step.wrapping_mul(at as u64)));
            split(&left[at]).into_iter().eq(wanted)
        };
        let length = 1 + (1..left.len()).take_while(|&at| steps.is_some() && fits(at)).count();
        let last = split(&left[length - 1]);
        let text: String = pieces.iter().zip(&last).map(|(from, to)| from.up_to(to)).collect();
        runs.push(if length == 1 { text } else { format!("{length} times {text}") });
        left = &left[length..];
    }
    runs
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
            Self::Number(number) => Self::Number(number.wrapping_add(steps)),
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

/// By how much each piece grows from one answer to the next, or wraps round to shrink; `None`
/// when they are not alike.
fn steps(first: &[Piece], second: &[Piece]) -> Option<Vec<u64>> {
    let step =
        |(from, to): (&Piece, &Piece)| [0, 1, u64::MAX].into_iter().find(|&s| from.after(s) == *to);
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
        Ok(Reply::Deadlock(circle)) => {
            let circle: Vec<String> = circle.iter().map(blocked).collect();
            format!("deadlock {}", circle.join(", "))
        }
        Ok(Reply::Touched(None)) => "touched".to_owned(),
        Ok(Reply::Touched(Some(hold_ms))) => format!("touched for {hold_ms}"),
        Ok(Reply::Revived(tickets)) => format!("revived {tickets}"),
        Ok(Reply::Served { more }) => and_more("served", *more),
        Ok(Reply::Released(released)) => no_or(*released, "released"),
        Ok(Reply::Cancelled(cancelled)) => no_or(*cancelled, "cancelled"),
        Ok(Reply::Adopted(adopted)) => if *adopted { "adopted" } else { "ok" }.to_owned(),
        Ok(Reply::Watching(now)) => format!("watching {}", figures(*now)),
        Ok(Reply::Forgotten { more }) => and_more("forgotten", *more),
    }
}

/// A grant of one of several resources says of which.
pub(super) fn reply_of_first(answer: &Result<Reply, Refusal>) -> String {
    match answer {
        Ok(Reply::Granted { grant: Grant::Ticket(grant), fresh: true }) => {
            format!("granted {} {}", grant.resource, ticket(grant))
        }
        other => reply(other),
    }
}

fn no_or(yes: bool, what: &str) -> String {
    let no = if yes { "" } else { "not " };
    format!("{no}{what}")
}

fn and_more(what: &str, more: bool) -> String {
    let more = if more { " more left" } else { "" };
    format!("{what}{more}")
}

fn blocked(BlockedSession { session, resource }: &BlockedSession) -> String {
    format!("{} waits {resource}", info_nick(session))
}

/// The codes of protocol, section 5.
pub(super) fn refused(refusal: Refusal) -> String {
    let code = match refusal {
        Refusal::Forbidden => "forbidden",
        Refusal::SessionNotFound => "session-not-found",
        Refusal::ResourceNotFound => "resource-not-found",
        Refusal::WrongKind => "wrong-kind",
        Refusal::TicketNotFound => "ticket-not-found",
        Refusal::NotLocked => "not-locked",
        Refusal::NotHolder => "not-holder",
        Refusal::TicketHeld => "ticket-held",
        Refusal::TicketExists => "ticket-exists",
        Refusal::Limit(Limit::Holds) => "limit holds",
        Refusal::Limit(Limit::Waits) => "limit waits",
        Refusal::Limit(Limit::Watches) => "limit watches",
        Refusal::Limit(Limit::Issued) => "limit issued",
        Refusal::Limit(Limit::Waiters) => "limit waiters",
        Refusal::Limit(Limit::Tickets) => "limit tickets",
        Refusal::Limit(Limit::Paused) => "limit paused",
    };
    format!("refused {code}")
}

pub(super) fn nick(session: &SessionId) -> String {
    let name = session.0.iter().copied().take_while(|&byte| byte != 0).collect();
    String::from_utf8(name).expect("a nickname")
}

pub(super) fn info_nick(info: &SessionInfo) -> String {
    nick(&info.id)
}

/// Of one that is gone there is but its name.
pub(super) fn party(party: &Party) -> String {
    match party {
        Party::Here(info) => info_nick(info),
        Party::Gone(name) => format!("gone {}", name.as_str()),
    }
}

/// The usual goes without saying.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Exclusive => "",
        Mode::Shared => " shared",
    }
}

pub(super) fn lock(grant: &LockGrant) -> String {
    format!("fence {} waiting {}{}", grant.fence.0, grant.waiting, mode(grant.mode))
}

pub(super) fn ticket(grant: &TicketGrant) -> String {
    let TicketGrant { ticket, fence, issuer, attempt, hold_ms, .. } = grant;
    let (carried, issuer) = (data(&grant.data), party(issuer));
    let (attempt, hold) = (behind("attempt", *attempt), behind("for", *hold_ms));
    format!("{ticket} fence {}{carried} from {issuer}{attempt}{hold}", fence.0)
}

/// ` word number`, if there is a number.
pub(super) fn behind(word: &str, number: Option<u32>) -> String {
    number.map(|number| format!(" {word} {number}")).unwrap_or_default()
}

pub(super) fn data(data: &Data) -> String {
    let text = String::from_utf8_lossy(data.as_bytes());
    if text.is_empty() { String::new() } else { format!(" data {text}") }
}

/// Figures that are 0 go without saying.
pub(super) fn figures(figures: Figures) -> String {
    let Figures { kind, free, held, waiting, delayed, dead, paused } = figures;
    let mut text = match kind {
        None => "nothing".to_owned(),
        Some(Kind::Tickets) => "tickets".to_owned(),
        Some(Kind::Lock) => "lock".to_owned(),
    };
    let counted = [("free", free), ("held", held), ("waiting", waiting)];
    for (what, count) in counted.into_iter().chain([("delayed", delayed), ("dead", dead)]) {
        if count > 0 {
            write!(text, " {what} {count}").expect("a string takes it");
        }
    }
    text.push_str(if paused { " paused" } else { "" });
    text
}
