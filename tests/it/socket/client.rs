//! A server in this process and a small client: requests are answered by id, events are kept in
//! the order in which they came. Everything waits for a condition, nothing for a time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Deref;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use ticketd::server::Config;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{self, Served};

/// Longer than anything here takes on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(25);
/// A TTL that no test outlives.
pub(super) const TTL_MS: u64 = 600_000;

#[expect(clippy::disallowed_methods, reason = "these tests measure real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Where a server is.
#[derive(Clone, Copy)]
pub(super) struct Place(pub(super) SocketAddr);

/// A request with further members.
pub(super) fn with(mut request: Value, members: Value) -> Value {
    let Value::Object(members) = members else { panic!("no members: {members}") };
    for (name, value) in members {
        request[name] = value;
    }
    request
}

/// A server in this process.
pub(super) struct Running {
    place: Place,
    _served: Served,
}

impl Deref for Running {
    type Target = Place;
    fn deref(&self) -> &Place {
        &self.place
    }
}

pub(super) async fn start() -> Running {
    start_with(Config::default()).await
}

pub(super) async fn start_with(config: Config) -> Running {
    let served = Served::with(config).await;
    Running { place: Place(served.address), _served: served }
}

/// What a REST request was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fence: Option<u64>,
    pub(super) body: String,
}

impl Place {
    pub(super) fn request(&self) -> Request {
        format!("ws://{}/api/v1/ws", self.0).into_client_request().expect("a request")
    }

    /// A socket, or the answer that refuses it.
    pub(super) async fn upgrade(&self, request: Request) -> Result<(Client, Response), Error> {
        let stream = TcpStream::connect(self.0).await.expect("a connection");
        let (socket, response) = client_async(request, stream).await?;
        let (events, answers) = (VecDeque::new(), Vec::new());
        let client = Client { socket, session: String::new(), events, answers, last_id: 0 };
        Ok((client, response))
    }

    /// A socket that has said nothing yet.
    pub(super) async fn connect(&self) -> Client {
        self.upgrade(self.request()).await.expect("an upgrade").0
    }

    /// A new session.
    pub(super) async fn open(&self, name: &str) -> Client {
        self.hello(json!({"name": name, "ttl": TTL_MS})).await.0
    }

    /// A new session that lives as long as one wants it to.
    pub(super) async fn open_with(&self, hello: Value) -> Client {
        self.hello(hello).await.0
    }

    /// Takes a session over; also the state that it comes with.
    pub(super) async fn resume(&self, session: &str) -> (Client, Value) {
        self.hello(json!({"session": session})).await
    }

    pub(super) async fn hello(&self, hello: Value) -> (Client, Value) {
        let mut client = self.connect().await;
        let state = client.hello(hello).await;
        (client, state)
    }

