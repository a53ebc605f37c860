//! What is written of locks and tickets in full. What says nothing of them is written as it was
//! before: the samples of before hold that.

use ticketd::log::codec::{Reader, decode_command, encode_command};
use ticketd::machine::{
    Command, Conduct, Data, DelayId, DelaySnapshot, Fence, HoldSnapshot, LockAsk, Mode, Note,
    Parting, PauseSnapshot, Reach, SessionId, SessionName, Snapshot, SnapshotParty, TicketSnapshot,
    TicketTerms, Ttl, WaitOrigin, WaitRequest, WaitSnapshot, WaitTimeout,
};

use super::first_version::snapshot;
use super::samples::{decode, encode, name, sample};

const SESSION: SessionId = SessionId(*b"twenty bytes of ksui");
const CLOCK_MS: u64 = 1_800_000_000_042;

fn data() -> Option<Data> {
    Data::new(&[0, 255, b'x'])
}

fn note() -> Option<Note> {
    Note::parse("no paper\nü").ok()
}

fn wish() -> Option<WaitRequest> {
    Some(WaitRequest { origin: WaitOrigin::Socket, timeout: WaitTimeout::Ms(128) })
}

/// What sessions say of themselves and of tickets.
fn of_tickets() -> Vec<Command> {
    let (session, resource, ticket, fence) = (SESSION, name("jobs"), name("t1"), Some(Fence(300)));
    let issue = |notify, terms| {
        let (resource, ticket, data) = (resource.clone(), ticket.clone(), data());
        let data = data.expect("is short");
        Command::Issue { session, resource, ticket, data, notify, terms }
    };
    let all = TicketTerms {
        stay: true,
        only_new: true,
        priority: 9,
        delay_ms: 30 * 86_400_000,
        attempts: Some(1000),
        hold_ms: Some(86_400_000),
    };
    let revoke = |reach| {
        let (resource, ticket) = (resource.clone(), ticket.clone());
        Command::Revoke { session, resource, ticket, reach, fence }
    };
    let release = |fence, by_socket, parting| {
        let (resource, ticket) = (resource.clone(), ticket.clone());
        Command::Release { session, resource, ticket, fence, by_socket, parting }
    };
    let claim = |ticket, wait_request, again| {
        let (resource, hold_ms) = (resource.clone(), Some(100));
        Command::Claim { session, resource, ticket, wait_request, again, hold_ms }
    };
    let touch = |fence, hold_ms| {
        let (resource, ticket) = (resource.clone(), ticket.clone());
        Command::Touch { session, resource, ticket, fence, hold_ms }
    };
    let first = |wait, hold_ms| {
        let resources = vec![name("jobs"), name("mail"), name("ü")];
        Command::ClaimFirst { session, resources, wait, hold_ms }
    };
    let delayed = Parting { delay_ms: 1, note: note(), dead: true, untried: true };
    vec![
        issue(false, TicketTerms { priority: 1, ..TicketTerms::default() }),
        issue(true, all),
        revoke(Reach::Any),
        revoke(Reach::IssuedOrClaimed),
        revoke(Reach::Issued),
        claim(None, None, true),
        claim(Some(ticket.clone()), wish(), false),
        first(None, None),
        first(Some(WaitTimeout::Session), Some(30_000)),
        first(Some(WaitTimeout::Ms(86_400_000)), None),
        touch(None, None),
        touch(fence, Some(100)),
        release(None, false, Parting { untried: true, ..Parting::default() }),
        release(fence, true, delayed),
        Command::Revive { session: None, resource: resource.clone(), ticket: None },
        Command::Revive { session: Some(session), resource, ticket: Some(ticket) },
    ]
}

