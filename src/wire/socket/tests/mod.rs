//! What is written is read as what it was: every variant, with names and data that JSON writes
//! otherwise than they are.

mod dice;

use dice::Dice;

use super::*;
use crate::machine::{
    Conduct, IssuedState, LossReason, ReleaseReason, SessionRef, WaitEndReason, WaitId,
};
use crate::wire::{Blocked, Code, Problem};

/// How many of each are drawn.
const TURNS: u32 = 300;

fn ops(dice: &mut Dice) -> Vec<Op> {
    let who = if dice.flag() {
        let conduct = Conduct { delay_ms: dice.small() % 60_001, blocking: dice.flag() };
        Who::New { name: dice.session_name(), ttl: dice.ttl(), conduct }
    } else {
        Who::Known { session: dice.maybe(Dice::id), attempt: dice.maybe(Dice::number) }
    };
    let token = dice.flag().then(|| ShownToken("tkd_\"x\u{e9}".into()));
    let hello = Hello { beat: dice.flag(), who, token };
    let (resource, ticket) = (dice.name(), dice.name());
    let both = || (resource.clone(), ticket.clone());
    let mut ops = vec![Op::Hello(hello), Op::Beat, Op::Session, Op::Bye];
    let (wait, ask, progress) = (dice.wait(), dice.ask(), dice.flag());
    ops.push(Op::Lock { resource: both().0, wait, ask, progress });
    ops.push(Op::Unlock { resource: both().0, fence: dice.maybe(Dice::fence) });
    let named = dice.maybe(|_| both().1);
    ops.push(Op::Force { resource: both().0, ticket: named, fence: dice.maybe(Dice::fence) });
    let named = dice.maybe(|_| both().1);
    ops.push(Op::Claim { resource: both().0, ticket: named, wish: dice.wish() });
    ops.push(Op::ClaimFirst { resources: dice.names(), wish: dice.wish() });
    let ((resource, ticket), fence) = (both(), dice.maybe(Dice::fence));
    ops.push(Op::Touch { resource, ticket, fence, hold_ms: dice.hold() });
    let ((resource, ticket), fence) = (both(), dice.maybe(Dice::fence));
    ops.push(Op::Release { resource, ticket, fence, parting: dice.parting() });
    let ((resource, ticket), data) = (both(), dice.data());
    ops.push(Op::Issue { resource, ticket, data, notify: dice.flag(), terms: dice.terms() });
    let (resource, ticket) = both();
    ops.push(Op::Revoke { resource, ticket, fence: dice.maybe(Dice::fence) });
    let named = dice.maybe(|_| both().1);
    ops.push(Op::Revive { resource: both().0, ticket: named });
    ops.push(Op::Pause { resource: both().0, paused: dice.flag() });
    let limit = 1 + usize::try_from(dice.below(1000)).unwrap();
    ops.push(Op::Look { resource: both().0, limit });
    ops.push(Op::Cancel { wait: WaitId(dice.number()) });
    ops.push(Op::Watch { resource: both().0, changes: dice.flag() });
    ops.push(Op::Unwatch { resource: both().0 });
    ops
}

#[test]
fn a_request_is_read_as_it_was_written() {
    let mut dice = Dice(7);
    for _ in 0..TURNS {
        for op in ops(&mut dice) {
            let (id, mut out) = (dice.number(), Vec::new());
            op.write(id, &mut out);
            let text = String::from_utf8(out).unwrap();
            let request = read(&text).unwrap();
            assert_eq!((request.id, request.op), (Some(id), Ok(op)), "{text}");
        }
    }
}

