//! A driver over a journal in memory, and those who use it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use ticketd::driver::{
    Answer, Answered, Asked, Connection, Cycle, Driver, Ending, JournalWriter, Message, Next,
    PersistenceConfig, PersistenceError, Unavailable,
};
use ticketd::journal::{Crash, CrashStore, Journal, JournalOptions};
use ticketd::machine::{
    Command, Fence, LockAsk, Name, Refusal, Reply, SessionId, Snapshot, TicketTerms, WaitOrigin,
    WaitRequest, WaitTimeout,
};
use tokio::task::JoinHandle;

use crate::support::new_session;

/// A wall clock, in ms since 1970.
pub(super) const WALL_MS: u64 = 1_800_000_000_000;
pub(super) const EXPIRE_MS: u32 = 500;

/// A server without its sockets and requests: a driver, its clockwork, its keeper.
pub(super) struct House {
    pub(super) memory: CrashStore,
    pub(super) driver: Driver,
    pub(super) keeper: JournalWriter,
    clockwork: JoinHandle<()>,
}

impl House {
    /// Starts over what the store keeps.
    pub(super) fn open(memory: &CrashStore) -> Result<Self, PersistenceError> {
        Self::open_at(memory, WALL_MS)
    }

    /// The same at another time.
    pub(super) fn open_at(memory: &CrashStore, wall_ms: u64) -> Result<Self, PersistenceError> {
        let keeping =
            PersistenceConfig { snapshot_after_bytes: u64::MAX, ..PersistenceConfig::default() };
        let memory = memory.clone();
        let (driver, keeper) =
            JournalWriter::over(Arc::new(memory.clone()), EXPIRE_MS, keeping, wall_ms)?;
        let clockwork = tokio::spawn(driver.clone().run());
        Ok(Self { memory, driver, keeper, clockwork })
    }

    pub(super) fn new() -> Self {
        Self::open(&CrashStore::new()).expect("a journal in memory")
    }

    /// Keeps all that was applied.
    pub(super) fn keep(&mut self) {
        while self.keeper.cycle().expect("the journal works") == Cycle::Wrote {}
    }

    /// Ends it as a crash of the machine does, and starts anew.
    pub(super) fn crash(self, crash: Crash) -> Self {
        let left = self.memory.crash(crash);
        drop(self);
        Self::open(&left).expect("what was kept can be read")
    }

    /// The state as it is, durable or not.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut image = None;
        let _ = self
            .driver
            .query(|machine| {
                machine.check();
                image = Some(machine.snapshot());
            })
            .now_or_never();
        image.expect("it may be asked")
    }

    /// What is on disk is what the driver has.
    pub(super) fn assert_kept(&mut self) {
        self.keep();
        assert_eq!(recovered(&self.memory.crash(Crash::Lost)).0, self.snapshot());
    }

    /// A session by REST.
    pub(super) fn open_session(&mut self, name: &str, ttl_ms: i64) -> SessionId {
        let mut opening = later(open(&self.driver, name, ttl_ms));
        assert!(opening.is_open(), "nothing is said before it is kept");
        self.keep();
        opening.now().expect("is kept")
    }

    /// A session by socket. Its first answer has been read.
    pub(super) fn connect(&mut self, name: &str, ttl_ms: i64) -> Connection {
        let new = new_session(name, ttl_ms);
        let connection = self.driver.connect(Some(0), new, None).expect("kept");
        assert!(connection.outbox().try_next().is_none(), "nothing is said before it is kept");
        self.keep();
        assert!(connection.outbox().try_next().is_some());
        connection.opened();
        connection
    }

    /// Does a command for a session and keeps it.
    pub(super) fn done(&mut self, session: SessionId, command: Command) -> Reply {
        let mut asked = later(request(&self.driver, session, command));
        let at_once = asked.look();
        self.keep();
        let told = at_once.unwrap_or_else(|| asked.now());
        told.expect("is kept").expect("is accepted")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.clockwork.abort();
    }
}

/// What a store has, and the lowest fence to go on with.
pub(super) fn recovered(memory: &CrashStore) -> (Snapshot, u64) {
    let store = Arc::new(memory.clone());
    let found = Journal::open(store, JournalOptions { identity: 77 }).expect("can be read");
    found.machine.check();
    (found.machine.snapshot(), found.fence)
}

/// An answer that is still to come.
pub(super) struct Later<T>(BoxFuture<'static, T>);

/// Begins what is asked.
pub(super) fn later<T>(asked: impl Future<Output = T> + Send + 'static) -> Later<T> {
    // Here nobody polls too often.
    Later(Box::pin(tokio::task::unconstrained(asked)))
}

impl<T> Later<T> {
    /// The answer, if it may be said.
    pub(super) fn look(&mut self) -> Option<T> {
        Pin::new(&mut self.0).now_or_never()
    }

    /// Whether it may not be said yet.
    pub(super) fn is_open(&mut self) -> bool {
        self.look().is_none()
    }

    pub(super) fn now(mut self) -> T {
        self.look().expect("it may be said")
    }
}

pub(super) type Opened = Result<SessionId, Unavailable>;
pub(super) type Told = Result<Result<Reply, Refusal>, Unavailable>;

pub(super) fn open(
    driver: &Driver,
    name: &str,
    ttl_ms: i64,
) -> impl Future<Output = Opened> + Send + 'static {
    let (driver, new) = (driver.clone(), new_session(name, ttl_ms));
    async move { driver.open(new, None).await }
}