/// The rest.
fn of_others() -> Vec<Command> {
    let (session, resource, ticket, fence) = (SESSION, name("db"), name("t1"), Some(Fence(300)));
    let open = |conduct| {
        let (name, ttl) = (SessionName::parse("w").expect("a name"), Ttl::new(50).expect("a ttl"));
        Command::Open { session, name, ttl, source: "::1".into(), conduct }
    };
    let lock = |wait_request, ask| {
        let resource = resource.clone();
        Command::Lock { session, resource, wait_request, ask }
    };
    let force = |by, ticket, fence| Command::Force { by, resource: name("db"), ticket, fence };
    let pause = |session, paused| Command::Pause { session, resource: name("db"), paused };
    let take_back = |ticket| {
        let (resource, fence) = (resource.clone(), Fence(1));
        Command::TakeBack { session, resource, ticket, fence }
    };
    let (mode, steal) = (Mode::Shared, true);
    vec![
        open(Conduct { delay_ms: 60_000, blocking: false }),
        open(Conduct { delay_ms: 0, blocking: true }),
        Command::Close { session, by_other: true },
        lock(None, LockAsk { steal, ..LockAsk::default() }),
        lock(wish(), LockAsk { mode, data: data(), ..LockAsk::default() }),
        lock(None, LockAsk { data: Data::new(b""), fence, ..LockAsk::default() }),
        force(None, None, None),
        force(Some(session), Some(ticket.clone()), fence),
        take_back(None),
        take_back(Some(ticket)),
        Command::EndHolds { fences: vec![Fence(1), Fence((1 << 53) - 1)] },
        Command::EndLost { fences: vec![] },
        Command::Ripen { delays: vec![DelayId(1), DelayId(128)] },
        pause(None, true),
        pause(Some(session), false),
        Command::Serve { resource },
        Command::Clock { ms: CLOCK_MS },
    ]
}

/// What a snapshot has of all this.
fn full_snapshot() -> Snapshot {
    let (one, gone) = (SessionId([1; 20]), SessionName::parse("gone").expect("a name"));
    let mut full = snapshot();
    full.clock_ms = CLOCK_MS;
    full.sessions[0].conduct = Conduct { delay_ms: 1, blocking: true };
    let jobs = &mut full.resources[0];
    jobs.pause = PauseSnapshot::Paused;
    let plain = jobs.tickets[0].clone();
    let lost = HoldSnapshot {
        holder: SnapshotParty::Gone(gone.clone()),
        fence: Fence(7),
        since_ms: CLOCK_MS,
        mode: Mode::Exclusive,
        data: None,
        hold_ms: Some(60_000),
    };
    let stays = TicketTerms { stay: true, priority: 9, ..TicketTerms::default() };
    let delay = DelaySnapshot { delay: DelayId(3), delay_ms: 5000, until_ms: CLOCK_MS + 5000 };
    jobs.tickets.extend([
        TicketSnapshot { name: name("delayed"), delay: Some(delay), number: 8, ..plain.clone() },
        TicketSnapshot { name: name("dead"), dead: true, attempts: 300, ..plain.clone() },
        TicketSnapshot {
            name: name("lost"),
            issuer: SnapshotParty::Gone(gone),
            claim: Some(lost.clone()),
            terms: TicketTerms { attempts: Some(1), hold_ms: Some(100), ..stays },
            note: note(),
            ..plain
        },
    ]);
    jobs.waits[0].since_ms = CLOCK_MS;
    let wait = jobs.waits[1].clone();
    jobs.waits.push(WaitSnapshot { hold_ms: Some(100), of_several: Some(31), ..wait });
    let db = &mut full.resources[1];
    db.pause = PauseSnapshot::Serving;
    let (mode, since_ms, hold_ms) = (Mode::Shared, 1, None);
    let shared = HoldSnapshot { mode, since_ms, hold_ms, data: data(), ..lost };
    let holder = SnapshotParty::Here(one);
    db.locks = vec![shared.clone(), HoldSnapshot { holder, fence: Fence(8), ..shared }];
    let wait = full.resources[0].waits[0].clone();
    let reader = WaitSnapshot { mode, data: data(), since_ms: 0, ..wait };
    full.resources[1].waits.push(reader);
    full
}

/// Locks and tickets are written in full since 0.4, where something of that is used.
#[test]
fn locks_and_tickets_in_full_are_read() {
    let (commands, snapshot) = ([of_tickets(), of_others()].concat(), full_snapshot());
    let bytes = |command: &Command| {
        let mut bytes = Vec::new();
        encode_command(command, &mut bytes);
        bytes
    };
    let encoded: Vec<_> = commands.iter().map(bytes).chain(encode(&snapshot)).collect();
    let sample = sample("journal-v1.full.hex", &encoded);
    assert_eq!(encoded, sample);
    let (read, image) = sample.split_at(commands.len());
    for (bytes, command) in read.iter().zip(commands) {
        let mut from = Reader::new(bytes);
        assert_eq!(decode_command(&mut from), Ok(command));
        assert!(from.is_empty());
    }
    assert_eq!(decode(image), snapshot);
}