fn responses(dice: &mut Dice) -> Vec<Response> {
    let mut all: Vec<Response> = Code::ALL
        .into_iter()
        .map(|code| Response::Failed(Problem::new(code, dice.text(0))))
        .collect();
    all.extend([
        Response::Done,
        Response::Beat { ttl_ms: dice.small() },
        Response::Lock { fence: dice.fence(), waiting: dice.small(), mode: dice.mode() },
        Response::Ticket(dice.ticket()),
        Response::Queued { wait: WaitId(dice.number()), position: dice.small() },
        Response::NotGranted,
        Response::Released(dice.flag()),
        Response::Cancelled(dice.flag()),
        Response::Watching { figures: dice.figures(), holders: dice.maybe(Dice::holders) },
        Response::Touched(dice.maybe(Dice::small)),
        Response::Revived(dice.small()),
        Response::Look(dice.look()),
    ]);
    let blocked = |dice: &mut Dice| Blocked {
        session: dice.session_name(),
        session_ref: dice.session_ref(),
        waits: dice.name(),
    };
    let cycle = (0..=dice.below(3)).map(|_| blocked(dice)).collect();
    all.push(Response::Failed(Problem::deadlock(cycle)));
    all
}

#[test]
fn an_answer_is_read_as_it_was_written() {
    let mut dice = Dice(11);
    for _ in 0..TURNS {
        for response in responses(&mut dice) {
            let (id, mut out) = (dice.maybe(Dice::number), Vec::new());
            response.write(id, &mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(Received::read(&text), Ok(Received::Answer { id, response }), "{text}");
        }
    }
}

fn events(dice: &mut Dice) -> Vec<SocketEvent> {
    use SocketEvent as E;
    let wait = WaitId(dice.number());
    let reason = match dice.below(5) {
        0 => LossReason::Revoked,
        1 => LossReason::IssuerGone,
        2 => LossReason::Released,
        3 => LossReason::TimedOut,
        _ => LossReason::Forced(dice.maybe(Dice::session_name)),
    };
    let (resource, ticket, session) = (dice.name(), dice.name(), dice.session_name());
    let fence = dice.fence();
    let of = || (resource.clone(), ticket.clone(), session.clone());
    let mut all = vec![
        E::LockGranted { wait, grant: dice.lock() },
        E::TicketGranted { wait, ticket: dice.ticket() },
        E::LockWanted { resource: of().0, waiting: dice.small() },
        E::LockLost { resource: of().0, fence, reason: reason.clone() },
        E::WaitEnded { wait, sought: dice.sought(), reason: WaitEndReason::Forbidden },
        E::WaitMoved { wait, sought: dice.sought(), position: dice.small() },
        E::ClaimExpiring { resource: of().0, ticket: of().1, fence, left_ms: dice.small() },
        E::WatchEnded { resource: of().0 },
        E::TokenExpiring { left_ms: 7 },
        E::TicketAvailable { resource: of().0, free: dice.small() },
        E::LockAvailable { resource: of().0 },
        E::ResourceChanged {
            resource: of().0,
            figures: dice.figures(),
            holders: dice.maybe(Dice::holders),
        },
        E::Beat,
        E::Draining { on: dice.small().is_multiple_of(2) },
        E::GoingAway { after_ms: dice.small() },
        E::TicketUpdated { resource: of().0, ticket: of().1, data: dice.data(), fence },
        E::TicketRevoked { resource: of().0, ticket: of().1, fence, reason },
    ];
    let (resource, ticket, session) = of();
    all.push(E::TicketClaimed { resource, ticket, session, fence });
    let (resource, ticket, session) = of();
    let reasons = [
        ReleaseReason::Released,
        ReleaseReason::TimedOut,
        ReleaseReason::Gone,
        ReleaseReason::Forced,
    ];
    all.push(E::TicketReleased {
        resource,
        ticket,
        session,
        fence,
        reason: reasons[usize::try_from(dice.below(4)).unwrap()],
        attempt: dice.small(),
        note: dice.maybe(Dice::note),
        dead: dice.flag(),
    });
    let (resource, ticket, session) = of();
    all.push(E::TicketTaken { resource, ticket, session });
    all
}

#[test]
fn an_event_is_read_as_it_was_written() {
    let mut dice = Dice(13);
    for _ in 0..TURNS {
        for event in events(&mut dice) {
            let mut out = Vec::new();
            event.write(&mut out);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(Received::read(&text), Ok(Received::Event(event)), "{text}");
        }
    }
}

/// A session with so many of everything.
fn lists(dice: &mut Dice, many: u32) -> StateLists {
    let mut holds = Vec::new();
    for _ in 0..many {
        holds.push(HoldState::Lock(dice.lock()));
        holds.push(HoldState::Ticket(dice.ticket()));
    }
    let wait = |dice: &mut Dice| Place {
        wait: WaitId(dice.number()),
        sought: dice.sought(),
        kind: dice.kind(),
        mode: dice.mode(),
        ticket: dice.maybe(Dice::name),
        position: dice.small(),
    };
    let watch = |dice: &mut Dice| Watched {
        resource: dice.name(),
        changes: dice.flag(),
        figures: dice.figures(),
        holders: dice.maybe(Dice::holders),
    };
    let issued = |dice: &mut Dice| IssuedState {
        resource: dice.name(),
        ticket: dice.name(),
        claimed: dice.flag(),
        stays: dice.flag(),
    };
    StateLists {
        holds,
        waits: (0..many).map(|_| wait(dice)).collect(),
        watches: (0..many).map(|_| watch(dice)).collect(),
        issued: (0..many).map(|_| issued(dice)).collect(),
    }
}

#[test]
fn a_state_is_read_as_it_was_written_in_as_many_parts_as_it_takes() {
    let mut dice = Dice(17);
    for many in [0, 1, 2, 300, 900] {
        let expected = lists(&mut dice, many);
        let head = StateHead {
            session: dice.id(),
            session_ref: Some(SessionRef([1; 8])),
            name: dice.session_name(),
            ttl: dice.ttl(),
            resumed: true,
            epoch: "e".into(),
            ping_ms: 7,
        };
        let frames = StateFrames::new(Some(3), head.clone(), expected.clone());
        let (mut lists, mut heads, mut parts) = (StateLists::default(), Vec::new(), 0);
        for frame in frames {
            let text = String::from_utf8(frame).unwrap();
            let more = match Received::read(&text) {
                Ok(Received::Part { id: Some(3), lists }) => {
                    parts += 1;
                    lists
                }
                Ok(Received::State { id: Some(3), head, lists }) => {
                    heads.push(head);
                    lists
                }
                other => panic!("{other:?} of {text}"),
            };
            lists.holds.extend(more.holds);
            lists.waits.extend(more.waits);
            lists.watches.extend(more.watches);
            lists.issued.extend(more.issued);
        }
        assert_eq!(lists, expected);
        assert_eq!(parts > 0, many > 2, "{many} in {parts} parts");
        assert_eq!(heads, [head]);
    }
}

/// A later server may say more than this client knows.
#[test]
fn what_a_client_does_not_know_it_passes_over() {
    let read = |text| Received::read(text);
    assert_eq!(read(r#"{"event":"eclipse","resource":7}"#), Ok(Received::Unknown));
    assert_eq!(read(r#"{"event":"ticket-eaten"}"#), Ok(Received::Unknown));
    let beat = r#"{"event":"beat","sun":{"a":[]}}"#;
    assert_eq!(read(beat), Ok(Received::Event(SocketEvent::Beat)));
    let done = r#"{"id":1,"ok":{"sun":null},"moon":1}"#;
    assert_eq!(read(done), Ok(Received::Answer { id: Some(1), response: Response::Done }));
    let error = r#"{"id":1,"error":{"code":"eclipse","message":"no"}}"#;
    let response = Response::Failed(Problem::new(Code::Internal, "no"));
    assert_eq!(read(error), Ok(Received::Answer { id: Some(1), response }));
    for text in ["", "[]", "{}", r#"{"ok":1}"#, r#"{"event":"lock-lost","resource":"a"}"#] {
        assert!(read(text).is_err(), "{text}");
    }
}
