//! A session by REST whose server is killed again and again. What it was told stays so; what it was
//! not told may be either.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::faults::ledger::Ledger;
use crate::faults::proxy::Faults;
use crate::rng::Rng;
use crate::support::{Answer, Client};

/// Between two looks whether the server is there again.
const LOOK: Duration = Duration::from_millis(5);
/// Locks and tickets of each info.
const OWN: usize = 3;

/// What is known of a thing of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known<T> {
    Surely(Option<T>),
    /// It was the one, unless it is the other by now.
    Either(Vec<Option<T>>),
}

impl<T: Clone + PartialEq> Known<T> {
    fn all(&self) -> &[Option<T>] {
        match self {
            Self::Surely(one) => std::slice::from_ref(one),
            Self::Either(some) => some,
        }
    }

    /// It was asked to be changed, and no answer came.
    fn or(&mut self, what: Option<T>) {
        let mut some = self.all().to_vec();
        some.push(what);
        *self = Self::Either(some);
    }
}

/// The fence of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fence {
    Is(u64),
    /// It was granted, if it was, when the highest fence seen was this.
    Above(u64),
}

/// A session by REST.
pub(super) struct Killed {
    number: usize,
    rng: Rng,
    server: SocketAddr,
    ledger: Arc<Ledger>,
    client: Option<Client>,
    session: Option<String>,
    /// By the number of the lock.
    locks: BTreeMap<usize, Known<Fence>>,
    tickets: BTreeMap<usize, Known<Vec<u8>>>,
    /// The highest fence seen.
    highest: u64,
    pub(super) answers: usize,
    pub(super) lost: usize,
}

impl Killed {
    pub(super) fn new(number: usize, seed: u64, server: SocketAddr, ledger: Arc<Ledger>) -> Self {
        Self {
            number,
            rng: Rng::new(seed),
            server,
            ledger,
            client: None,
            session: None,
            locks: BTreeMap::new(),
            tickets: BTreeMap::new(),
            highest: 0,
            answers: 0,
            lost: 0,
        }
    }

    /// Asks at random until the server is killed no more, then ends its session.
    pub(super) async fn live(mut self, faults: Arc<Faults>) -> Self {
        while !faults.are_over() {
            self.step().await;
        }
        while self.session.is_some() {
            self.close().await;
        }
        self
    }

    async fn step(&mut self) {
        if self.session.is_none() {
            return self.open().await;
        }
        let which = self.rng.below(OWN);
        match self.rng.below(40) {
            0..14 => self.lock(which).await,
            14..26 => self.unlock(which).await,
            26..32 => self.issue(which).await,
            32..39 => self.look(which).await,
            _ => self.close().await,
        }
    }

    /// `None` when nobody knows whether it was done.
    async fn ask(&mut self, request: &str, body: &[u8]) -> Option<Answer> {
        let mut client = match self.client.take() {
            Some(client) => client,
            None => loop {
                match Client::try_connect(self.server).await {
                    Some(client) => break client,
                    None => tokio::time::sleep(LOOK).await,
                }
            },
        };
        let answer = client.try_ask(request, body).await;
        match &answer {
            Some(answer) => {
                assert_ne!(answer.status, 503, "{request}: {}", answer.said());
                self.client = Some(client);
                self.answers += 1;
            }
            None => self.lost += 1,
        }
        answer
    }

    fn id(&self) -> String {
        self.session.clone().expect("a session")
    }

    async fn open(&mut self) {
        let request = format!("POST /sessions?name=r{}&ttl=600000", self.number);
        if let Some(answer) = self.ask(&request, b"").await {
            assert_eq!(answer.status, 200, "{}", answer.said());
            self.session = Some(answer.json().as_str().expect("an id").to_owned());
            for own in 0..OWN {
                self.locks.insert(own, Known::Surely(None));
                self.tickets.insert(own, Known::Surely(None));
            }
        }
    }

