//! One of everything that the server can write to a socket, by the name of its schema.

use std::sync::Arc;

use ticketd::machine::{
    BlockedSession, Data, Fence, Figures, Grant, HolderView, IssuedState, Kind, Limit, LockGrant,
    LookView, Mode, Name, Party, Refusal, Reply, SessionId, SessionInfo, SessionName, SessionRef,
    Sought, TicketGrant, Ttl, WaitId, WaiterView,
};
use ticketd::wire::look::Look;
use ticketd::wire::socket::{
    HoldState, Place, Response, SocketEvent, StateFrames, StateHead, StateLists, Watched,
};
use ticketd::wire::{Code, Holder, Holders, Problem};

use super::events::{events, kind_of};

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

pub(super) fn session_name(text: &str) -> SessionName {
    SessionName::parse(text).expect("a name")
}

fn info() -> Arc<SessionInfo> {
    Arc::new(SessionInfo {
        id: SessionId([1; 20]),
        name: session_name("worker 1"),
        ttl: Ttl::new(5000).expect("a ttl"),
        source: "127.0.0.1:1".into(),
    })
}

fn session_ref(_: &SessionId) -> SessionRef {
    SessionRef([1; 8])
}

pub(super) fn data(bytes: &[u8]) -> Data {
    Data::new(bytes).expect("data")
}

pub(super) fn lock(mode: Mode) -> Grant {
    Grant::Lock(LockGrant { resource: name("db"), fence: Fence(1), waiting: 2, mode })
}

pub(super) fn ticket(bytes: &[u8]) -> Grant {
    Grant::Ticket(TicketGrant {
        resource: name("jobs"),
        ticket: name("t1"),
        data: data(bytes),
        fence: Fence(2),
        issuer: Party::Gone(session_name("farm")),
        claimant: info(),
        attempt: None,
        hold_ms: None,
    })
}

/// A claim that is counted and timed.
pub(super) fn timed() -> Grant {
    match ticket(b"x") {
        Grant::Ticket(grant) => {
            Grant::Ticket(TicketGrant { attempt: Some(2), hold_ms: Some(30_000), ..grant })
        }
        lock @ Grant::Lock(_) => lock,
    }
}

fn figures(kind: Option<Kind>) -> Figures {
    Figures { kind, free: 1, held: 2, waiting: 3, ..Figures::default() }
}

/// Figures with what is seldom set.
fn all_figures(kind: Option<Kind>) -> Figures {
    Figures { delayed: 4, dead: 5, paused: true, ..figures(kind) }
}

fn holder_view(mode: Mode, bytes: &[u8]) -> HolderView {
    HolderView {
        party: Party::Here(info()),
        ticket: None,
        fence: Fence(1),
        since_ms: 1_730_000_000_000,
        mode,
        data: Some(data(bytes)),
        attempt: None,
        hold_ms: None,
    }
}

fn holder_views() -> Vec<HolderView> {
    let lost = HolderView {
        party: Party::Gone(session_name("w")),
        data: None,
        ..holder_view(Mode::Shared, b"")
    };
    vec![holder_view(Mode::Exclusive, b"x"), holder_view(Mode::Shared, &[0xff]), lost]
}

fn holders() -> Holders {
    let views = holder_views();
    let first = views.iter().map(|view| Holder::new(view, None, session_ref)).collect();
    Holders { first, more: true }
}

fn look() -> Look {
    let mut holders = holder_views();
    let of_ticket = HolderView {
        ticket: Some(name("t1")),
        data: None,
        attempt: Some(2),
        hold_ms: Some(30_000),
        fence: Fence(2),
        ..holder_view(Mode::Exclusive, b"")
    };
    holders.push(of_ticket);
    let waiter = |kind, mode, ticket| WaiterView {
        session: info(),
        position: 1,
        since_ms: 1_730_000_000_000,
        kind,
        mode,
        ticket,
    };
    let waiters = vec![
        waiter(Kind::Lock, Mode::Shared, None),
        waiter(Kind::Tickets, Mode::Exclusive, Some(name("t9"))),
    ];
    let figures = all_figures(Some(Kind::Lock));
    let view = LookView { figures, holders, waiters, more: true };
    Look::new(name("db"), view, |fence| (fence == Fence(2)).then_some(29_000), session_ref)
}

fn state() -> (StateHead, StateLists) {
    let head = StateHead {
        session: SessionId([1; 20]),
        session_ref: Some(SessionRef([1; 8])),
        name: session_name("worker 1"),
        ttl: Ttl::new(5000).expect("a ttl"),
        resumed: true,
        epoch: "e".repeat(27).into(),
        ping_ms: 1666,
    };
    let place = |sought, kind, mode, ticket| Place {
        wait: WaitId(3),
        sought,
        kind,
        mode,
        ticket,
        position: 1,
    };
    let (one, several) = (Sought::One(name("db")), several());
    let watch = |kind, figures, holders| Watched {
        resource: name("jobs"),
        changes: true,
        figures: Figures { kind: Some(kind), ..figures },
        holders,
    };
    let issued =
        |stays| IssuedState { resource: name("jobs"), ticket: name("t1"), claimed: true, stays };
    let lists = StateLists {
        holds: [lock(Mode::Exclusive), lock(Mode::Shared), ticket(b"x"), ticket(&[0xff])]
            .into_iter()
            .map(|grant| HoldState::new(grant, None))
            .chain([HoldState::new(timed(), Some(29_000))])
            .collect(),
        waits: vec![
            place(one.clone(), Kind::Lock, Mode::Shared, None),
            place(one, Kind::Tickets, Mode::Exclusive, Some(name("t9"))),
            place(several, Kind::Tickets, Mode::Exclusive, None),
        ],
        watches: vec![
            watch(Kind::Tickets, figures(None), None),
            watch(Kind::Lock, all_figures(None), Some(holders())),
        ],
        issued: vec![issued(false), issued(true)],
    };
    (head, lists)
}

