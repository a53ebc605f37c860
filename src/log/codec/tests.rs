//! Numbers at their bounds, and bytes that are nothing.

use super::*;
use crate::machine::{Command, RequestId, Snapshot, WaitId};

fn number(bytes: &[u8]) -> Result<u64, Bad> {
    Reader::new(bytes).number()
}

#[test]
fn numbers_come_back() {
    for number in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX]
    {
        let mut bytes = Vec::new();
        put_number(number, &mut bytes);
        let mut from = Reader::new(&bytes);
        assert_eq!(from.number(), Ok(number));
        assert!(from.is_empty());
    }
}

/// One value, one form: what was read is written alike.
#[test]
fn numbers_have_one_form() {
    assert_eq!(number(&[0x80, 0]), Err(Bad::Number));
    assert_eq!(number(&[0xff, 0xff, 0]), Err(Bad::Number));
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(number(&[&most[..], &[1]].concat()), Ok(u64::MAX));
    assert_eq!(number(&[&most[..], &[2]].concat()), Err(Bad::Number));
    assert_eq!(number(&[&most[..], &[0x81, 0]].concat()), Err(Bad::Number));
    assert_eq!(number(&[0x80]), Err(Bad::Short));
    assert_eq!(number(&[]), Err(Bad::Short));
}

/// A count is believed only as far as there are bytes.
#[test]
fn counts_allocate_nothing() {
    let mut bytes = vec![4];
    put_number(u64::MAX / 20, &mut bytes);
    assert_eq!(decode_command(&mut Reader::new(&bytes)), Err(Bad::Short));
    let mut bytes = vec![4];
    put_number(u64::MAX, &mut bytes);
    assert_eq!(decode_command(&mut Reader::new(&bytes)), Err(Bad::Short));
}

#[test]
fn values_are_checked() {
    let decode = |bytes: &[u8]| decode_command(&mut Reader::new(bytes));
    assert_eq!(decode(&[0]), Err(Bad::Choice("command", 0)));
    assert_eq!(decode(&[44]), Err(Bad::Choice("command", 44)));
    let with_id = |tag: u8, rest: &[u8]| decode(&[&[tag][..], &[7; 20], rest].concat());
    assert_eq!(with_id(15, &[0]), Err(Bad::Value("name")));
    assert_eq!(with_id(15, &[1, 0xff]), Err(Bad::Value("text")));
    assert_eq!(with_id(14, &[1, b'a', 2]), Err(Bad::Choice("option", 2)));
    assert_eq!(with_id(2, &[1, b'a', 1, 0]), Err(Bad::Value("ttl")));
}

#[test]
fn an_image_has_its_items_in_order() {
    let mut header = Vec::new();
    encode_snapshot(&Snapshot::default(), |bytes| {
        header.extend_from_slice(bytes);
        Ok::<_, Bad>(())
    })
    .unwrap();
    assert_eq!(SnapshotReader::new(&header).unwrap().finish(), Ok(Snapshot::default()));
    assert!(SnapshotReader::new(&header[1..]).is_err());
    assert!(SnapshotReader::new(&[&header[..], &[0]].concat()).is_err());
    // A ticket without a resource before it; an item that is none.
    assert_eq!(SnapshotReader::new(&header).unwrap().part(&[3]), Err(Bad::Order("an item")));
    assert_eq!(SnapshotReader::new(&header).unwrap().part(&[13]), Err(Bad::Choice("item", 13)));
    // One session where none was said.
    let mut reader = SnapshotReader::new(&header).unwrap();
    let item = [&[1][..], &[7; 20], &[0, 50, 0]].concat();
    reader.part(&item).unwrap();
    assert_eq!(reader.finish(), Err(Bad::Value("count of items")));
}

/// No bytes make it panic, and what it accepts it writes alike.
#[test]
fn garbage_is_refused_or_stands() {
    let mut state = 7_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut accepted = 0;
    for _ in 0..100_000 {
        let length = next() % 60;
        let mut bytes: Vec<u8> = (0..length).map(|_| next().to_le_bytes()[0]).collect();
        if let Some(first) = bytes.first_mut() {
            *first %= 44;
        }
        let mut from = Reader::new(&bytes);
        if let Ok(command) = decode_command(&mut from) {
            let mut again = Vec::new();
            encode_command(&command, &mut again);
            let read = bytes.len() - from.rest.len();
            assert_eq!(again, bytes[..read], "{command:?}");
            let same: Result<Command, Bad> = decode_command(&mut Reader::new(&again));
            assert_eq!(same, Ok(command));
            accepted += 1;
        }
        let _ = SnapshotReader::new(&[1, 1, 0, 0, 1, 1]).map(|mut reader| reader.part(&bytes));
    }
    assert!(accepted > 1000, "only {accepted} were commands");
}

/// A request of a server that is alone has one form, also among those of nodes.
#[test]
fn a_request_has_one_form() {
    let withdraw = |bytes: &[u8]| decode_command(&mut Reader::new(bytes));
    assert_eq!(
        withdraw(&[13, 1, 7]),
        Ok(Command::Withdraw { wait: WaitId(1), request: RequestId::alone(7) })
    );
    assert_eq!(withdraw(&[21, 1, 0, 7]), Err(Bad::Value("node")));
}
