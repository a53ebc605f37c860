//! A worker that works off a queue, and fails in all the ways in which workers fail.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::mission::{Book, Ended};
use crate::faults::line::{Heard, Line};
use crate::faults::proxy::Faults;
use crate::rng::Rng;

/// Where the tickets are.
pub(super) const JOBS: &str = "jobs";
/// A line on which nothing comes for so long is given up.
const PATIENCE: Duration = Duration::from_secs(4);
const LOOK: Duration = Duration::from_millis(5);
/// Longer than a restart of the server and a cut take.
const TTL_MS: u64 = 20_000;

/// The line is of no use any more.
struct Lost;

/// What a worker does with a ticket that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Finish,
    Fail,
    FailForLater,
    PutBack,
    /// It touches it, then finishes.
    Take,
    /// It hangs until its time is up.
    Hang,
    /// It is killed, and another comes.
    Die,
    /// Its line is cut.
    Cut,
}

/// A worker.
pub(super) struct Worker {
    number: usize,
    rng: Rng,
    server: SocketAddr,
    book: Arc<Book>,
    line: Option<Line>,
    session: Option<String>,
    /// What it has, by the ticket.
    held: BTreeMap<String, u64>,
    /// What it asked for, and was not answered.
    asked: Option<(String, u64, Ended)>,
    last_id: u64,
}

impl Worker {
    pub(super) fn new(number: usize, seed: u64, server: SocketAddr, book: Arc<Book>) -> Self {
        let (rng, held) = (Rng::new(seed), BTreeMap::new());
        let (line, session, asked) = (None, None, None);
        Self { number, rng, server, book, line, session, held, asked, last_id: 0 }
    }

    /// Works until there is nothing more to do.
    pub(super) async fn work(mut self, faults: Arc<Faults>) {
        while !faults.are_over() {
            if self.line.is_none() {
                self.come_back().await;
            } else if self.step().await.is_err() {
                self.line = None;
            }
        }
    }

    /// Connects until it has a session, its own if that still is.
    async fn come_back(&mut self) {
        loop {
            let connecting = timeout(PATIENCE, Line::connect(self.server)).await;
            let Ok(Ok(line)) = connecting else {
                sleep(LOOK).await;
                continue;
            };
            self.line = Some(line);
            let hello = match &self.session {
                Some(session) => json!({"op": "hello", "session": session}),
                None => {
                    json!({"op": "hello", "name": format!("w{}", self.number), "ttl": TTL_MS})
                }
            };
            match self.ask(hello).await {
                Ok(Ok(state)) => return self.see(&state),
                Ok(Err(code)) => {
                    assert_eq!(code, "session-not-found");
                    self.session = None;
                    self.settle(&BTreeMap::new());
                }
                Err(Lost) => {}
            }
            self.line = None;
        }
    }

    /// What it has, as the server says.
    fn see(&mut self, state: &Value) {
        self.session = state["session"].as_str().map(str::to_owned);
        let mut held = BTreeMap::new();
        for hold in state["holds"].as_array().expect("a list") {
            let (ticket, fence) = self.note(hold);
            held.insert(ticket, fence);
        }
        self.settle(&held);
        self.held = held;
    }

    /// Writes a claim down.
    fn note(&self, claim: &Value) -> (String, u64) {
        let ticket = claim["ticket"].as_str().expect("a ticket").to_owned();
        let number = |name: &str| claim[name].as_u64().unwrap_or_else(|| panic!("{claim}"));
        let (fence, attempt) = (number("fence"), number("attempt"));
        assert!(number("left") <= number("hold"), "{claim}");
        self.book.claimed(self.number, &ticket, fence, attempt);
        (ticket, fence)
    }

    /// What it had and has no more has ended: as it asked, if it did.
    fn settle(&mut self, held: &BTreeMap<String, u64>) {
        if let Some((ticket, fence, ended)) = self.asked.take()
            && held.get(&ticket) != Some(&fence)
        {
            self.book.ended(&ticket, fence, ended);
        }
        self.held.clear();
    }

    async fn step(&mut self) -> Result<(), Lost> {
        if self.held.is_empty() {
            return self.claim().await;
        }
        let (ticket, fence) =
            self.held.first_key_value().map(|(t, f)| (t.clone(), *f)).ok_or(Lost)?;
        let deed = match self.rng.below(1000) {
            0..880 => Deed::Finish,
            880..910 => Deed::Fail,
            910..930 => Deed::FailForLater,
            930..950 => Deed::PutBack,
            950..980 => Deed::Take,
            980..984 => Deed::Hang,
            984..988 => Deed::Die,
            _ => Deed::Cut,
        };
        self.does(deed, ticket, fence).await
    }

