//! What is written is read as what it was: every variant, with names and data that JSON writes
//! otherwise than they are.

use super::*;
use crate::machine::{
    Conduct, Data, Fence, Figures, IssuedState, Kind, LockAsk, LockGrant, LossReason, Mode,
    NUMBER_END, Name, Note, Parting, ReleaseReason, SessionId, SessionName, SessionRef, Sought,
    TicketTerms, Ttl, WAIT_MAX_MS, WaitEndReason, WaitId, WaitTimeout,
};
use crate::wire::look::{Look, LookHolder, LookWaiter};
use crate::wire::{Blocked, Code, Holder, Holders, Problem};

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
        Figures {
            kind,
            free: self.small(),
            held: self.small(),
            waiting: self.small(),
            delayed: self.small(),
            dead: self.small(),
            paused: self.flag(),
        }
    }

    fn mode(&mut self) -> Mode {
        if self.flag() { Mode::Shared } else { Mode::Exclusive }
    }

    fn lock(&mut self) -> LockGrant {
        let (resource, fence) = (self.name(), self.fence());
        LockGrant { resource, fence, waiting: self.small(), mode: self.mode() }
    }

    fn ticket(&mut self) -> GivenTicket {
        GivenTicket {
            resource: self.name(),
            ticket: self.name(),
            data: self.data(),
            fence: self.fence(),
            issuer: self.session_name(),
            attempt: self.maybe(Self::small),
            hold_ms: self.maybe(Self::small),
            left_ms: self.maybe(Self::small),
        }
    }

    fn session_ref(&mut self) -> SessionRef {
        SessionRef(self.draw().to_le_bytes())
    }

    fn note(&mut self) -> Note {
        Note::parse(&self.text(1)).unwrap()
    }

    fn names(&mut self) -> Vec<Name> {
        let mut names: Vec<Name> = (0..=self.below(5)).map(|_| self.name()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn sought(&mut self) -> Sought {
        if self.flag() { Sought::One(self.name()) } else { Sought::FirstOf(self.names().into()) }
    }

    fn holder(&mut self) -> Holder {
        Holder {
            session: self.maybe(|dice| (dice.session_name(), dice.session_ref())),
            fence: self.fence(),
            mode: self.mode(),
            data: self.maybe(Self::data),
            left_ms: self.maybe(Self::small),
        }
    }

    fn holders(&mut self) -> Holders {
        let first = (0..self.below(5)).map(|_| self.holder()).collect();
        Holders { first, more: self.flag() }
    }

    fn look(&mut self) -> Look {
        let holder = |dice: &mut Self| LookHolder {
            holder: dice.holder(),
            ticket: dice.maybe(Self::name),
            since_ms: dice.number(),
            attempt: dice.maybe(Self::small),
        };
        let waiter = |dice: &mut Self| LookWaiter {
            session: dice.session_name(),
            session_ref: dice.session_ref(),
            position: dice.small(),
            since_ms: dice.number(),
            kind: dice.kind(),
            mode: dice.mode(),
            ticket: dice.maybe(Self::name),
        };
        Look {
            resource: self.name(),
            figures: self.figures(),
            holders: (0..self.below(4)).map(|_| holder(self)).collect(),
            waiters: (0..self.below(4)).map(|_| waiter(self)).collect(),
            more: self.flag(),
        }
    }

    fn kind(&mut self) -> Kind {
        if self.flag() { Kind::Lock } else { Kind::Tickets }
    }

    fn ask(&mut self) -> LockAsk {
        let data = self.maybe(Self::data);
        if self.flag() {
            return LockAsk { data, steal: true, ..LockAsk::default() };
        }
        LockAsk { mode: self.mode(), data, fence: self.maybe(Self::fence), steal: false }
    }

    fn wish(&mut self) -> ClaimWish {
        ClaimWish { wait: self.wait(), hold_ms: self.hold(), progress: self.flag() }
    }

    fn hold(&mut self) -> Option<u32> {
        self.maybe(|dice| 100 + dice.small() % 86_000_000)
    }

    fn terms(&mut self) -> TicketTerms {
        TicketTerms {
            stay: self.flag(),
            only_new: self.flag(),
            priority: u8::try_from(self.below(10)).unwrap(),
            delay_ms: self.small() % 2_592_000_000,
            attempts: self.maybe(|dice| 1 + u16::try_from(dice.below(1000)).unwrap()),
            hold_ms: self.hold(),
        }
    }

    fn parting(&mut self) -> Parting {
        Parting {
            delay_ms: self.small() % 2_592_000_000,
            note: self.maybe(Self::note),
            dead: self.flag(),
            untried: self.flag(),
        }
    }
}

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
