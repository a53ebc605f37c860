//! A worker in Rust, on the bare protocol: takes a job, works it, is done with it, takes the next.
//!
//! Run: cargo run --example worker
//!
//! The server is at `TICKETD_URL`, else at `http://127.0.0.1:8001`; who we are, if it asks, in
//! `TICKETD_TOKEN`. Jobs come from `issuer.mjs` beside this; start as many workers as you like.
//! Ctrl-C ends the session, so that the job under way goes to the next in line.
//!
//! Two things to copy. A session outlives its socket: after a cut, `hello` takes it over and tells
//! what it has. And while the line is down nobody tells us that the session has ended, so we stop
//! by our own clock, a ttl after the last frame that the server is known to have heard was sent.
#![expect(clippy::print_stdout, reason = "it talks to whoever runs it")]
#![expect(clippy::disallowed_methods, reason = "a client has a clock of its own")]

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::BuildHasher;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

const RESOURCE: &str = "examples/jobs";
const TTL: Duration = Duration::from_secs(10);
/// So long before the server could give our job to another, we stop.
const MARGIN: Duration = Duration::from_secs(1);
/// A line on which nothing has come for so long is dead: the server pings at every third of a ttl.
const SILENCE_MAX: Duration = Duration::from_secs(8);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Failure = Box<dyn Error + Send + Sync>;

/// What we ask. The `id` of a request is when it was sent, in ms, and in its two lowest bits this.
const HELLO: u64 = 0;
const BEAT: u64 = 1;
const CLAIM: u64 = 2;
/// `revoke` or `release`: how a job ends.
const END: u64 = 3;

/// What lives on when a socket ends.
struct Worker {
    started: Instant,
    /// The session's id, once there is one.
    session: Option<String>,
    /// Whether this socket is ours by now. Before that nothing may be asked but `hello`.
    is_open: bool,
    /// Counts the takeovers: of two that overtake each other on the way the later one wins.
    attempt: u64,
    job: Option<Job>,
    /// Until when what we hold is ours for certain.
    safe: watch::Sender<Instant>,
}

struct Job {
    name: String,
    fence: u64,
    task: JoinHandle<bool>,
    /// How the work ended: whether it was finished, or had to stop.
    finished: Option<bool>,
    /// The server has been asked to end it.
    ended: bool,
}

impl Drop for Job {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = std::env::var("TICKETD_URL").ok();
    let server = server.as_deref().unwrap_or("http://127.0.0.1:8001").trim_end_matches('/');
    let url = format!("{}/api/v1/ws", server.replacen("http", "ws", 1));
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        stopped.cancel();
    });
    let now = Instant::now();
    let safe = watch::Sender::new(now);
    let mut worker =
        Worker { started: now, session: None, is_open: false, attempt: 0, job: None, safe };
    let mut tries = 0;
    while !stop.is_cancelled() {
        match worker.serve(&url, &stop, &mut tries).await {
            Ok(()) => break,
            Err(why) => println!("no line to the server: {why}"),
        }
        // A random pause, or all who lost their line together would come back together.
        // But not for so long that the session ends meanwhile.
        let most_ms = 100 << tries.min(4);
        let pause = sleep(Duration::from_millis(RandomState::new().hash_one(tries) % most_ms));
        tries += 1;
        tokio::select! {
            () = pause => {}
            // Without a line we cannot say bye; the session ends by itself when its ttl is over.
            () = stop.cancelled() => {}
        }
    }
}

