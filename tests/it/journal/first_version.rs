//! What the samples of version 1 say.

use ticketd::machine::{
    Command, Conduct, Data, Fence, HoldSnapshot, Kind, LockAsk, Mode, Name, Parting, PauseSnapshot,
    Reach, RequestId, ResourceSnapshot, SessionId, SessionInfo, SessionName, SessionSnapshot,
    Snapshot, SnapshotParty, TicketSnapshot, TicketTerms, Ttl, WaitId, WaitOrigin, WaitRequest,
    WaitSnapshot, WaitTimeout, WatchSnapshot,
};

use super::samples::name;

/// Every command, with every option there and not there.
pub(super) fn commands() -> Vec<Command> {
    let session = SessionId(*b"twenty bytes of ksui");
    let (resource, ticket) = (name("printers/ü"), name("laser"));
    let open = |name: &str, ttl_ms: i64, source: &str| Command::Open {
        session,
        name: SessionName::parse(name).expect("is a name"),
        ttl: Ttl::new(ttl_ms).expect("is a ttl"),
        source: source.into(),
        conduct: Conduct::default(),
    };
    let issue = |data: &[u8], notify| Command::Issue {
        session,
        resource: resource.clone(),
        ticket: ticket.clone(),
        data: Data::new(data).expect("is short"),
        notify,
        terms: TicketTerms::default(),
    };
    let mut all = vec![
        Command::Boot { fence: Fence(3_712_345_678_901_248) },
        open("", 50, ""),
        open("worker", 86_400_000, "[2001:db8::1]:4711"),
        Command::Close { session, by_other: false },
        Command::Expire { sessions: vec![] },
        Command::Expire { sessions: vec![session, SessionId([0; 20])] },
        issue(b"", false),
        issue(&[0, 255], true),
        issue(&[7; 1024], true),
        Command::Revoke {
            session,
            resource: resource.clone(),
            ticket: ticket.clone(),
            reach: Reach::Any,
            fence: None,
        },
    ];
    all.extend(of_holds(session, &resource, &ticket));
    all.extend([
        Command::Cancel { session, wait: WaitId(0) },
        Command::TimeOut { wait: WaitId(127) },
        Command::Withdraw { wait: WaitId(128), request: RequestId::alone(1 << 40) },
        Command::Watch { session, resource: resource.clone(), changes: false },
        Command::Watch { session, resource: name(&"n".repeat(255)), changes: true },
        Command::Unwatch { session, resource },
        Command::Forget { up_to: 300 },
    ]);
    all
}

/// Those by which locks and tickets are taken and given back.
fn of_holds(session: SessionId, resource: &Name, ticket: &Name) -> Vec<Command> {
    let ways = [WaitOrigin::Socket, WaitOrigin::Request(RequestId::alone(u64::MAX))];
    let lengths = [WaitTimeout::Ms(86_400_000), WaitTimeout::Session];
    let asks = ways
        .iter()
        .flat_map(|&origin| lengths.map(|timeout| Some(WaitRequest { origin, timeout })));
    let asks: Vec<Option<WaitRequest>> = asks.chain([None]).collect();
    let fences = [None, Some(Fence((1 << 53) - 1))];
    let mut all = Vec::new();
    for &wait_request in &asks {
        for (ticket, again) in [(None, true), (Some(ticket.clone()), false)] {
            all.push(Command::Claim {
                session,
                resource: resource.clone(),
                ticket,
                wait_request,
                again,
                hold_ms: None,
            });
        }
        all.push(Command::Lock {
            session,
            resource: resource.clone(),
            wait_request,
            ask: LockAsk::default(),
        });
    }
    for fence in fences {
        for by_socket in [false, true] {
            let (resource, ticket) = (resource.clone(), ticket.clone());
            all.push(Command::Unlock { session, resource: resource.clone(), fence, by_socket });
            all.push(Command::Release {
                session,
                resource,
                ticket,
                fence,
                by_socket,
                parting: Parting::default(),
            });
        }
    }
    all
}

