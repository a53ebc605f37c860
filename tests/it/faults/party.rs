//! One session over lines that fail. It asks at random, keeps its own view from what it is told,
//! and comes back after each cut to be told what is.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use super::ledger::{Ledger, Thing};
use super::line::{Heard, Line};
use super::proxy::Faults;
use super::view::{Length, Op, View, granted, is_of_tickets, number, text};
use crate::rng::Rng;

/// A line on which nothing comes for so long is given up.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long a wait may take when everybody gives up what they hold.
const STRANDED: Duration = Duration::from_secs(20);
/// Rounds of requests that each party makes at least.
const ROUNDS_MIN: usize = 60;
/// Most requests under way.
const BATCH_MAX: usize = 5;

/// The resources that the parties share.
pub(super) const LOCKS: [&str; 4] = ["L1", "L2", "L3", "L4"];
pub(crate) const TICKETS: [&str; 3] = ["T1", "T2", "T3"];
/// Tickets of each that stay.
pub(crate) const KEPT: [&str; 3] = ["k1", "k2", "k3"];

/// The line is of no use any more.
#[derive(Debug)]
pub(super) struct Lost;

/// One session.
pub(crate) struct Party {
    number: usize,
    rng: Rng,
    proxy: SocketAddr,
    ledger: Arc<Ledger>,
    line: Option<Line>,
    pub(super) session: Option<String>,
    attempt: u64,
    last_id: u64,
    under_way: VecDeque<(u64, Op)>,
    pub(super) view: View,
    /// Times that it came back.
    pub(crate) resumed: usize,
}

impl Party {
    pub(crate) fn new(number: usize, seed: u64, proxy: SocketAddr, ledger: Arc<Ledger>) -> Self {
        Self {
            number,
            rng: Rng::new(seed),
            proxy,
            ledger,
            line: None,
            session: None,
            attempt: 0,
            last_id: 0,
            under_way: VecDeque::new(),
            view: View::default(),
            resumed: 0,
        }
    }

    /// Asks at random until nothing more befalls the lines, then until all is settled: nothing
    /// under way, no wait that ends by itself.
    pub(crate) async fn live(mut self, faults: Arc<Faults>) -> Self {
        let mut rounds = 0;
        while rounds < ROUNDS_MIN || !faults.are_over() {
            rounds += 1;
            let batch = self.draw();
            if self.round(batch).await.is_err() {
                self.come_back().await;
            }
        }
        self.settle().await
    }

    async fn settle(mut self) -> Self {
        loop {
            let timed = self.view.waits.iter().filter(|(_, wait)| wait.timed);
            let mut batch: Vec<Op> = timed.map(|(&wait, _)| Op::Cancel { wait }).collect();
            let settled = batch.is_empty();
            batch.push(Op::Session);
            match self.round(batch).await {
                Ok(()) if settled => return self,
                Ok(()) => {}
                Err(Lost) => self.come_back().await,
            }
        }
    }

    /// Compares once more, now that everybody has settled.
    pub(crate) async fn compare(&mut self) {
        self.round(vec![Op::Session]).await.expect("nothing befalls the lines any more");
    }

    /// Gives up what it holds and is still granted, until it waits for nothing.
    pub(crate) async fn wind_up(mut self) -> Self {
        loop {
            let held = self.view.holds.clone().into_iter();
            let batch: Vec<Op> = held.map(|(thing, fence)| Op::GiveUp { thing, fence }).collect();
            if !batch.is_empty() {
                self.round(batch).await.expect("nothing befalls the lines any more");
            } else if !self.view.waits.is_empty() {
                let heard = self.hear(STRANDED).await;
                assert!(heard.is_ok(), "party {} is stranded: {:?}", self.number, self.view);
            } else {
                self.round(vec![Op::Session]).await.expect("nothing befalls the lines any more");
                if self.view.holds.is_empty() {
                    return self;
                }
            }
        }
    }

    /// Some requests; about each resource one at most, so that it is clear what is in doubt.
    fn draw(&mut self) -> Vec<Op> {
        let mut batch: Vec<Op> = Vec::new();
        for _ in 0..=self.rng.below(BATCH_MAX) {
            let op = self.draw_one();
            let repeated = |other: &Op| match (&op, other) {
                (Op::Cancel { .. }, Op::Cancel { .. }) | (Op::Session, Op::Session) => true,
                _ => op.resource().is_some() && op.resource() == other.resource(),
            };
            if !batch.iter().any(repeated) {
                batch.push(op);
            }
        }
        batch
    }