    async fn does(&mut self, deed: Deed, ticket: String, fence: u64) -> Result<(), Lost> {
        let release = |with: Value| {
            let mut release =
                json!({"op": "release", "resource": JOBS, "ticket": ticket, "fence": fence});
            let members = release.as_object_mut().expect("an object");
            members.extend(with.as_object().expect("an object").clone());
            release
        };
        match deed {
            Deed::Finish => self.finish(ticket, fence).await,
            Deed::Take => {
                let touch = json!({"op": "touch", "resource": JOBS, "ticket": ticket,
                    "fence": fence, "hold": 5000});
                match self.ask(touch).await? {
                    Ok(touched) => assert_eq!(touched, json!({"left": 5000})),
                    Err(code) => assert_eq!(code, "not-holder"),
                }
                self.finish(ticket, fence).await
            }
            Deed::Fail => {
                let release = release(json!({"note": "it was too hot"}));
                self.give_back(release, ticket, fence, Ended::Counted).await
            }
            Deed::FailForLater => {
                let release = release(json!({"delay": 50}));
                self.give_back(release, ticket, fence, Ended::Counted).await
            }
            Deed::PutBack => {
                let release = release(json!({"untried": true}));
                self.give_back(release, ticket, fence, Ended::Untried).await
            }
            Deed::Hang => self.hang(&ticket).await,
            Deed::Die => {
                (self.session, self.line) = (None, None);
                self.held.clear();
                Ok(())
            }
            Deed::Cut => Err(Lost),
        }
    }

    async fn finish(&mut self, ticket: String, fence: u64) -> Result<(), Lost> {
        self.asked = Some((ticket.clone(), fence, Ended::PerhapsFinished));
        let revoke = json!({"op": "revoke", "resource": JOBS, "ticket": ticket, "fence": fence});
        let answer = self.ask(revoke).await?;
        self.asked = None;
        self.held.remove(&ticket);
        match answer {
            Ok(_) => self.book.ended(&ticket, fence, Ended::Finished),
            // Its time was up, and it may be finished by another.
            Err(code) => assert!(
                matches!(&*code, "not-holder" | "ticket-not-found" | "resource-not-found"),
                "{code}"
            ),
        }
        Ok(())
    }

    async fn give_back(
        &mut self,
        release: Value,
        ticket: String,
        fence: u64,
        ended: Ended,
    ) -> Result<(), Lost> {
        let unsure = if ended == Ended::Untried { Ended::Either } else { ended };
        self.asked = Some((ticket.clone(), fence, unsure));
        let answer = self.ask(release).await?;
        self.asked = None;
        self.held.remove(&ticket);
        match answer {
            Ok(answer) if answer["released"] == true => self.book.ended(&ticket, fence, ended),
            Ok(answer) => assert_eq!(answer["released"], false, "{answer}"),
            Err(code) => assert_eq!(code, "resource-not-found"),
        }
        Ok(())
    }

    /// Does nothing until the server takes the ticket back.
    async fn hang(&mut self, ticket: &str) -> Result<(), Lost> {
        while self.held.contains_key(ticket) {
            self.hear().await?;
        }
        Ok(())
    }

    async fn claim(&mut self) -> Result<(), Lost> {
        let claim = json!({"op": "claim", "resource": JOBS, "wait": 500});
        let answer = match self.ask(claim).await? {
            Ok(answer) => answer,
            Err(code) => panic!("{code}"),
        };
        if answer["granted"] == true {
            let (ticket, fence) = self.note(&answer["ticket"]);
            self.held.insert(ticket, fence);
            return Ok(());
        }
        loop {
            let event = self.hear().await?;
            if event["event"] == "wait-ended" || event["event"] == "ticket-granted" {
                return Ok(());
            }
        }
    }

    /// Asks: the answer's `ok`, or its error's code.
    async fn ask(&mut self, mut request: Value) -> Result<Result<Value, String>, Lost> {
        self.last_id += 1;
        let id = self.last_id;
        request["id"] = id.into();
        let line = self.line.as_mut().ok_or(Lost)?;
        line.send(request.to_string()).await.map_err(|_| Lost)?;
        loop {
            let mut value = self.hear().await?;
            if value["id"] == id {
                return Ok(match value["error"]["code"].as_str() {
                    Some("unavailable") => return Err(Lost),
                    Some(code) => Err(code.to_owned()),
                    None => Ok(value["ok"].take()),
                });
            }
        }
    }

    /// What comes next, written down if it is of a claim.
    async fn hear(&mut self) -> Result<Value, Lost> {
        let line = self.line.as_mut().ok_or(Lost)?;
        let heard = timeout(PATIENCE, line.hear()).await.map_err(|_| Lost)?;
        let Heard::Json(value) = heard else { return Err(Lost) };
        match value["event"].as_str() {
            Some("ticket-granted") => {
                let (ticket, fence) = self.note(&value);
                self.held.insert(ticket, fence);
            }
            Some("ticket-revoked") => {
                // It is told of what it finishes itself, too.
                assert!(value["reason"] == "timeout" || value["reason"] == "revoked", "{value}");
                let ticket = value["ticket"].as_str().expect("a ticket");
                if self.held.get(ticket).copied() == value["fence"].as_u64() {
                    self.held.remove(ticket);
                }
            }
            _ => {}
        }
        Ok(value)
    }
}
