//! One of everything that the server can write to a socket, by the name of its schema.

use std::sync::Arc;

use ticketd::machine::{
    Data, Event, Fence, Figures, Grant, IssuedState, Kind, Limit, LockGrant, LossReason, Name,
    Refusal, Reply, SessionId, SessionInfo, SessionName, SessionState, TicketGrant, Ttl, WaitId,
    WaitState, WaitTimeout, WatchState,
};
use ticketd::wire::socket::{self as wire, LevelEvent, StateFrames};
use ticketd::wire::{Code, Problem};

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn info() -> Arc<SessionInfo> {
    Arc::new(SessionInfo {
        id: SessionId([1; 20]),
        name: SessionName::parse("worker 1").expect("a name"),
        ttl: Ttl::new(5000).expect("a ttl"),
        source: "127.0.0.1:1".into(),
    })
}

fn lock() -> Grant {
    Grant::Lock(LockGrant { resource: name("db"), fence: Fence(1), waiting: 2 })
}

fn ticket(data: &[u8]) -> Grant {
    Grant::Ticket(TicketGrant {
        resource: name("jobs"),
        ticket: name("t1"),
        data: Data::new(data).expect("data"),
        fence: Fence(2),
        issuer: info(),
        claimant: info(),
    })
}

fn figures(kind: Option<Kind>) -> Figures {
    Figures { kind, free: 1, held: 2, waiting: 3 }
}

fn state() -> SessionState {
    let wait = |kind, ticket| WaitState {
        wait: WaitId(3),
        resource: name("db"),
        kind,
        ticket,
        position: 1,
        timeout: WaitTimeout::Session,
    };
    SessionState {
        info: info(),
        holds: vec![lock(), ticket(b"x"), ticket(&[0xff])],
        waits: vec![wait(Kind::Lock, None), wait(Kind::Tickets, Some(name("t9")))],
        watches: vec![WatchState {
            resource: name("jobs"),
            changes: true,
            figures: figures(Some(Kind::Tickets)),
        }],
        issued: vec![IssuedState { resource: name("jobs"), ticket: name("t1"), claimed: true }],
    }
}

/// All of them; every variant of every type that is written stands here.
pub(crate) fn all() -> Vec<(String, String)> {
    let mut all = answers();
    all.extend(events().iter().filter_map(|event| Some((kind_of(event)?, wire::event(event)?))));
    for (what, kind) in [
        (LevelEvent::TicketAvailable, "ticket-available"),
        (LevelEvent::LockAvailable, "lock-available"),
        (LevelEvent::Changed, "resource-changed"),
    ] {
        for of in [Some(Kind::Lock), Some(Kind::Tickets), None] {
            all.push((format!("event-{kind}"), wire::level(what, &name("jobs"), figures(of))));
        }
    }
    all.push(("event-beat".to_owned(), wire::beat_event()));
    all.push(("event-going-away".to_owned(), wire::going_away(0)));
    all
}

fn answers() -> Vec<(String, String)> {
    let id = Some(7);
    let granted = |grant| Reply::Granted { grant, fresh: true };
    let queued = Reply::Queued { wait: WaitId(5), position: 1 };
    let mut all = Vec::new();
    for (op, reply) in [
        ("lock", granted(lock())),
        ("lock", Reply::NotGranted),
        ("lock", queued.clone()),
        ("claim", granted(ticket(b"x"))),
        ("claim", granted(ticket(&[0xff]))),
        ("claim", Reply::NotGranted),
        ("claim", queued),
        ("unlock", Reply::Done),
        ("issue", Reply::Done),
        ("revoke", Reply::Done),
        ("unwatch", Reply::Done),
        ("release", Reply::Released(true)),
        ("cancel", Reply::Cancelled(false)),
        ("watch", Reply::Watching(figures(Some(Kind::Lock)))),
        ("watch", Reply::Watching(figures(None))),
    ] {
        all.push((format!("answer-{op}"), wire::answer_reply(id, &Ok(reply))));
    }
    all.push(("answer-bye".to_owned(), wire::done(id)));
    all.push(("answer-beat".to_owned(), wire::beat_answer(id, 5000)));
    for code in Code::ALL {
        let answer = wire::answer_error(None, &Problem::new(code, "why"));
        all.push(("answer-error".to_owned(), answer));
    }
    for refusal in [Refusal::SessionNotFound, Refusal::Limit(Limit::Holds)] {
        all.push(("answer-error".to_owned(), wire::answer_reply(id, &Err(refusal))));
    }
    for op in ["hello", "session"] {
        for frame in StateFrames::new(id, state(), true, &"e".repeat(27), 1666) {
            all.push((format!("answer-{op}"), frame));
        }
    }
    all.extend(parts());
    all
}

