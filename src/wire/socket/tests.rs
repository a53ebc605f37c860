//! What is written is read as what it was: every variant, with names and data that JSON writes
//! otherwise than they are.

use std::sync::Arc;

use super::*;
use crate::machine::{
    Data, Fence, Figures, Grant, IssuedState, Kind, LockGrant, LossReason, NUMBER_END, Name,
    SessionId, SessionInfo, SessionName, SessionRef, SessionState, TicketGrant, Ttl, WAIT_MAX_MS,
    WaitEndReason, WaitId, WaitState, WaitTimeout, WatchState,
};
use crate::wire::{Code, Problem};

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.draw() >> 11) % end
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    /// A number of JSON's, large ones as well as small ones.
    fn number(&mut self) -> u64 {
        let end = NUMBER_END >> self.below(53);
        self.below(end)
    }

    fn small(&mut self) -> u32 {
        u32::try_from(self.draw() >> 32).unwrap() >> self.below(32)
    }

    fn text(&mut self, least: u64) -> String {
        let characters = ['a', '"', '\\', '/', ' ', 'é', '\u{1f600}', '\u{2028}', '<'];
        let length = least + self.below(20);
        (0..length).map(|_| characters[usize::try_from(self.below(9)).unwrap()]).collect()
    }

    fn name(&mut self) -> Name {
        Name::parse(&self.text(1)).unwrap()
    }

    fn session_name(&mut self) -> SessionName {
        SessionName::parse(&self.text(0)).unwrap()
    }

    fn id(&mut self) -> SessionId {
        SessionId(std::array::from_fn(|_| self.draw().to_le_bytes()[3]))
    }

    fn ttl(&mut self) -> Ttl {
        Ttl::new(50 + i64::from(self.small() % 86_000_000)).unwrap()
    }

    /// Texts with control characters, and what is no text.
    fn data(&mut self) -> Data {
        let length = self.below(40);
        let ends = [128, 256];
        let end = ends[usize::from(self.flag())];
        let bytes: Vec<u8> = (0..length).map(|_| u8::try_from(self.below(end)).unwrap()).collect();
        Data::new(&bytes).unwrap()
    }

    fn wait(&mut self) -> Option<WaitTimeout> {
        match self.below(3) {
            0 => None,
            1 => Some(WaitTimeout::Session),
            _ => Some(WaitTimeout::Ms(1 + self.small() % WAIT_MAX_MS)),
        }
    }

    fn maybe<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| draw(self))
    }

    fn fence(&mut self) -> Fence {
        Fence(self.number())
    }

    fn figures(&mut self) -> Figures {
        let kinds = [None, Some(Kind::Lock), Some(Kind::Tickets)];
        let kind = kinds[usize::try_from(self.below(3)).unwrap()];
        Figures { kind, free: self.small(), held: self.small(), waiting: self.small() }
    }

    fn lock(&mut self) -> LockGrant {
        LockGrant { resource: self.name(), fence: self.fence(), waiting: self.small() }
    }

    fn ticket(&mut self) -> GivenTicket {
        GivenTicket {
            resource: self.name(),
            ticket: self.name(),
            data: self.data(),
            fence: self.fence(),
            issuer: self.session_name(),
        }
    }

    fn info(&mut self) -> Arc<SessionInfo> {
        let (id, name, ttl) = (self.id(), self.session_name(), self.ttl());
        Arc::new(SessionInfo { id, name, ttl, source: "here".into() })
    }
}

/// How many of each are drawn.
const TURNS: u32 = 300;

