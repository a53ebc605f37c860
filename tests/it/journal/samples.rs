//! What version 1 wrote. Every later build must read these samples as they are; they are never
//! rewritten, only joined by those of a later version. (`UPDATE_GOLDEN=1` writes one that is
//! missing.)

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use ticketd::log::codec::{
    CHUNK_BYTES, Reader, SnapshotReader, decode_command, encode_command, encode_snapshot,
};
use ticketd::machine::{
    Command, Conduct, Data, LockAsk, Name, NodeId, RequestId, SessionId, SessionName,
    SessionSnapshot, Snapshot, TicketSnapshot, Ttl, WaitId, WaitOrigin, WaitRequest, WaitTimeout,
};

use super::first_version::{commands, info, snapshot};
use super::support::machine_of;
use crate::random;

#[test]
fn every_command_of_version_1_is_read() {
    let expected = commands();
    let encoded: Vec<Vec<u8>> = expected
        .iter()
        .map(|command| {
            let mut bytes = Vec::new();
            encode_command(command, &mut bytes);
            bytes
        })
        .collect();
    let sample = sample("journal-v1.commands.hex", &encoded);
    let read: Vec<Command> = sample
        .iter()
        .map(|bytes| {
            let mut from = Reader::new(bytes);
            let command = decode_command(&mut from).expect("is a command");
            assert!(from.is_empty());
            command
        })
        .collect();
    assert_eq!(read, expected);
    assert_eq!(encoded, sample, "version 1 is written differently; make it version 2");
}

#[test]
fn an_image_of_version_1_is_read() {
    let expected = snapshot();
    let encoded = encode(&expected);
    let sample = sample("journal-v1.image.hex", &encoded);
    assert_eq!(decode(&sample), expected);
    assert_eq!(encoded, sample, "version 1 is written differently; make it version 2");
}

/// Sessions are condemned since 0.2: written into files of version 1, which older builds refuse.
#[test]
fn the_condemned_are_read() {
    let session = SessionId(*b"twenty bytes of ksui");
    let command = Command::Condemn { sessions: vec![session, SessionId([0; 20])] };
    let mut snapshot = snapshot();
    let condemned = SessionSnapshot { condemned: true, ..info(SessionId([3; 20]), "c", 50, "") };
    snapshot.sessions.insert(1, condemned);
    let mut bytes = Vec::new();
    encode_command(&command, &mut bytes);
    let encoded: Vec<_> = std::iter::once(bytes).chain(encode(&snapshot)).collect();
    let sample = sample("journal-v1.condemned.hex", &encoded);
    assert_eq!(encoded, sample);
    assert_eq!(decode_command(&mut Reader::new(&sample[0])), Ok(command));
    assert_eq!(decode(&sample[1..]), snapshot);
}

/// What only servers that share a log write.
#[test]
fn the_nodes_are_read() {
    let (node, alone) = (NodeId(1 << 40), RequestId::alone(7));
    let request = RequestId { node, n: 7 };
    let session = SessionId(*b"twenty bytes of ksui");
    let lock = |timeout| {
        let wait_request = Some(WaitRequest { origin: WaitOrigin::Request(request), timeout });
        Command::Lock { session, resource: name("db"), wait_request, ask: LockAsk::default() }
    };
    let commands = [
        Command::Join { node },
        Command::Leave { node },
        Command::Bury { node },
        Command::Bury { node: NodeId::ALONE },
        Command::Withdraw { wait: WaitId(128), request },
        lock(WaitTimeout::Ms(1)),
        lock(WaitTimeout::Session),
    ];
    let mut snapshot = snapshot();
    snapshot.nodes = vec![NodeId(1), node];
    snapshot.resources[0].waits[0].requests = vec![alone, request];
    let bytes = |command: &Command| {
        let mut bytes = Vec::new();
        encode_command(command, &mut bytes);
        bytes
    };
    let encoded: Vec<_> = commands.iter().map(bytes).chain(encode(&snapshot)).collect();
    let sample = sample("journal-v1.nodes.hex", &encoded);
    assert_eq!(encoded, sample);
    let (read, image) = sample.split_at(commands.len());
    for (bytes, command) in read.iter().zip(commands) {
        let mut from = Reader::new(bytes);
        assert_eq!(decode_command(&mut from), Ok(command));
        assert!(from.is_empty());
    }
    assert_eq!(decode(image), snapshot);
}

