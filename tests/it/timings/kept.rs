//! A driver over a journal in memory, which can be restarted at another time.

use std::sync::Arc;

use ticketd::driver::{Cycle, JournalWriter, PersistenceConfig};
use ticketd::journal::{Crash, CrashStore};

use super::*;

/// A wall clock, in ms since 1970.
pub(super) const WALL_MS: u64 = 1_800_000_000_000;

/// A server over a journal in memory, without its sockets and requests.
pub(super) struct Kept {
    memory: CrashStore,
    pub(super) driver: Driver,
    writer: JournalWriter,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self::start(&CrashStore::new(), WALL_MS)
    }

    fn start(memory: &CrashStore, wall_ms: u64) -> Self {
        let (store, config) = (Arc::new(memory.clone()), PersistenceConfig::default());
        let opened = JournalWriter::over(store, EXPIRE_MS, config, wall_ms);
        let (driver, writer) = opened.expect("a journal in memory");
        tokio::spawn(driver.clone().run());
        Self { memory: memory.clone(), driver, writer }
    }

    /// Keeps all that was applied.
    pub(super) fn keep(&mut self) {
        while self.writer.cycle().expect("the journal works") == Cycle::Wrote {}
    }

    /// Ends it as a crash does, and starts it at another time.
    pub(super) fn restart(mut self, wall_ms: u64) -> Self {
        self.keep();
        Self::start(&self.memory.crash(Crash::Lost), wall_ms)
    }

    /// The same over a snapshot.
    pub(super) fn restart_from_snapshot(mut self, wall_ms: u64) -> Self {
        self.keep();
        self.writer.snapshot().expect("the journal works");
        self.restart(wall_ms)
    }

    pub(super) fn open(&mut self, new: NewSession) -> SessionId {
        let driver = self.driver.clone();
        let mut opening = Box::pin(async move { driver.open(new, None).await });
        assert!((&mut opening).now_or_never().is_none(), "it is not kept");
        self.keep();
        opening.now_or_never().expect("it is kept").expect("it works")
    }

    pub(super) fn done(&mut self, session: SessionId, command: Command) -> Reply {
        let driver = self.driver.clone();
        let mut asked = Box::pin(async move {
            let answer = driver.request(session, command).await.expect("the server is there");
            answer.hand_over();
            answer.reply.clone().expect("it is carried out")
        });
        let at_once = (&mut asked).now_or_never();
        self.keep();
        at_once.unwrap_or_else(|| asked.now_or_never().expect("it is kept"))
    }

    pub(super) fn look<T>(&mut self, look: impl FnOnce(&Machine) -> T + Send) -> T {
        let driver = self.driver.clone();
        let mut looking = Box::pin(driver.query(look));
        let at_once = (&mut looking).now_or_never();
        self.keep();
        let seen = at_once.unwrap_or_else(|| looking.now_or_never().expect("it is kept"));
        seen.expect("the server is there")
    }

    /// How many commands the journal has behind its snapshot.
    pub(super) fn commands(&self) -> u64 {
        self.writer.journal().commands
    }

    pub(super) fn figures(&mut self, resource: &'static str) -> (u32, u32, u32) {
        let figures = self.look(|machine| machine.figures(resource));
        (figures.free, figures.held, figures.delayed)
    }
}