fn ops(dice: &mut Dice) -> Vec<Op> {
    let who = if dice.flag() {
        Who::New { name: dice.session_name(), ttl: dice.ttl() }
    } else {
        Who::Known { session: dice.maybe(Dice::id), attempt: dice.maybe(Dice::number) }
    };
    let token = dice.flag().then(|| ShownToken("tkd_\"x\u{e9}".into()));
    let hello = Hello { beat: dice.flag(), who, token };
    let (resource, ticket) = (dice.name(), dice.name());
    let both = || (resource.clone(), ticket.clone());
    let mut ops = vec![Op::Hello(hello), Op::Beat, Op::Session, Op::Bye];
    ops.push(Op::Lock { resource: both().0, wait: dice.wait() });
    ops.push(Op::Unlock { resource: both().0, fence: dice.maybe(Dice::fence) });
    let named = dice.maybe(|_| both().1);
    ops.push(Op::Claim { resource: both().0, ticket: named, wait: dice.wait() });
    let (resource, ticket) = both();
    ops.push(Op::Release { resource, ticket, fence: dice.maybe(Dice::fence) });
    let (resource, ticket) = both();
    ops.push(Op::Issue { resource, ticket, data: dice.data(), notify: dice.flag() });
    let (resource, ticket) = both();
    ops.push(Op::Revoke { resource, ticket });
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
        Response::Lock { fence: dice.fence(), waiting: dice.small() },
        Response::Ticket(dice.ticket()),
        Response::Queued { wait: WaitId(dice.number()), position: dice.small() },
        Response::NotGranted,
        Response::Released(dice.flag()),
        Response::Cancelled(dice.flag()),
        Response::Watching(dice.figures()),
    ]);
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
    let reasons = [LossReason::Revoked, LossReason::IssuerGone, LossReason::Released];
    let reason = reasons[usize::try_from(dice.below(3)).unwrap()];
    let (resource, ticket, session) = (dice.name(), dice.name(), dice.session_name());
    let fence = dice.fence();
    let of = || (resource.clone(), ticket.clone(), session.clone());
    let mut all = vec![
        E::LockGranted { wait, grant: dice.lock() },
        E::TicketGranted { wait, ticket: dice.ticket() },
        E::LockWanted { resource: of().0, waiting: dice.small() },
        E::LockLost { resource: of().0, fence },
        E::WaitEnded { wait, resource: of().0, reason: WaitEndReason::Forbidden },
        E::WatchEnded { resource: of().0 },
        E::TokenExpiring { left_ms: 7 },
        E::TicketAvailable { resource: of().0, free: dice.small() },
        E::LockAvailable { resource: of().0 },
        E::ResourceChanged { resource: of().0, figures: dice.figures() },
        E::Beat,
        E::GoingAway { after_ms: dice.small() },
        E::TicketUpdated { resource: of().0, ticket: of().1, data: dice.data(), fence },
        E::TicketRevoked { resource: of().0, ticket: of().1, fence, reason },
    ];
    let (resource, ticket, session) = of();
    all.push(E::TicketClaimed { resource, ticket, session, fence });
    let (resource, ticket, session) = of();
    all.push(E::TicketReleased { resource, ticket, session, fence });
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
fn state(dice: &mut Dice, many: u32) -> SessionState {
    let mut grants = Vec::new();
    for _ in 0..many {
        grants.push(Grant::Lock(dice.lock()));
        let GivenTicket { resource, ticket, data, fence, .. } = dice.ticket();
        let (issuer, claimant) = (dice.info(), dice.info());
        let grant = TicketGrant { resource, ticket, data, fence, issuer, claimant };
        grants.push(Grant::Ticket(grant));
    }
    let kind = |dice: &mut Dice| if dice.flag() { Kind::Lock } else { Kind::Tickets };
    let wait = |dice: &mut Dice| WaitState {
        wait: WaitId(dice.number()),
        resource: dice.name(),
        kind: kind(dice),
        ticket: dice.maybe(Dice::name),
        position: dice.small(),
        timeout: WaitTimeout::Session,
    };
    let watch = |dice: &mut Dice| WatchState {
        resource: dice.name(),
        changes: dice.flag(),
        figures: dice.figures(),
    };
    let issued = |dice: &mut Dice| IssuedState {
        resource: dice.name(),
        ticket: dice.name(),
        claimed: dice.flag(),
    };
    SessionState {
        info: dice.info(),
        holds: grants,
        waits: (0..many).map(|_| wait(dice)).collect(),
        watches: (0..many).map(|_| watch(dice)).collect(),
        issued: (0..many).map(|_| issued(dice)).collect(),
    }
}

#[test]
fn a_state_is_read_as_it_was_written_in_as_many_parts_as_it_takes() {
    let mut dice = Dice(17);
    for many in [0, 1, 2, 300, 900] {
        let state = state(&mut dice, many);
        let expected = StateLists {
            holds: state.holds.iter().cloned().map(HoldState::from).collect(),
            waits: state.waits.iter().cloned().map(Place::from).collect(),
            watches: state.watches.clone(),
            issued: state.issued.clone(),
        };
        let info = state.info.clone();
        let frames = StateFrames::new(Some(3), state, SessionRef([1; 8]), true, "e", 7);
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
        let head = StateHead {
            session: info.id,
            session_ref: Some(SessionRef([1; 8])),
            name: info.name.clone(),
            ttl: info.ttl,
            resumed: true,
            epoch: "e".into(),
            ping_ms: 7,
        };
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