/// The requests of a node that is gone wait no more; those of others stay, and so does a place that
/// somebody else shares.
#[test]
fn a_node_takes_its_requests_along() {
    let node = NodeId(3);
    let ask = |session, origin| Command::Lock {
        session,
        resource: name("db"),
        wait_request: Some(WaitRequest { origin, timeout: WaitTimeout::Ms(1000) }),
        ask: LockAsk::default(),
    };
    let sessions = [1, 2, 3].map(|n| SessionId([n; 20]));
    let open = |session| Command::Open {
        session,
        name: SessionName::parse("worker").expect("is a name"),
        ttl: Ttl::new(1000).expect("is a ttl"),
        source: "here".into(),
        conduct: Conduct::default(),
    };
    let [holder, one, two] = sessions;
    for gone in [Command::Leave { node }, Command::Bury { node }] {
        let mut commands = vec![Command::Join { node }];
        commands.extend(sessions.map(open));
        commands.push(Command::Lock {
            session: holder,
            resource: name("db"),
            wait_request: None,
            ask: LockAsk::default(),
        });
        commands.push(ask(one, WaitOrigin::Request(RequestId { node, n: 1 })));
        commands.push(ask(two, WaitOrigin::Request(RequestId { node, n: 2 })));
        commands.push(ask(two, WaitOrigin::Request(RequestId::alone(2))));
        let before = machine_of(&commands).snapshot();
        assert_eq!((before.nodes, before.resources[0].waits.len()), (vec![node], 2));
        commands.push(gone);
        let machine = machine_of(&commands);
        machine.check();
        let after = machine.snapshot();
        assert_eq!(after.nodes, []);
        let waits: Vec<_> = after.resources[0].waits.iter().map(|wait| &wait.requests).collect();
        assert_eq!(waits, [&[RequestId::alone(2)]]);
        assert_eq!(decode(&encode(&after)), after);
    }
}

/// Cut anywhere, no part of a sample passes for a whole.
#[test]
fn cut_samples_are_refused() {
    for command in commands() {
        let mut bytes = Vec::new();
        encode_command(&command, &mut bytes);
        for length in 0..bytes.len() {
            assert!(decode_command(&mut Reader::new(&bytes[..length])).is_err(), "{command:?}");
        }
    }
}

#[test]
fn histories_and_their_images_come_back() {
    for seed in 1..=40 {
        let commands = random::accepted(seed, 300);
        let mut bytes = Vec::new();
        commands.iter().for_each(|command| encode_command(command, &mut bytes));
        let mut from = Reader::new(&bytes);
        for command in &commands {
            assert_eq!(decode_command(&mut from).as_ref(), Ok(command), "seed {seed}");
        }
        assert!(from.is_empty());
        let snapshot = machine_of(&commands).snapshot();
        assert_eq!(decode(&encode(&snapshot)), snapshot, "seed {seed}");
    }
}

/// Items that do not fit into one part go into several, and a part stays near its size.
#[test]
fn large_images_have_several_parts() {
    let mut large = snapshot();
    let ticket = large.resources[0].tickets[0].clone();
    for number in 0..1000 {
        let name = Name::parse(&format!("ticket-{number}")).expect("is a name");
        let data = Data::new(&[7; 1024]).expect("is short enough");
        large.resources[0].tickets.push(TicketSnapshot { name, data, ..ticket.clone() });
    }
    let parts = encode(&large);
    assert!(parts.len() > 10);
    assert!(parts.iter().all(|part| part.len() < CHUNK_BYTES + 2000));
    assert_eq!(decode(&parts), large);
}

pub(super) fn encode(snapshot: &Snapshot) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let encoded = encode_snapshot(snapshot, |part| {
        parts.push(part.to_vec());
        Ok::<_, ()>(())
    });
    assert_eq!(encoded, Ok(()));
    parts
}

pub(super) fn decode(parts: &[Vec<u8>]) -> Snapshot {
    let mut reader = SnapshotReader::new(&parts[0]).expect("is a header");
    for part in &parts[1..] {
        reader.part(part).expect("is a part");
    }
    reader.finish().expect("is complete")
}

/// The lines of a sample; a missing one is written if that is asked for.
pub(super) fn sample(name: &str, now: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !path.exists() {
        let mut text = String::new();
        for bytes in now {
            bytes.iter().for_each(|byte| write!(text, "{byte:02x}").expect("fits"));
            text.push('\n');
        }
        fs::write(&path, text).expect("can be written");
    }
    let text = fs::read_to_string(&path).expect("the sample is there");
    let bytes = |line: &str| {
        let (pairs, _) = line.as_bytes().as_chunks::<2>();
        let byte = |pair: &[u8; 2]| {
            let digits = std::str::from_utf8(pair).expect("is ASCII");
            u8::from_str_radix(digits, 16).expect("is hex")
        };
        pairs.iter().map(byte).collect()
    };
    text.lines().map(bytes).collect()
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).expect("is a name")
}
