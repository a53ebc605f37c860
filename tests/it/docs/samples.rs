//! One of everything that the server can write to a socket, by the name of its schema.

use std::sync::Arc;

use ticketd::machine::{
    Data, Event, Fence, Figures, Grant, IssuedState, Kind, Limit, LockGrant, LossReason, Name,
    Refusal, Reply, SessionId, SessionInfo, SessionName, SessionRef, SessionState, TicketGrant,
    Ttl, WaitEndReason, WaitId, WaitState, WaitTimeout, WatchState,
};
use ticketd::wire::socket::{Response, SocketEvent, StateFrames};
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

fn told(event: &SocketEvent) -> String {
    let mut out = Vec::new();
    event.write(&mut out);
    String::from_utf8(out).expect("JSON")
}

fn answer(id: Option<u64>, response: impl Into<Response>) -> String {
    let mut out = Vec::new();
    response.into().write(id, &mut out);
    String::from_utf8(out).expect("JSON")
}

/// All of them; every variant of every type that is written stands here.
pub(crate) fn all() -> Vec<(String, String)> {
    let mut all = answers();
    for event in events() {
        let kind = kind_of(&event);
        let event = SocketEvent::of(event);
        assert_eq!(kind.is_some(), event.is_some(), "{kind:?}");
        all.extend(kind.zip(event.as_ref().map(told)));
    }
    for of in [Some(Kind::Lock), Some(Kind::Tickets), None] {
        let (resource, figures) = (name("jobs"), figures(of));
        let changed = SocketEvent::ResourceChanged { resource, figures };
        all.push(("event-resource-changed".to_owned(), told(&changed)));
    }
    for (kind, event) in [
        ("ticket-available", SocketEvent::TicketAvailable { resource: name("jobs"), free: 1 }),
        ("lock-available", SocketEvent::LockAvailable { resource: name("db") }),
        ("beat", SocketEvent::Beat),
        ("token-expiring", SocketEvent::TokenExpiring { left_ms: 60_000 }),
        ("going-away", SocketEvent::GoingAway { after_ms: 0 }),
    ] {
        all.push((format!("event-{kind}"), told(&event)));
    }
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
        all.push((format!("answer-{op}"), answer(id, Ok(reply))));
    }
    all.push(("answer-auth".to_owned(), answer(id, Response::Done)));
    all.push(("answer-bye".to_owned(), answer(id, Response::Done)));
    all.push(("answer-beat".to_owned(), answer(id, Response::Beat { ttl_ms: 5000 })));
    for code in Code::ALL {
        let failed = Response::Failed(Problem::new(code, "why"));
        all.push(("answer-error".to_owned(), answer(None, failed)));
    }
    for refusal in [Refusal::SessionNotFound, Refusal::Limit(Limit::Holds)] {
        all.push(("answer-error".to_owned(), answer(id, Err(refusal))));
    }
    for op in ["hello", "session"] {
        for frame in StateFrames::new(id, state(), SessionRef([1; 8]), true, &"e".repeat(27), 1666)
        {
            all.push((format!("answer-{op}"), String::from_utf8(frame).expect("JSON")));
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
    let frames = StateFrames::new(Some(7), large, SessionRef([1; 8]), true, &"e".repeat(27), 1666);
    let mut frames: Vec<_> = frames.map(|frame| String::from_utf8(frame).expect("JSON")).collect();
    frames.pop();
    frames.into_iter().map(|frame| ("answer-part".to_owned(), frame)).collect()
}

fn events() -> Vec<Event> {
    let to = SessionId([1; 20]);
    let (resource, ticket_name, fence) = (name("jobs"), name("t1"), Fence(3));
    let who = SessionName::parse("w").expect("a name");
    let mut all = vec![
        Event::Granted { to, wait: WaitId(1), grant: lock() },
        Event::Granted { to, wait: WaitId(1), grant: ticket(b"x") },
        Event::Granted { to, wait: WaitId(1), grant: ticket(&[0xff]) },
        Event::WaitEnded {
            to,
            wait: WaitId(1),
            resource: resource.clone(),
            reason: WaitEndReason::TimedOut,
        },
        Event::WaitEnded {
            to,
            wait: WaitId(1),
            resource: resource.clone(),
            reason: WaitEndReason::Forbidden,
        },
        Event::WatchEnded { to, resource: resource.clone() },
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
        Event::WatchEnded { .. } => "watch-ended",
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
