//! Random frames over a real socket, one by one: each is answered, or closes the socket, as what
//! it is tells. A neighbour goes about its business meanwhile.

use serde_json::{Value, json};
use ticketd::wire::socket::{FRAME_MAX_BYTES, NoObject, Op, read};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::draw;
use crate::faults::Seed;
use crate::faults::line::{Heard, Line};
use crate::rng::Rng;
use crate::support::{Served, in_time};

/// Frames that are sent to a session.
const FRAMES: usize = 5000;
/// First frames of sockets.
const FIRST_FRAMES: usize = 500;

/// A session that holds a lock, and locks, asks and unlocks while others send garbage.
pub(super) struct Neighbour {
    tell: watch::Sender<bool>,
    life: JoinHandle<u64>,
}

impl Neighbour {
    pub(super) async fn start(server: &Served) -> Self {
        let (mut line, session) = Line::open(server.address, "neighbour").await;
        let held = line.ask(json!({"op": "lock", "resource": "neighbour's"})).await.expect("free");
        let (tell, enough) = watch::channel(false);
        let life = tokio::spawn(async move {
            let mut rounds = 0;
            while !*enough.borrow() {
                let lock = json!({"op": "lock", "resource": "neighbour's too"});
                let granted = line.ask(lock).await.expect("granted");
                assert_eq!(granted["granted"], true);
                let state = line.ask(json!({"op": "session"})).await.expect("a state");
                assert_eq!(state["session"], session);
                let fences: Vec<&Value> = state["holds"]
                    .as_array()
                    .expect("holds")
                    .iter()
                    .map(|hold| &hold["fence"])
                    .collect();
                assert_eq!(fences, [&held["fence"], &granted["fence"]]);
                let unlock = json!({"op": "unlock", "resource": "neighbour's too"});
                line.ask(unlock).await.expect("unlocked");
                rounds += 1;
            }
            assert!(line.events.is_empty(), "{:?}", line.events);
            line.ask(json!({"op": "bye"})).await.expect("a good end");
            assert_eq!(line.end().await, Some(1000));
            rounds
        });
        Self { tell, life }
    }

    /// How often it went round undisturbed.
    pub(super) async fn end(self) -> u64 {
        self.tell.send(true).expect("it lives");
        let rounds = in_time(self.life).await.expect("it was not disturbed");
        assert!(rounds > 0);
        rounds
    }
}

/// What comes of a frame: the answer, or the code of the close.
async fn outcome(line: &mut Line, text: &str) -> Result<Value, Option<u16>> {
    if line.send(text.to_owned()).await.is_err() {
        return Err(None);
    }
    loop {
        match in_time(line.hear()).await {
            Heard::Json(value) if value.get("event").is_some() => {}
            Heard::Json(value) => return Ok(value),
            Heard::Closed(code) => return Err(Some(code)),
            Heard::Cut => return Err(None),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_answered_or_closes_the_socket_and_disturbs_nobody() {
    let seed = Seed::or(4);
    let mut rng = Rng::new(seed.0);
    let server = Served::start().await;
    let neighbour = Neighbour::start(&server).await;
    let (mut line, mut session) = Line::open(server.address, "garbage").await;
    let (mut answers, mut closes, mut attempt) = (0, 0, 0);
    for n in 0..FRAMES {
        let text = draw::frame(&mut rng);
        let context = || format!("frame {n}: {text:?}");
        let came = outcome(&mut line, &text).await;
        let too_large = text.len() > FRAME_MAX_BYTES;
        match read(&text) {
            read if too_large || read == Err(NoObject) => {
                let code = if too_large { 1009 } else { 4503 };
                assert_eq!(came, Err(Some(code)), "{}", context());
                closes += 1;
                attempt += 1;
                line = in_time(Line::connect(server.address)).await.expect("a socket");
                let hello = json!({"op": "hello", "session": session, "attempt": attempt});
                line.ask(hello).await.expect("the session lives on");
            }
            Err(NoObject) => unreachable!("said above"),
            Ok(request) => {
                let answer = came.unwrap_or_else(|end| panic!("{end:?} to {}", context()));
                assert_eq!(answer["id"], json!(request.id), "{}", context());
                let code = answer["error"]["code"].as_str();
                assert_eq!(code.is_some(), answer.get("ok").is_none(), "{answer}: {}", context());
                match request.op {
                    Err(problem) => assert_eq!(code, Some(problem.code.as_str()), "{}", context()),
                    Ok(Op::Hello(_)) => assert_eq!(code, Some("bad-request"), "{}", context()),
                    Ok(Op::Bye) => {
                        assert_eq!(line.end().await, Some(1000), "{}", context());
                        (line, session) = Line::open(server.address, "garbage").await;
                        attempt = 0;
                    }
                    Ok(_) => {}
                }
                answers += 1;
            }
        }
    }
    assert!(answers > FRAMES / 10 && closes > FRAMES / 10, "the draw is one-sided");
    let rounds = neighbour.end().await;
    println!("{FRAMES} frames: {answers} answers, {closes} closes; {rounds} rounds next door");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_frame_that_is_no_hello_closes_the_socket() {
    let seed = Seed::or(5);
    let mut rng = Rng::new(seed.0);
    let server = Served::start().await;
    let neighbour = Neighbour::start(&server).await;
    let twice = r#"{"id":1,"op":"beat","ttl":1,"op":"hello"}"#.to_owned();
    for n in 0..FIRST_FRAMES {
        let text = if n == 0 { twice.clone() } else { draw::frame(&mut rng) };
        let mut line = in_time(Line::connect(server.address)).await.expect("a socket");
        let came = outcome(&mut line, &text).await;
        let context = format!("frame {n}: {text:?}");
        let tree = serde_json::from_str::<Value>(&text).ok();
        match read(&text) {
            _ if text.len() > FRAME_MAX_BYTES => assert_eq!(came, Err(Some(1009)), "{context}"),
            Err(NoObject) => assert_eq!(came, Err(Some(4503)), "{context}"),
            Ok(request) => match request.op {
                Ok(Op::Hello(_)) => assert_eq!(came.expect("an answer")["id"], json!(request.id)),
                Err(problem) if tree.as_ref().is_some_and(|tree| tree["op"] == "hello") => {
                    let answer = came.unwrap_or_else(|end| panic!("{end:?} to {context}"));
                    assert_eq!(answer["id"], json!(request.id), "{context}");
                    assert_eq!(answer["error"]["code"], problem.code.as_str(), "{context}");
                    // Another may be tried.
                    line.greet("after all").await;
                }
                // It cannot be read as a tree: perhaps it was meant as a hello, perhaps not.
                Err(_) if tree.is_none() => {
                    assert!(matches!(came, Ok(_) | Err(Some(4500))), "{came:?} to {context}");
                }
                Ok(_) | Err(_) => assert_eq!(came, Err(Some(4500)), "{context}"),
            },
        }
    }
    neighbour.end().await;
    server.stop().await;
}