pub(super) fn several() -> Sought {
    Sought::FirstOf([name("urgent"), name("jobs")].into())
}

fn told(event: &SocketEvent) -> String {
    let mut out = Vec::new();
    event.write(&mut out);
    String::from_utf8(out).expect("JSON")
}

fn answer(id: Option<u64>, response: &Response) -> String {
    let mut out = Vec::new();
    response.write(id, &mut out);
    String::from_utf8(out).expect("JSON")
}

fn replied(reply: Result<Reply, Refusal>) -> String {
    answer(Some(7), &Response::new(reply, session_ref))
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
    for (figures, holders) in [
        (figures(Some(Kind::Lock)), Some(holders())),
        (figures(Some(Kind::Tickets)), None),
        (all_figures(Some(Kind::Tickets)), None),
        (figures(None), Some(Holders::default())),
    ] {
        let changed = SocketEvent::ResourceChanged { resource: name("jobs"), figures, holders };
        all.push(("event-resource-changed".to_owned(), told(&changed)));
    }
    let (resource, ticket, fence) = (name("jobs"), name("t1"), Fence(3));
    let expiring = SocketEvent::ClaimExpiring { resource, ticket, fence, left_ms: 7500 };
    let moved = |sought| SocketEvent::WaitMoved { wait: WaitId(1), sought, position: 2 };
    for (kind, event) in [
        ("claim-expiring", expiring),
        ("wait-moved", moved(Sought::One(name("db")))),
        ("wait-moved", moved(several())),
        ("ticket-available", SocketEvent::TicketAvailable { resource: name("jobs"), free: 1 }),
        ("lock-available", SocketEvent::LockAvailable { resource: name("db") }),
        ("beat", SocketEvent::Beat),
        ("token-expiring", SocketEvent::TokenExpiring { left_ms: 60_000 }),
        ("draining", SocketEvent::Draining { on: true }),
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
        ("lock", granted(lock(Mode::Exclusive))),
        ("lock", granted(lock(Mode::Shared))),
        ("lock", Reply::NotGranted),
        ("lock", queued.clone()),
        ("claim", granted(ticket(b"x"))),
        ("claim", granted(ticket(&[0xff]))),
        ("claim", granted(timed())),
        ("claim", Reply::NotGranted),
        ("claim", queued),
        ("touch", Reply::Touched(Some(30_000))),
        ("touch", Reply::Touched(None)),
        ("unlock", Reply::Done),
        ("issue", Reply::Done),
        ("revoke", Reply::Done),
        ("revive", Reply::Revived(3)),
        ("pause", Reply::Served { more: true }),
        ("unwatch", Reply::Done),
        ("release", Reply::Released(true)),
        ("cancel", Reply::Cancelled(false)),
        ("watch", Reply::Watching(figures(Some(Kind::Lock)))),
        ("watch", Reply::Watching(figures(None))),
        ("watch", Reply::Watching(all_figures(Some(Kind::Tickets)))),
    ] {
        all.push((format!("answer-{op}"), replied(Ok(reply))));
    }
    let (figures, holders) = (figures(Some(Kind::Lock)), Some(holders()));
    for (op, response) in [
        ("auth", Response::Done),
        ("bye", Response::Done),
        ("beat", Response::Beat { ttl_ms: 5000 }),
        ("claim", Response::granted(timed(), Some(100))),
        ("watch", Response::Watching { figures, holders }),
        ("look", Response::Look(look())),
    ] {
        all.push((format!("answer-{op}"), answer(id, &response)));
    }
    for code in Code::ALL {
        let failed = Response::Failed(Problem::new(code, "why"));
        all.push(("answer-error".to_owned(), answer(None, &failed)));
    }
    for refusal in [Refusal::SessionNotFound, Refusal::Limit(Limit::Holds)] {
        all.push(("answer-error".to_owned(), replied(Err(refusal))));
    }
    let circle = vec![BlockedSession { session: info(), resource: name("db") }];
    all.push(("answer-error".to_owned(), replied(Ok(Reply::Deadlock(circle)))));
    for op in ["hello", "session"] {
        let (head, lists) = state();
        for frame in StateFrames::new(id, head, lists) {
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
    let (head, StateLists { holds, waits, watches, issued }) = state();
    let large = StateLists {
        holds: repeat(&holds),
        waits: repeat(&waits),
        watches: repeat(&watches),
        issued: repeat(&issued),
    };
    let frames = StateFrames::new(Some(7), head, large);
    let mut frames: Vec<_> = frames.map(|frame| String::from_utf8(frame).expect("JSON")).collect();
    frames.pop();
    frames.into_iter().map(|frame| ("answer-part".to_owned(), frame)).collect()
}