    fn draw_one(&mut self) -> Op {
        let lock = || LOCKS.map(str::to_owned);
        let pick = |rng: &mut Rng, of: &[String]| rng.pick(of).cloned().unwrap_or_default();
        let tickets = TICKETS.map(str::to_owned);
        let mine = (pick(&mut self.rng, &tickets), format!("p{}", self.number));
        let wait = match self.rng.below(4) {
            0 => None,
            1 => Some(Length::Ms(1 + self.rng.next() % 300)),
            _ => Some(Length::Ever),
        };
        let held: Vec<(Thing, u64)> = self.view.holds.clone().into_iter().collect();
        let waits: Vec<u64> = self.view.waits.keys().copied().collect();
        // The more one holds, the sooner it is given up: the others wait.
        let eager = 12 + 12 * held.len();
        match self.rng.below(60 + eager) {
            0..20 => Op::Lock { resource: pick(&mut self.rng, &lock()), wait },
            20..36 => Op::Claim { resource: mine.0, ticket: None, wait },
            36..40 => {
                let ticket = self.rng.pick(&KEPT).map(|&ticket| ticket.to_owned());
                Op::Claim { resource: mine.0, ticket, wait }
            }
            40..44 => Op::Issue { ticket: mine },
            44..47 => Op::Revoke { ticket: mine },
            47..50 => Op::Watch { resource: pick(&mut self.rng, &lock()) },
            50..52 => Op::Unwatch { resource: pick(&mut self.rng, &tickets) },
            52..55 => Op::Session,
            55..60 => match self.rng.pick(&waits) {
                Some(&wait) => Op::Cancel { wait },
                None => Op::Session,
            },
            _ => match self.rng.pick(&held) {
                Some((thing, fence)) => Op::GiveUp { thing: thing.clone(), fence: *fence },
                None => Op::Watch { resource: mine.0 },
            },
        }
    }

    /// Sends requests and hears until all are answered.
    async fn round(&mut self, batch: Vec<Op>) -> Result<(), Lost> {
        for op in batch {
            self.last_id += 1;
            if let Op::GiveUp { thing, fence } = &op {
                self.ledger.giving_up(thing, *fence);
            }
            let request = op.request(self.last_id).to_string();
            self.under_way.push_back((self.last_id, op));
            let line = self.line.as_mut().ok_or(Lost)?;
            let sent = timeout(PATIENCE, line.send(request)).await;
            sent.map_err(|_| Lost)?.map_err(|_| Lost)?;
        }
        while !self.under_way.is_empty() {
            self.hear(PATIENCE).await?;
        }
        Ok(())
    }

    /// Hears one answer or event.
    async fn hear(&mut self, patience: Duration) -> Result<(), Lost> {
        let line = self.line.as_mut().ok_or(Lost)?;
        match timeout(patience, line.hear()).await {
            Ok(Heard::Json(value)) if value.get("event").is_some() => self.event(&value),
            Ok(Heard::Json(value)) => self.answer(&value),
            Ok(Heard::Closed(code)) => panic!("party {} was closed with {code}", self.number),
            Ok(Heard::Cut) | Err(_) => return Err(Lost),
        }
        Ok(())
    }

    fn told(&mut self, thing: &Thing, fence: u64) {
        let told = self.ledger.told(self.number, thing, fence);
        told.unwrap_or_else(|why| panic!("{why}"));
        let former = self.view.holds.insert(thing.clone(), fence);
        assert!(former.is_none_or(|former| former == fence), "{thing:?}: {former:?}, {fence}");
    }

    fn event(&mut self, event: &Value) {
        let waited = |view: &mut View| {
            let wait = view.waits.remove(&number(&event["wait"]));
            let wait = wait.unwrap_or_else(|| panic!("nobody waited: {event}, {view:?}"));
            assert_eq!(event["resource"], wait.resource, "{event}");
            wait
        };
        match text(&event["event"]).as_str() {
            "lock-granted" | "ticket-granted" => {
                waited(&mut self.view);
                let (thing, fence) = granted(event);
                self.told(&thing, fence);
            }
            "wait-ended" => assert!(waited(&mut self.view).timed, "{event}"),
            "ticket-revoked" => {
                let (thing, fence) = granted(event);
                assert_eq!(event["reason"], "revoked", "{event}");
                assert_eq!(self.view.holds.remove(&thing), Some(fence), "{event}");
                self.ledger.revoked(&thing, fence);
            }
            "lock-lost" | "ticket-taken" => panic!("nobody did that: {event}"),
            _ => {}
        }
    }