/// A snapshot with everything, there and not there. It is nobody's state.
pub(super) fn snapshot() -> Snapshot {
    let (one, two) = (SessionId([1; 20]), SessionId(*b"twenty bytes of ksui"));
    let empty = ResourceSnapshot {
        name: name("a"),
        known: true,
        last: Kind::Tickets,
        emptied: None,
        pause: PauseSnapshot::None,
        locks: vec![],
        tickets: vec![],
        waits: vec![],
        watches: vec![],
    };
    let watch = |session, changes, number| vec![WatchSnapshot { session, changes, number }];
    Snapshot {
        next_fence: (1 << 53) - 1,
        next_wait: 128,
        serial: 127,
        emptied_mark: 0,
        clock_ms: 0,
        nodes: vec![],
        sessions: vec![info(one, "", 50, ""), info(two, "worker ü", 86_400_000, "192.0.2.1:4711")],
        resources: vec![
            ResourceSnapshot {
                tickets: vec![
                    ticket(one, "laser", &[], None),
                    ticket(one, "inkjet", &[0, 255], Some((two, Fence(1 << 40)))),
                ],
                waits: vec![
                    wait(1, two, None, None, &[1, u64::MAX]),
                    wait(2, two, Some("laser"), Some(WaitTimeout::Ms(1)), &[]),
                    wait(3, two, Some("none"), Some(WaitTimeout::Session), &[7]),
                ],
                watches: watch(two, true, 5),
                ..empty.clone()
            },
            ResourceSnapshot {
                name: name("b"),
                last: Kind::Lock,
                locks: vec![hold(one, Fence(9))],
                ..empty.clone()
            },
            ResourceSnapshot { name: name("c"), emptied: Some(70_000), ..empty.clone() },
            ResourceSnapshot {
                name: name(&"ü".repeat(127)),
                known: false,
                watches: watch(one, false, 6),
                ..empty
            },
        ],
    }
}

pub(super) fn info(id: SessionId, name: &str, ttl_ms: i64, source: &str) -> SessionSnapshot {
    let name = SessionName::parse(name).expect("is a name");
    let ttl = Ttl::new(ttl_ms).expect("is a ttl");
    let info = SessionInfo { id, name, ttl, source: source.into() };
    SessionSnapshot { info, owner: None, condemned: false, conduct: Conduct::default() }
}

/// A ticket; the claimed ones notify.
fn ticket(
    issuer: SessionId,
    text: &str,
    data: &[u8],
    claim: Option<(SessionId, Fence)>,
) -> TicketSnapshot {
    TicketSnapshot {
        name: name(text),
        data: Data::new(data).expect("is short"),
        issuer: SnapshotParty::Here(issuer),
        claim: claim.map(|(session, fence)| hold(session, fence)),
        notify: claim.is_some(),
        place: 300,
        issued: 2,
        number: 0,
        terms: TicketTerms::default(),
        attempts: 0,
        delay: None,
        dead: false,
        note: None,
    }
}

/// A grant of which no more is known than whose it is.
pub(super) fn hold(session: SessionId, fence: Fence) -> HoldSnapshot {
    let (holder, mode) = (SnapshotParty::Here(session), Mode::Exclusive);
    HoldSnapshot { holder, fence, since_ms: 0, mode, data: None, hold_ms: None }
}

/// A wait; those of requests merge.
fn wait(
    id: u64,
    session: SessionId,
    ticket: Option<&str>,
    socket: Option<WaitTimeout>,
    requests: &[u64],
) -> WaitSnapshot {
    let (id, ticket, merges) = (WaitId(id), ticket.map(name), !requests.is_empty());
    let requests = requests.iter().copied().map(RequestId::alone).collect();
    WaitSnapshot {
        id,
        session,
        ticket,
        socket,
        requests,
        merges,
        since_ms: 0,
        mode: Mode::Exclusive,
        data: None,
        hold_ms: None,
        of_several: None,
    }
}