/// A request that does not wait. Its answer is handed over as it comes.
pub(super) fn request(
    driver: &Driver,
    session: SessionId,
    command: Command,
) -> impl Future<Output = Told> + Send + 'static {
    let driver = driver.clone();
    async move { driver.request(session, command).await.map(|answer| hand_over(&answer)) }
}

/// A request that waits for a lock.
pub(super) fn wait_for(
    driver: &Driver,
    session: SessionId,
    resource: &str,
    wait_ms: u32,
) -> impl Future<Output = Told> + Send + 'static {
    let (driver, resource) = (driver.clone(), name(resource));
    let command = move |wait_request| Command::Lock {
        session,
        resource,
        wait_request: Some(wait_request),
        ask: LockAsk::default(),
    };
    async move {
        driver.request_waiting(session, wait_ms, command).await.map(|answer| hand_over(&answer))
    }
}

fn hand_over(answer: &Answer) -> Result<Reply, Refusal> {
    answer.hand_over();
    answer.reply.clone()
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

pub(super) fn lock(session: SessionId, resource: &str) -> Command {
    Command::Lock { session, resource: name(resource), wait_request: None, ask: LockAsk::default() }
}

/// A lock that a socket waits for.
pub(super) fn queue(session: SessionId, resource: &str, timeout: WaitTimeout) -> Command {
    let wait_request = Some(WaitRequest { origin: WaitOrigin::Socket, timeout });
    Command::Lock { session, resource: name(resource), wait_request, ask: LockAsk::default() }
}

pub(super) fn unlock(session: SessionId, resource: &str) -> Command {
    Command::Unlock { session, resource: name(resource), fence: None, by_socket: false }
}

/// The same by the session's socket.
pub(super) fn unlock_by_socket(session: SessionId, resource: &str) -> Command {
    Command::Unlock { session, resource: name(resource), fence: None, by_socket: true }
}

pub(super) fn issue(session: SessionId, resource: &str, ticket: &str) -> Command {
    let data = ticketd::machine::Data::new(b"data").expect("is short");
    let (resource, ticket) = (name(resource), name(ticket));
    Command::Issue { session, resource, ticket, data, notify: false, terms: TicketTerms::default() }
}

pub(super) fn granted(reply: &Reply) -> Fence {
    match reply {
        Reply::Granted { grant, .. } => grant.fence(),
        other => panic!("{other:?}"),
    }
}

/// Asks by a socket.
pub(super) fn ask(connection: &Connection, id: u64, command: Command) {
    assert!(connection.ask([(Some(id), Asked::Command(command))]), "it speaks for its session");
}

/// All that may be said to a socket now, in short.
pub(super) fn heard(connection: &Connection) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(next) = connection.outbox().try_next() {
        all.push(match next {
            Next::Message(Message::Answer(id, answered)) => {
                let id = id.id.map_or_else(|| "?".to_owned(), |id| id.to_string());
                format!("{id} {}", short(&answered))
            }
            Next::Message(Message::Draining(on)) => format!("draining {on}"),
            Next::Message(Message::Event(event)) => format!("{event:?}")
                .split_once(' ')
                .map_or(String::new(), |(kind, _)| kind.to_owned()),
            Next::Message(Message::Change(event, resource, figures, _)) => {
                format!("{event:?} {} {}", resource.as_str(), figures.free)
            }
            Next::Message(Message::ClaimExpiring { ticket, left_ms, .. }) => {
                format!("claim expiring {} {left_ms}", ticket.as_str())
            }
            Next::Message(Message::WaitMoved { position, .. }) => format!("moved {position}"),
            Next::Message(Message::TokenExpiring(_)) => "token expiring".to_owned(),
            Next::Message(Message::GoingAway(_)) => "going away".to_owned(),
            Next::End(ending) => {
                all.push(format!("end {}", of(ending)));
                return all;
            }
        });
    }
    all
}

fn of(ending: Ending) -> String {
    format!("{ending:?}")
}

fn short(answered: &Answered) -> String {
    match answered {
        Answered::Reply(Ok(Reply::Granted { .. })) => "granted".to_owned(),
        Answered::Reply(Ok(Reply::Queued { position, .. })) => format!("place {position}"),
        Answered::Reply(Ok(reply)) => format!("{reply:?}"),
        Answered::Reply(Err(refusal)) => format!("refused: {refusal}"),
        Answered::Unavailable(why) => format!("unavailable, {why:?}"),
        Answered::Beat(ttl) => format!("beat {ttl}"),
        Answered::State(_) => "state".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Virtual time passes, and what falls due is done.
pub(super) async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    // The clockwork, which wakes at the same moment, comes first.
    tokio::task::yield_now().await;
}
