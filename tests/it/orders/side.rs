//! A driver over either log.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use ticketd::driver::{
    Connection, Cycle, Driver, JournalWriter, Message, Next, OrderingWriter, PersistenceConfig,
};
use ticketd::journal::{Crash, CrashStore, Journal, JournalOptions};
use ticketd::log::testing::MemoryLog;
use ticketd::machine::{Command, Fence, Machine, SessionId, Snapshot};

use super::asker;

const EXPIRE_MS: u32 = 500;
/// So many sessions have sockets.
const SOCKETS_MAX: usize = 20;
/// The first fence, at the beginning of the wall clock's time.
pub(super) const FENCE: Fence = Fence(1);

/// What came of some commands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) replies: Vec<String>,
    /// What each session's socket was told.
    pub(super) events: Vec<(SessionId, Vec<String>)>,
}

/// What writes either log.
pub(super) trait Sided {
    /// The state as the driver has it.
    fn state(&mut self) -> Snapshot;
    /// The state that the log makes.
    fn replayed(&self) -> Snapshot;
}

/// A driver and what writes its log.
pub(super) struct Side<W> {
    pub(super) driver: Driver,
    pub(super) writer: W,
    sockets: BTreeMap<SessionId, Connection>,
    cycle: fn(&mut W) -> Cycle,
    replay: fn(&W) -> Machine,
}

/// What writes the journal, and where.
pub(super) struct Journaled {
    writer: JournalWriter,
    store: CrashStore,
}

impl Side<Journaled> {
    pub(super) fn journal() -> Self {
        let (store, config) = (CrashStore::new(), PersistenceConfig::default());
        let opened = JournalWriter::over(Arc::new(store.clone()), EXPIRE_MS, config, 0);
        let (driver, writer) = opened.expect("a journal in memory");
        let cycle = |journaled: &mut Journaled| journaled.writer.cycle().expect("it works");
        let replay = |journaled: &Journaled| {
            let left = Arc::new(journaled.store.crash(Crash::Lost));
            let opened = Journal::open(left, JournalOptions { identity: 7 });
            let Ok(recovered) = opened else { panic!("the journal is sound") };
            recovered.machine
        };
        let writer = Journaled { writer, store };
        Self { driver, writer, sockets: BTreeMap::new(), cycle, replay }
    }
}

pub(super) type Ordering = OrderingWriter<MemoryLog>;

impl Side<Ordering> {
    pub(super) fn ordered() -> Self {
        Self::ordered_over(MemoryLog::default())
    }

    pub(super) fn ordered_over(log: MemoryLog) -> Self {
        let opened = OrderingWriter::over(log, Machine::new(), EXPIRE_MS, 0);
        let (driver, writer) = opened.expect("a log in memory");
        let cycle = |writer: &mut OrderingWriter<MemoryLog>| writer.cycle().expect("it works");
        let replay =
            |writer: &OrderingWriter<MemoryLog>| writer.log().replay().expect("it has commands");
        Self { driver, writer, sockets: BTreeMap::new(), cycle, replay }
    }
}

impl<W> Side<W> {
    /// Writes all that was asked.
    pub(super) fn write(&mut self) {
        while (self.cycle)(&mut self.writer) == Cycle::Wrote {}
    }

    /// Asks for all at once, and tells what came of it.
    pub(super) fn tell(&mut self, commands: &[Command]) -> Told {
        let mut asked: Vec<_> = commands.iter().map(|command| self.ask(command)).collect();
        let at_once: Vec<_> = asked.iter_mut().map(|asked| asked.now_or_never()).collect();
        self.write();
        let mut replies = Vec::new();
        for (at_once, asked) in at_once.into_iter().zip(asked) {
            let reply = at_once.or_else(|| asked.now_or_never());
            replies.push(reply.expect("all was written"));
        }
        self.write();
        let events = self.events();
        self.attach(commands);
        Told { replies, events }
    }

    fn ask(&self, command: &Command) -> BoxFuture<'static, String> {
        let (driver, command) = (self.driver.clone(), command.clone());
        let asked = async move {
            let answer = driver.request(asker(&command), command).await.expect("it works");
            answer.hand_over();
            format!("{:?}", answer.reply)
        };
        tokio::task::unconstrained(asked).boxed()
    }

    fn events(&self) -> Vec<(SessionId, Vec<String>)> {
        let drained = |(session, socket): (&SessionId, &Connection)| {
            let next = std::iter::from_fn(|| socket.outbox().try_next());
            // An end is told once, and then again and again.
            let mut told: Vec<_> = Vec::new();
            for next in next {
                let is_end = matches!(next, Next::End(_));
                told.push(format!("{next:?}"));
                if is_end {
                    break;
                }
            }
            (*session, told)
        };
        self.sockets.iter().map(drained).filter(|(_, told)| !told.is_empty()).collect()
    }

    /// What comes of something when all is written that it waits for.
    pub(super) fn now<T>(&mut self, asked: impl Future<Output = T>) -> T {
        let mut asked = Box::pin(tokio::task::unconstrained(asked));
        for _ in 0..10 {
            if let Some(told) = asked.as_mut().now_or_never() {
                return told;
            }
            (self.cycle)(&mut self.writer);
        }
        panic!("it still waits when all is written");
    }

    /// Gives new sessions their sockets, unless there are crowds of them.
    fn attach(&mut self, commands: &[Command]) {
        for command in commands {
            let Command::Open { session, .. } = command else { continue };
            if self.sockets.len() >= SOCKETS_MAX {
                break;
            }
            let (driver, session) = (self.driver.clone(), *session);
            let attached =
                self.now(async move { driver.reconnect(None, session, None, None).await });
            self.write();
            if let Ok(socket) = attached {
                let first = socket.outbox().try_next();
                assert!(matches!(first, Some(Next::Message(Message::Answer(..)))), "{first:?}");
                socket.opened();
                self.sockets.insert(session, socket);
            }
        }
    }
}

impl<W> Sided for Side<W> {
    fn state(&mut self) -> Snapshot {
        let driver = self.driver.clone();
        let look = |machine: &Machine| {
            machine.check();
            machine.snapshot()
        };
        self.now(async move { driver.query(look).await }).expect("it works")
    }

    fn replayed(&self) -> Snapshot {
        (self.replay)(&self.writer).snapshot()
    }
}
