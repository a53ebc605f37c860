//! What is written of whose sessions are, and of what those may do who may not do all.

use ticketd::log::codec::{Reader, decode_command, encode_command};
use ticketd::machine::{Command, Owner, Reach, SessionId, WaitId};

use super::first_version::snapshot;
use super::samples::{decode, encode, name, sample};

/// Owners are written since 0.3, where a session has one.
#[test]
fn the_owners_are_read() {
    let session = SessionId(*b"twenty bytes of ksui");
    let subject = Owner::Subject { signer: name("web-app"), sub: name("b@example.org") };
    let principal = Owner::Principal(name("builder"));
    let revoke = |reach| {
        let (resource, ticket) = (name("jobs"), name("t1"));
        Command::Revoke { session, resource, ticket, reach, fence: None }
    };
    let commands = [
        Command::Adopt { session, owner: principal.clone() },
        Command::Adopt { session, owner: subject.clone() },
        revoke(Reach::IssuedOrClaimed),
        revoke(Reach::Issued),
        Command::Forbid { wait: WaitId(128) },
        Command::Blind { session, resource: name("jobs") },
    ];
    let mut snapshot = snapshot();
    snapshot.sessions[0].owner = Some(principal);
    snapshot.sessions[1].owner = Some(subject);
    let bytes = |command: &Command| {
        let mut bytes = Vec::new();
        encode_command(command, &mut bytes);
        bytes
    };
    let encoded: Vec<_> = commands.iter().map(bytes).chain(encode(&snapshot)).collect();
    let sample = sample("journal-v1.owners.hex", &encoded);
    assert_eq!(encoded, sample);
    let (read, image) = sample.split_at(commands.len());
    for (bytes, command) in read.iter().zip(commands) {
        let mut from = Reader::new(bytes);
        assert_eq!(decode_command(&mut from), Ok(command));
        assert!(from.is_empty());
    }
    assert_eq!(decode(image), snapshot);
}
