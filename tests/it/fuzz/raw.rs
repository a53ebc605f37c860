//! What RFC 6455 does not allow, or allows and nobody does: sent byte by byte.

use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::garbage::Neighbour;
use crate::faults::Seed;
use crate::faults::line::{Heard, Line};
use crate::rng::Rng;
use crate::support::{Served, in_time};

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;

/// Most bytes of a message.
const MESSAGE_MAX: usize = 64 * 1024;
/// So many of whatever is tiny.
const MANY: usize = 100_000;
/// Sockets that are sent random bytes.
const NOISES: usize = 400;

/// A frame, masked with zeros as a client's must be masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let length = payload.len();
    if let Ok(short @ 0..126) = u8::try_from(length) {
        bytes.push(0x80 | short);
    } else if let Ok(medium) = u16::try_from(length) {
        bytes.push(0x80 | 126);
        bytes.extend(medium.to_be_bytes());
    } else {
        bytes.push(0x80 | 127);
        bytes.extend((length as u64).to_be_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

fn text(payload: &str) -> Vec<u8> {
    frame(FINAL | TEXT, payload.as_bytes())
}

/// An object of so many bytes.
fn object(length: usize) -> String {
    let head = r#"{"id":1,"op":"beat","x":""#;
    format!("{head}{}\"}}", "x".repeat(length - head.len() - 2))
}

/// What the server says to bytes: the ids that it answers, then the code that it closes with.
async fn said_to(server: &Served, bytes: &[u8]) -> (Vec<Option<u64>>, Option<u16>) {
    let (mut line, _) = Line::open(server.address, "raw").await;
    // It may close before all is sent.
    let _ = in_time(line.socket.get_mut().write_all(bytes)).await;
    let mut ids = Vec::new();
    loop {
        match in_time(line.hear()).await {
            Heard::Json(answer) => ids.push(answer["id"].as_u64()),
            Heard::Closed(code) => return (ids, Some(code)),
            Heard::Cut => return (ids, None),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_rfc_forbids_closes_the_socket() {
    let server = Served::start().await;
    let neighbour = Neighbour::start(&server).await;
    let beat = text(r#"{"id":1,"op":"beat"}"#);
    let part = |first: u8, payload: &str| frame(first, payload.as_bytes());
    let unmasked = [&[FINAL | TEXT, 2][..], b"{}"].concat();
    let huge = [&[FINAL | TEXT, 0x80 | 127][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
    let pieces = |first: u8, count: usize| {
        let rest = frame(CONTINUATION, &[b' '; 1000]).repeat(count);
        [part(first, "{"), rest, part(FINAL, "}")].concat()
    };
    for (what, bytes, code) in [
        ("a binary frame", frame(FINAL | BINARY, b"{}"), 4503),
        ("a binary message in pieces", pieces(BINARY, 3), 4503),
        ("text that is not UTF-8", frame(FINAL | TEXT, b"{\"id\":1,\"op\":\"\xff\"}"), 4503),
        ("no object", text("[1]"), 4503),
        ("nothing", text(""), 4503),
        ("two objects in one frame", text("{}{}"), 4503),
        ("an object one byte too large", text(&object(MESSAGE_MAX + 1)), 1009),
        ("a length of 2^64-1", huge, 1009),
        ("pieces that are too large together", pieces(TEXT, 70), 1009),
        ("a frame without a mask", unmasked, 4503),
        ("a reserved bit", part(FINAL | 0x40 | TEXT, "{}"), 4503),
        ("a reserved opcode", part(FINAL | 3, "{}"), 4503),
        ("a reserved control opcode", part(FINAL | 11, ""), 4503),
        ("a continuation of nothing", part(FINAL | CONTINUATION, "{}"), 4503),
        ("text within text", [part(TEXT, "{"), part(FINAL | TEXT, "}")].concat(), 4503),
        ("a ping in pieces", part(PING, "x"), 4503),
        ("a ping of 126 bytes", frame(FINAL | PING, &[0; 126]), 4503),
    ] {
        let bytes = [&beat[..], &bytes].concat();
        let (ids, closed) = said_to(&server, &bytes).await;
        assert_eq!((ids.as_slice(), closed), (&[Some(1)][..], Some(code)), "{what}");
    }
    neighbour.end().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_rfc_allows_is_answered() {
    let server = Served::start().await;
    let piece = |first: u8, payload: &str| frame(first, payload.as_bytes());
    let in_pieces = [
        piece(TEXT, r#"{"id":2,"#),
        frame(FINAL | PING, b"between"),
        piece(CONTINUATION, ""),
        frame(FINAL | PONG, b"unasked"),
        piece(CONTINUATION, r#""op":"be"#),
        piece(FINAL | CONTINUATION, r#"at"}"#),
    ];
    let letters = r#"{"id":3,"op":"beat","x":"é"}"#.as_bytes();
    let mut letter_by_letter = frame(TEXT, &letters[..1]);
    for letter in letters[1..].chunks(1) {
        letter_by_letter.extend(frame(CONTINUATION, letter));
    }
    letter_by_letter.extend(frame(FINAL | CONTINUATION, b""));
    let largest = text(&object(MESSAGE_MAX));
    let bytes = [in_pieces.concat(), letter_by_letter, largest, text("[]")].concat();
    let (ids, code) = said_to(&server, &bytes).await;
    assert_eq!((ids, code), (vec![Some(2), Some(3), Some(1)], Some(4503)));
    server.stop().await;
}

/// Answers to what came before nonsense are not lost with the socket, however many they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_nonsense_is_answered() {
    let server = Served::start().await;
    for count in [1, 100, 400, 500, 2000] {
        let mut bytes: Vec<u8> = Vec::new();
        for id in 0..count {
            bytes.extend(text(&format!(r#"{{"id":{id},"op":"lock","resource":"r{count}"}}"#)));
        }
        bytes.extend(frame(FINAL | BINARY, b""));
        let (ids, code) = said_to(&server, &bytes).await;
        let expected: Vec<Option<u64>> = (0..count).map(Some).collect();
        assert_eq!((ids.len(), code), (expected.len(), Some(4503)));
        assert_eq!(ids, expected);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_tiny_frames_are_borne() {
    let server = Served::start().await;
    let neighbour = Neighbour::start(&server).await;
    let nothing = frame(CONTINUATION, b"").repeat(MANY);
    let one_message =
        [frame(TEXT, b""), nothing, frame(FINAL | CONTINUATION, b"{}"), text("[]")].concat();
    let (ids, code) = said_to(&server, &one_message).await;
    assert_eq!((ids.as_slice(), code), (&[None][..], Some(4503)), "one message in pieces");

    let pings = [frame(FINAL | PING, b"").repeat(MANY), frame(FINAL | PONG, b"").repeat(MANY)];
    let (mut line, _) = Line::open(server.address, "pings").await;
    in_time(line.socket.get_mut().write_all(&pings.concat())).await.expect("taken in");
    line.ask(json!({"op": "session"})).await.expect("an answer behind the pongs");

    let (line, _) = Line::open(server.address, "objects").await;
    let (mut read, mut write) = {
        let Line { socket, .. } = line;
        tokio::io::split(socket.into_inner())
    };
    let sending = tokio::spawn(async move {
        write.write_all(&text("{}").repeat(MANY)).await.expect("taken in");
        write.write_all(&text("nonsense")).await.expect("taken in");
        write
    });
    let mut said = Vec::new();
    let all = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut said);
    in_time(all).await.expect("all answers");
    sending.await.expect("all was sent");
    let text = String::from_utf8_lossy(&said);
    assert_eq!(text.matches(r#""code":"bad-request""#).count(), MANY);
    neighbour.end().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_end_the_socket_soon() {
    let seed = Seed::or(6);
    let mut rng = Rng::new(seed.0);
    let server = Served::start().await;
    let neighbour = Neighbour::start(&server).await;
    let mut codes = std::collections::BTreeMap::new();
    for n in 0..NOISES {
        let mut line = in_time(Line::connect(server.address)).await.expect("a socket");
        if rng.chance(1, 2) {
            line.greet("noise").await;
        }
        let mut noise: Vec<u8> =
            (0..1 + rng.below(2000)).map(|_| rng.next().to_le_bytes()[0]).collect();
        if rng.chance(1, 2) {
            // Something that looks like the head of a frame.
            noise[0] = FINAL | TEXT;
            if let Some(second) = noise.get_mut(1) {
                *second |= 0x80;
            }
        }
        let stream = line.socket.get_mut();
        // It may close before all is sent.
        let sent = stream.write_all(&noise).await.is_ok() && stream.shutdown().await.is_ok();
        let code = match in_time(line.hear()).await {
            Heard::Json(answer) => panic!("noise {n}: {answer}"),
            Heard::Closed(code) => Some(code),
            Heard::Cut => None,
        };
        assert!(matches!(code, None | Some(1009 | 4503)), "noise {n}: {code:?}, sent: {sent}");
        *codes.entry(code).or_insert(0) += 1;
    }
    println!("ends: {codes:?}");
    neighbour.end().await;
    server.stop().await;
}