    /// A session opened by REST.
    pub(super) async fn open_by_rest(&self, name: &str) -> String {
        let answer = self.rest("POST", &format!("sessions?name={name}&ttl={TTL_MS}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).expect("an id")
    }

    /// A REST request; `path` comes after `/api/v1/`.
    pub(super) async fn rest(&self, method: &str, path: &str) -> Answer {
        let mut client = support::Client::connect(self.0).await;
        let answer = client.ask(&format!("{method} /{path}")).await;
        Answer {
            status: answer.status,
            fence: answer.header("ticketd-fence").parse().ok(),
            body: String::from_utf8_lossy(&answer.body).into_owned(),
        }
    }

    /// A REST request under way.
    pub(super) fn rest_later(&self, method: &'static str, path: String) -> JoinHandle<Answer> {
        let place = *self;
        tokio::spawn(async move { place.rest(method, &path).await })
    }

    /// Waits until so many wait for a resource.
    pub(super) async fn until_waiting(&self, resource: &str, count: u64) {
        let mut observer = self.open("observer").await;
        let waiting = async {
            while observer.ask(json!({"op": "watch", "resource": resource})).await["waiting"]
                != count
            {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, waiting).await.expect("so many wait");
        observer.ask(json!({"op": "bye"})).await;
    }
}

/// One socket.
pub(super) struct Client {
    pub(super) socket: WebSocketStream<TcpStream>,
    /// The id of its session, once it said hello.
    pub(super) session: String,
    events: VecDeque<Value>,
    answers: Vec<Value>,
    last_id: u64,
}

/// The code and reason that a socket was closed with; 0 when it was cut.
pub(super) type Closed = (u16, String);

impl Client {
    /// The next text frame.
    pub(super) async fn text(&mut self) -> Result<String, Closed> {
        loop {
            let frame = timeout(PATIENCE, self.socket.next()).await.expect("a frame in time");
            match frame {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(Some(close)))) => {
                    return Err((close.code.into(), close.reason.as_str().to_owned()));
                }
                Some(Ok(_)) => {}
                Some(Err(why)) => return Err((0, why.to_string())),
                None => return Err((0, "cut".to_owned())),
            }
        }
    }

    /// The next answer or event.
    pub(super) async fn next(&mut self) -> Result<Value, Closed> {
        let text = self.text().await?;
        Ok(serde_json::from_str(&text).expect("JSON"))
    }

    /// Sends a frame as it is.
    pub(super) async fn send_raw(&mut self, frame: Message) {
        timeout(PATIENCE, self.socket.send(frame)).await.expect("in time").expect("sent");
    }

    /// Puts a request into the buffer; returns its id.
    pub(super) async fn feed(&mut self, mut request: Value) -> u64 {
        self.last_id += 1;
        request["id"] = json!(self.last_id);
        let frame = Message::text(request.to_string());
        timeout(PATIENCE, self.socket.feed(frame)).await.expect("in time").expect("fed");
        self.last_id
    }

    pub(super) async fn flush(&mut self) {
        timeout(PATIENCE, self.socket.flush()).await.expect("in time").expect("sent");
    }

    pub(super) async fn send(&mut self, request: Value) -> u64 {
        let id = self.feed(request).await;
        self.flush().await;
        id
    }

    /// The answer to a request; events that come first are kept.
    pub(super) async fn answer(&mut self, id: u64) -> Value {
        if let Some(at) = self.answers.iter().position(|answer| answer["id"] == id) {
            return self.answers.remove(at);
        }
        loop {
            let frame = self.next().await.expect("not closed");
            if frame.get("event").is_some() {
                self.events.push_back(frame);
            } else if frame["id"] == id {
                return frame;
            } else {
                self.answers.push(frame);
            }
        }
    }

    /// What the request is answered under `ok`.
    pub(super) async fn ask(&mut self, request: Value) -> Value {
        let id = self.send(request).await;
        let mut answer = self.answer(id).await;
        assert!(answer.get("ok").is_some(), "{answer}");
        answer["ok"].take()
    }

    /// The whole answer, whatever it is.
    pub(super) async fn ask_any(&mut self, request: Value) -> Value {
        let id = self.send(request).await;
        self.answer(id).await
    }

    /// The code by which the request is refused.
    pub(super) async fn refused(&mut self, request: Value) -> String {
        let id = self.send(request).await;
        let answer = self.answer(id).await;
        assert!(!answer["error"]["message"].as_str().unwrap_or("").is_empty(), "{answer}");
        answer["error"]["code"].as_str().expect("a code").to_owned()
    }

    pub(super) async fn hello(&mut self, mut hello: Value) -> Value {
        hello["op"] = json!("hello");
        let state = self.ask(hello).await;
        self.session = state["session"].as_str().expect("an id").to_owned();
        state
    }

    /// The next event, which is of that kind.
    pub(super) async fn event(&mut self, kind: &str) -> Value {
        while self.events.is_empty() {
            let frame = self.next().await.expect("not closed");
            if frame.get("event").is_some() {
                self.events.push_back(frame);
            } else {
                self.answers.push(frame);
            }
        }
        self.told(kind)
    }

    /// The next event, whatever it is.
    pub(super) async fn any_event(&mut self) -> Value {
        loop {
            if let Some(event) = self.kept_event() {
                return event;
            }
            let frame = self.next().await.expect("not closed");
            if frame.get("event").is_some() {
                self.events.push_back(frame);
            } else {
                self.answers.push(frame);
            }
        }
    }

    /// An event that came before the last answer.
    pub(super) fn kept_event(&mut self) -> Option<Value> {
        self.events.pop_front()
    }

    /// The next event, which is of that kind and came before the last answer.
    pub(super) fn told(&mut self, kind: &str) -> Value {
        let event = self.events.pop_front().expect("an event came before the answer");
        assert_eq!(event["event"], kind, "{event}");
        event
    }

    /// Nothing more was to be told: everything told leaves in order, and here comes a later answer.
    pub(super) async fn quiet(&mut self) {
        self.ask(json!({"op": "cancel", "wait": 0})).await;
        assert!(self.events.is_empty(), "{:?}", self.events);
    }

    pub(super) async fn lock(&mut self, resource: &str) -> Value {
        self.ask(json!({"op": "lock", "resource": resource})).await
    }

    /// Joins a queue; the wait's id and the position.
    pub(super) async fn wait_for(&mut self, resource: &str) -> (Value, Value) {
        let ask = json!({"op": "lock", "resource": resource, "wait": true});
        let mut ok = self.ask(ask).await;
        assert_eq!(ok["granted"], false, "{ok}");
        (ok["wait"].take(), ok["position"].take())
    }

    pub(super) async fn unlock(&mut self, resource: &str) {
        self.ask(json!({"op": "unlock", "resource": resource})).await;
    }

    pub(super) async fn issue(&mut self, resource: &str, ticket: &str, data: &str) {
        let issue = json!({"op": "issue", "resource": resource, "ticket": ticket, "data": data});
        self.ask(issue).await;
    }

    /// Reads until the socket is closed: the code and the reason.
    pub(super) async fn closed(&mut self) -> Closed {
        loop {
            if let Err(closed) = self.next().await {
                return closed;
            }
        }
    }
}