    fn answer(&mut self, answer: &Value) {
        let (id, op) = self.under_way.pop_front().expect("a request");
        assert_eq!(answer["id"], id, "{answer} to {op:?}");
        let ok = &answer["ok"];
        let code = answer["error"]["code"].as_str();
        let refused =
            |may: &str| assert_eq!(code, Some(may), "{answer} to {op:?}: {:?}", self.view);
        match &op {
            Op::Claim { ticket: Some(_), wait: None, .. } if code.is_some() => {
                refused("ticket-held");
            }
            Op::Revoke { ticket } if code.is_some() => {
                refused("ticket-not-found");
                assert!(!self.view.issued.contains(ticket));
            }
            Op::Lock { resource, wait } | Op::Claim { resource, wait, .. } => {
                if ok["granted"] == true {
                    let mut grant =
                        if is_of_tickets(resource) { &ok["ticket"] } else { ok }.clone();
                    grant["resource"] = resource.clone().into();
                    let (thing, fence) = granted(&grant);
                    self.told(&thing, fence);
                } else if let (Some(id), Some(length)) = (ok["wait"].as_u64(), wait) {
                    let (resource, position) = (resource.clone(), number(&ok["position"]));
                    let known = self.view.waits.get(&id).is_none_or(|wait| wait.timed);
                    let timed = known && *length != Length::Ever;
                    self.view.waits.insert(id, super::view::Wait { resource, timed, position });
                } else {
                    assert!(ok["granted"] == false && wait.is_none(), "{answer} to {op:?}");
                }
            }
            Op::GiveUp { thing, fence } => {
                // It may have been given up twice in a round, and granted anew in between.
                let held = self.view.holds.get(thing) == Some(fence);
                let given_up =
                    if thing.1.is_some() { ok["released"] == true } else { code.is_none() };
                assert_eq!(given_up, held, "{answer} to {op:?}");
                if held {
                    self.view.holds.remove(thing);
                }
            }
            Op::Issue { ticket } => {
                assert_eq!(code, None, "{answer} to {op:?}");
                self.view.issued.insert(ticket.clone());
            }
            Op::Revoke { ticket } => assert!(self.view.issued.remove(ticket), "{op:?}"),
            Op::Cancel { wait } => {
                let waited = self.view.waits.remove(wait).is_some();
                assert_eq!(ok["cancelled"], waited, "{answer} to {op:?}");
            }
            Op::Watch { .. } | Op::Unwatch { .. } => assert_eq!(code, None, "{answer} to {op:?}"),
            Op::Session => {
                let mut state = View::default();
                state.add(ok);
                self.view.agrees(&state).unwrap_or_else(|why| panic!("{why}"));
                for (id, wait) in &mut self.view.waits {
                    let position = state.waits[id].position;
                    assert!(position <= wait.position, "overtaken: {wait:?} is at {position}");
                    wait.position = position;
                }
            }
        }
    }

    /// Attaches again and again until it is told the state.
    pub(crate) async fn come_back(&mut self) {
        // The former line is closed before another is tried, as a client would.
        self.line = None;
        loop {
            self.attempt += 1;
            if let Ok(Ok((line, session, state))) = timeout(2 * PATIENCE, self.attach()).await {
                self.line = Some(line);
                self.resumed += usize::from(self.session.is_some());
                assert!(self.session.as_ref().is_none_or(|own| *own == session));
                self.session = Some(session);
                return self.take_over(state);
            }
        }
    }

    fn take_over(&mut self, state: View) {
        let doubt: Vec<Op> = self.under_way.drain(..).map(|(_, op)| op).collect();
        let before = self.view.holds.clone();
        if let Err(why) = self.view.resume(state, &doubt) {
            panic!("party {}: {why}", self.number);
        }
        for (thing, fence) in self.view.holds.clone() {
            self.told(&thing, fence);
        }
        for (thing, fence) in before {
            let given_up = Op::GiveUp { thing: thing.clone(), fence };
            // A ticket that does not stay may have been revoked before it could be given up.
            let stays = thing.1.as_deref().is_none_or(|ticket| KEPT.contains(&ticket));
            let is_gone = self.view.holds.get(&thing) != Some(&fence);
            if is_gone && !(stays && doubt.contains(&given_up)) {
                self.ledger.revoked(&thing, fence);
            }
        }
    }

    async fn attach(&self) -> Result<(Line, String, View), Lost> {
        let mut line = Line::connect(self.proxy).await.map_err(|_| Lost)?;
        let hello = match &self.session {
            Some(session) => {
                json!({"id": 0, "op": "hello", "session": session, "attempt": self.attempt})
            }
            None => json!({"id": 0, "op": "hello", "name": "party", "ttl": 600_000}),
        };
        line.send(hello.to_string()).await.map_err(|_| Lost)?;
        match line.hear().await {
            Heard::Json(answer) => {
                assert_eq!(answer["ok"]["resumed"], self.session.is_some(), "{answer}");
                let mut state = View::default();
                state.add(&answer["ok"]);
                Ok((line, text(&answer["ok"]["session"]), state))
            }
            Heard::Closed(code) => panic!("party {} was closed with {code}", self.number),
            Heard::Cut => Err(Lost),
        }
    }
}