    async fn close(&mut self) {
        let request = format!("DELETE /sessions/{}", self.id());
        // An unanswered one may have been carried out.
        let mut may_be_gone = false;
        (0..OWN).for_each(|own| self.giving_up(own));
        loop {
            let Some(answer) = self.ask(&request, b"").await else {
                may_be_gone = true;
                continue;
            };
            match answer.status {
                200 => break,
                404 if may_be_gone => break,
                _ => panic!("{} lost its session: {}", self.number, answer.said()),
            }
        }
        let id = self.id();
        loop {
            let Some(answer) = self.ask(&format!("GET /sessions/{id}"), b"").await else {
                continue;
            };
            assert_eq!(answer.status, 404, "a closed session came back");
            break;
        }
        self.session = None;
    }

    fn lock_name(&self, which: usize) -> String {
        format!("R{}-lock-{which}", self.number)
    }

    async fn lock(&mut self, which: usize) {
        let name = self.lock_name(which);
        let request = format!("POST /locks/{name}?sessid={}", self.id());
        let Some(answer) = self.ask(&request, b"").await else {
            let granted = Some(Fence::Above(self.highest));
            return self.locks.get_mut(&which).expect("is its own").or(granted);
        };
        assert_eq!(answer.said(), "200 true", "{name} is nobody else's");
        let (fence, known) = (answer.fence(), &self.locks[&which]);
        let may_be = |held: &Option<Fence>| match held {
            Some(Fence::Is(held)) => fence == *held,
            Some(Fence::Above(highest)) => fence > *highest,
            None => fence > self.highest,
        };
        let fits = known.all().iter().any(may_be);
        assert!(fits, "{name}: {fence} of {known:?}, after {}", self.highest);
        self.highest = self.highest.max(fence);
        self.locks.insert(which, Known::Surely(Some(Fence::Is(fence))));
        let told = self.ledger.told(1000 + self.number, &(name, None), fence);
        told.unwrap_or_else(|why| panic!("{why}"));
    }

    /// It will not be sure of that lock any more.
    fn giving_up(&self, which: usize) {
        for held in self.locks[&which].all() {
            if let Some(Fence::Is(fence)) = held {
                self.ledger.giving_up(&(self.lock_name(which), None), *fence);
            }
        }
    }

    async fn unlock(&mut self, which: usize) {
        let (name, known) = (self.lock_name(which), self.locks[&which].clone());
        let fence = match known {
            Known::Surely(Some(Fence::Is(fence))) => format!("&fence={fence}"),
            _ => String::new(),
        };
        self.giving_up(which);
        let request = format!("DELETE /locks/{name}?sessid={}{fence}", self.id());
        let Some(answer) = self.ask(&request, b"").await else {
            return self.locks.get_mut(&which).expect("is its own").or(None);
        };
        match known {
            Known::Surely(Some(_)) => assert_eq!(answer.status, 200, "{}", answer.said()),
            Known::Surely(None) => assert_eq!(answer.status, 404, "{name} was given up"),
            Known::Either(_) => assert!(matches!(answer.status, 200 | 404), "{}", answer.said()),
        }
        self.locks.insert(which, Known::Surely(None));
    }

    async fn issue(&mut self, which: usize) {
        let data = self.rng.next().to_le_bytes().repeat(1 + self.rng.below(60));
        let request = format!("POST /tickets/R{}?sessid={}&name=t{which}", self.number, self.id());
        let answer = self.ask(&request, &data).await;
        let known = self.tickets.get_mut(&which).expect("is its own");
        match answer {
            Some(answer) => {
                assert_eq!(answer.status, 200, "{}", answer.said());
                *known = Known::Surely(Some(data));
            }
            None => known.or(Some(data)),
        }
    }

    /// Whether its tickets are as they were issued.
    async fn look(&mut self, which: usize) {
        let request = format!("GET /dump/resources/R{}", self.number);
        let Some(answer) = self.ask(&request, b"").await else { return };
        let found = match answer.status {
            404 => None,
            200 => {
                answer.json()[format!("R{}", self.number)]["Tickets"][format!("t{which}")]["Data"]
                    .as_str()
                    .map(|data| BASE64.decode(data).expect("base64"))
            }
            _ => panic!("{}", answer.said()),
        };
        let known = &self.tickets[&which];
        assert!(
            known.all().contains(&found),
            "R{}: t{which} is {found:?} of {known:?}",
            self.number
        );
        self.tickets.insert(which, Known::Surely(found));
    }
}