impl Worker {
    /// Serves by one socket, until that ends (an error) or we want to (none).
    async fn serve(
        &mut self,
        url: &str,
        stop: &CancellationToken,
        tries: &mut u32,
    ) -> Result<(), Failure> {
        let connected = tokio::select! {
            connected = timeout(SILENCE_MAX, connect_async(url)) => connected,
            () = stop.cancelled() => return Ok(()),
        };
        let (mut socket, _) = connected??;
        self.hello(&mut socket).await?;
        let mut beats = interval_at(Instant::now() + TTL / 3, TTL / 3);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                frame = socket.next() => {
                    heard = Instant::now();
                    match frame.ok_or("it was cut")?? {
                        Message::Text(text) => {
                            self.hear(&mut socket, &serde_json::from_str(&text)?).await?;
                            *tries = 0;
                        }
                        Message::Close(why) => return Err(format!("closed: {why:?}").into()),
                        // Pings are answered by the library.
                        _ => {}
                    }
                }
                // What answers a beat tells until when we are safe.
                _ = beats.tick(), if self.is_open => {
                    self.ask(&mut socket, BEAT, json!({"op": "beat"})).await?;
                }
                finished = outcome(&mut self.job), if self.is_open => {
                    self.end_job(&mut socket, finished).await?;
                }
                () = sleep_until(heard + SILENCE_MAX) => return Err("it is silent".into()),
                () = stop.cancelled() => {
                    println!("bye");
                    self.ask(&mut socket, HELLO, json!({"op": "bye"})).await?;
                    // The server closes when the session has ended.
                    let end = async { while let Some(Ok(_)) = socket.next().await {} };
                    return Ok(timeout(Duration::from_secs(2), end).await?);
                }
            }
        }
    }

    async fn ask(&self, to: &mut Socket, what: u64, mut request: Value) -> Result<(), Failure> {
        let now = u64::try_from(self.started.elapsed().as_millis())?;
        request["id"] = json!(now * 4 + what);
        Ok(to.send(Message::text(request.to_string())).await?)
    }

    /// Opens a session, or takes ours over.
    async fn hello(&mut self, to: &mut Socket) -> Result<(), Failure> {
        self.is_open = false;
        let mut hello = match &self.session {
            None => json!({"op": "hello", "name": "worker.rs", "ttl": TTL.as_millis()}),
            Some(session) => {
                self.attempt += 1;
                json!({"op": "hello", "session": session, "attempt": self.attempt})
            }
        };
        if let Ok(token) = std::env::var("TICKETD_TOKEN") {
            hello["token"] = json!(token);
        }
        self.ask(to, HELLO, hello).await
    }

    async fn claim(&self, to: &mut Socket) -> Result<(), Failure> {
        self.ask(to, CLAIM, json!({"op": "claim", "resource": RESOURCE, "wait": true})).await
    }

    /// Whatever the server says.
    async fn hear(&mut self, socket: &mut Socket, message: &Value) -> Result<(), Failure> {
        let (ok, error) = (&message["ok"], &message["error"]);
        let Some(id) = message["id"].as_u64() else {
            return self.hear_event(socket, message).await;
        };
        if !ok.is_null() {
            let sent = self.started + Duration::from_millis(id / 4);
            self.safe.send_replace(sent + TTL - MARGIN);
        }
        match id % 4 {
            HELLO if error["code"] == "session-not-found" => {
                println!("the session has ended, and with it all we had; opening another");
                (self.session, self.job) = (None, None);
                self.hello(socket).await?;
            }
            HELLO if error["code"] == "unauthorized" => {
                println!("{}: what is in TICKETD_TOKEN?", error["message"]);
                std::process::exit(1);
            }
            HELLO if !ok.is_null() => self.resume(socket, ok).await?,
            CLAIM if ok["granted"] == true => self.begin(&ok["ticket"]),
            CLAIM if !ok.is_null() => println!("waiting, as no. {} in the queue", ok["position"]),
            END => {
                if let Some(job) = self.job.take() {
                    let how = if job.finished == Some(true) { "done" } else { "given back" };
                    // An error says that it was not there any more: somebody else has revoked it.
                    println!("{}: {}", job.name, error["code"].as_str().unwrap_or(how));
                }
                self.claim(socket).await?;
            }
            _ if !error.is_null() => return Err(error["message"].to_string().into()),
            _ => {}
        }
        Ok(())
    }

    async fn hear_event(&mut self, socket: &mut Socket, event: &Value) -> Result<(), Failure> {
        let is_ours = |job: &Job| !job.ended && event["fence"] == job.fence;
        if event["event"] == "ticket-granted" {
            self.begin(event);
        } else if event["event"] == "ticket-revoked" && self.job.as_ref().is_some_and(is_ours) {
            println!("our job is lost: {}", event["reason"]);
            self.job = None;
            self.claim(socket).await?;
        }
        Ok(())
    }

    /// What the session has is all that counts, whatever we believed.
    async fn resume(&mut self, socket: &mut Socket, state: &Value) -> Result<(), Failure> {
        self.is_open = true;
        self.session = state["session"].as_str().map(str::to_owned);
        let holds = state["holds"].as_array().map_or(&[][..], Vec::as_slice);
        let held = |job: &Job| holds.iter().any(|hold| hold["fence"] == job.fence);
        match &mut self.job {
            Some(job) if !held(job) => {
                println!("{}: {}", job.name, if job.ended { "done" } else { "lost" });
                self.job = None;
            }
            // The request for its end has not arrived.
            Some(job) if job.ended => job.ended = false,
            _ => {}
        }
        if self.job.is_some() {
            return Ok(());
        }
        match holds.first() {
            // Granted while we were away.
            Some(hold) => self.begin(hold),
            None if state["waits"].as_array().is_some_and(|waits| !waits.is_empty()) => {}
            None => self.claim(socket).await?,
        }
        Ok(())
    }

    fn begin(&mut self, ticket: &Value) {
        let name = ticket["ticket"].as_str().unwrap_or_default().to_owned();
        let fence = ticket["fence"].as_u64().unwrap_or_default();
        println!("{name}: begun, fence {fence}");
        let data = ticket["data"].as_str().unwrap_or_default().to_owned();
        let (of, safe) = (name.clone(), self.safe.subscribe());
        let task = tokio::spawn(async move {
            tokio::select! {
                () = work(&data) => true,
                () = passed(safe) => {
                    println!("{of}: stopped, for it may be another's soon");
                    false
                }
            }
        });
        self.job = Some(Job { name, fence, task, finished: None, ended: false });
    }

    async fn end_job(&mut self, socket: &mut Socket, finished: bool) -> Result<(), Failure> {
        let Some(job) = &mut self.job else { return Ok(()) };
        job.ended = true;
        let end = if finished {
            json!({"op": "revoke", "resource": RESOURCE, "ticket": job.name})
        } else {
            // It may be another's by now; our fence gives up our own grant only.
            json!({"op": "release", "resource": RESOURCE, "ticket": job.name, "fence": job.fence})
        };
        self.ask(socket, END, end).await
    }
}

/// The work itself: takes as long as the ticket's data says, as in `{"ms": 1500}`.
async fn work(data: &str) {
    let data: Value = serde_json::from_str(data).unwrap_or_default();
    sleep(Duration::from_millis(data["ms"].as_u64().unwrap_or(1000))).await;
}

/// Waits until a moment has passed that may be put off meanwhile.
async fn passed(mut moment: watch::Receiver<Instant>) {
    loop {
        let until = *moment.borrow_and_update();
        tokio::select! {
            () = sleep_until(until) => return,
            put_off = moment.changed() => if put_off.is_err() { return },
        }
    }
}

/// How the work of a job ended; never, as long as it has not, or when there is none.
async fn outcome(job: &mut Option<Job>) -> bool {
    match job {
        Some(job) if !job.ended => {
            if job.finished.is_none() {
                job.finished = Some((&mut job.task).await.unwrap_or(false));
            }
            job.finished == Some(true)
        }
        _ => std::future::pending().await,
    }
}