/// A state of which every list is too long for one frame.
fn parts() -> Vec<(String, String)> {
    fn repeat<T: Clone>(few: &[T]) -> Vec<T> {
        few.iter().cycle().take(2000).cloned().collect()
    }
    let SessionState { info, holds, waits, watches, issued } = state();
    let large = SessionState {
        info,
        holds: repeat(&holds),
        waits: repeat(&waits),
        watches: repeat(&watches),
        issued: repeat(&issued),
    };
    let frames: Vec<_> = StateFrames::new(Some(7), large, true, &"e".repeat(27), 1666).collect();
    let parts = frames.len() - 1;
    frames.into_iter().take(parts).map(|frame| ("answer-part".to_owned(), frame)).collect()
}

fn events() -> Vec<Event> {
    let to = SessionId([1; 20]);
    let (resource, ticket_name, fence) = (name("jobs"), name("t1"), Fence(3));
    let who = SessionName::parse("w").expect("a name");
    let mut all = vec![
        Event::Granted { to, wait: WaitId(1), grant: lock() },
        Event::Granted { to, wait: WaitId(1), grant: ticket(b"x") },
        Event::Granted { to, wait: WaitId(1), grant: ticket(&[0xff]) },
        Event::WaitEnded { to, wait: WaitId(1), resource: resource.clone() },
        Event::LockWanted { to, resource: resource.clone(), waiting: 1 },
        Event::LockLost { to, resource: resource.clone(), fence },
    ];
    for data in [&b"x"[..], &[0xff]] {
        let data = Data::new(data).expect("data");
        let (resource, ticket) = (resource.clone(), ticket_name.clone());
        all.push(Event::TicketUpdated { to, resource, ticket, data, fence });
    }
    for reason in [LossReason::Revoked, LossReason::IssuerGone, LossReason::Released] {
        let (resource, ticket) = (resource.clone(), ticket_name.clone());
        all.push(Event::TicketRevoked { to, resource, ticket, fence, reason });
    }
    let (r, t, claimant) = (resource.clone(), ticket_name.clone(), who.clone());
    all.push(Event::TicketClaimed { to, resource: r, ticket: t, claimant, fence });
    let (r, t, claimant) = (resource.clone(), ticket_name.clone(), who.clone());
    all.push(Event::TicketReleased { to, resource: r, ticket: t, claimant, fence });
    all.push(Event::TicketTaken { to, resource, ticket: ticket_name, by: who });
    all
}

/// The schema of an event. Exhaustive, so that a new event needs a schema and a sample.
fn kind_of(event: &Event) -> Option<String> {
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
        Event::Answered { .. }
        | Event::Orphaned { .. }
        | Event::Changed { .. }
        | Event::SessionEnded { .. }
        | Event::SessionOpened { .. }
        | Event::WaitBegan { .. }
        | Event::WaitCancelled { .. }
        | Event::Withdrawn { .. }
        | Event::Emptied { .. }
        | Event::Forgotten { .. } => return None,
    };
    Some(format!("event-{kind}"))
}
