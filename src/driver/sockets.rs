//! The sockets' side of the driver: a connection speaks for one session, and a session has one
//! connection at most. What an older one still says is not heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::deadlines::At;
use crate::machine::{
    Command, EndReason, IssuedState, Refusal, Reply, SessionId, SessionName, Ttl,
};

use super::core::Core;
use super::message::{Answered, Ending, Message, State};
use super::outbox::Outbox;
use super::views::ISSUED_WHOLE_MAX;
use super::watermark::LogPosition;
use super::{Driver, Unavailable};

/// Longest time between two heartbeats, in ms.
pub const PING_MAX_MS: u32 = 25_000;

/// What a socket asks of its session.
#[derive(Debug)]
pub enum Asked {
    /// A command of its own session's.
    Command(Command),
    /// A heartbeat.
    Beat,
    /// The whole state.
    State,
    /// The end of the session.
    Bye,
    /// It made no sense; why.
    Bad(String),
    /// It was too large; why.
    TooLarge(String),
}

/// A socket that speaks for a session. Dropped, it no longer does; the session lives on.
#[derive(Debug)]
pub struct Connection {
    driver: Driver,
    session: SessionId,
    /// Also tells this socket from the session's former and later ones.
    outbox: Arc<Outbox>,
    ttl: Ttl,
    /// The session was there before.
    resumed: bool,
    /// Its first answer is still on the way: until then the session's TTL does not run.
    opening: AtomicBool,
}

/// Why a socket could not take a session over.
#[derive(Debug)]
pub enum NotAttached {
    /// There is no such session.
    NotFound(LogPosition),
    /// A later attempt has come first.
    Overtaken,
    /// The server cannot promise that it will remember what it would say; why.
    Unavailable(Unavailable),
}

/// Time between two heartbeats of a session, in ms.
#[must_use]
pub fn ping_ms(ttl: Ttl) -> u32 {
    (ttl.as_ms() / 3).clamp(1, PING_MAX_MS)
}

impl Driver {
    /// Opens a session for a socket. The answer to the request `id` is in the outbox.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub fn connect(
        &self,
        id: Option<u64>,
        name: SessionName,
        ttl: Ttl,
        source: Box<str>,
    ) -> Result<Connection, Unavailable> {
        let mut core = self.core();
        core.may_ask()?;
        let now = core.enter();
        core.operations += 1;
        let (session, position) = core.open(name, ttl, source, now);
        let connection = self.attach_to(&mut core, session, ttl, false);
        connection.say_state(&core, id, position);
        Ok(connection)
    }

    /// Takes a session over for a socket; an older socket is cut. The answer is in the outbox.
    ///
    /// # Errors
    /// When there is no such session, or a socket with a higher attempt has it.
    pub fn reconnect(
        &self,
        id: Option<u64>,
        session: SessionId,
        attempt: Option<u64>,
    ) -> Result<Connection, NotAttached> {
        let mut core = self.core();
        core.may_ask().map_err(NotAttached::Unavailable)?;
        let now = core.enter();
        core.operations += 1;
        let position = core.position();
        let Some(entry) = core.sessions.get_mut(&session) else {
            return Err(NotAttached::NotFound(position));
        };
        if attempt.is_some() && attempt < entry.attempt {
            return Err(NotAttached::Overtaken);
        }
        entry.attempt = entry.attempt.max(attempt);
        if let Some(older) = entry.socket.take() {
            older.cut(Ending::Replaced);
        }
        let ttl = entry.ttl;
        core.refresh(&session, now);
        let connection = self.attach_to(&mut core, session, ttl, true);
        connection.say_state(&core, id, position);
        Ok(connection)
    }

    fn attach_to(
        &self,
        core: &mut Core,
        session: SessionId,
        ttl: Ttl,
        resumed: bool,
    ) -> Connection {
        let outbox = Arc::new(Outbox::new(core.watermark.clone()));
        if let Some(entry) = core.sessions.get_mut(&session) {
            entry.socket = Some(outbox.clone());
        }
        core.pin(&session);
        let (driver, opening) = (self.clone(), AtomicBool::new(true));
        Connection { driver, session, outbox, ttl, resumed, opening }
    }

    /// Tells all sockets that the server stops, and ends them.
    pub fn dismiss_sockets(&self, after_ms: u32) {
        let mut core = self.core();
        core.enter();
        core.leaving = true;
        let position = core.position();
        for socket in core.sessions.values().filter_map(|entry| entry.socket.as_ref()) {
            socket.push(Message::GoingAway(after_ms), position);
            socket.end(Ending::GoingAway, position);
        }
    }

    /// Waits until a refusal may be said.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn may_say(&self, position: LogPosition) -> Result<(), Unavailable> {
        self.committed(position).await
    }
}

impl Connection {
    /// What is to be told to the socket.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Whom it speaks for.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The session's TTL.
    #[must_use]
    pub fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// Where in its interval this session's heartbeat falls, so that all do not beat together:
    /// 0 to 255.
    #[must_use]
    pub fn phase(&self) -> u8 {
        self.session.0[19]
    }

    /// Keeps the session alive until what is returned is dropped.
    #[must_use]
    pub fn hold(&self) -> super::Pin {
        self.driver.hold(self.session)
    }

    /// What the session has issued, for a [`State`] that lacks it. It may be later than the state:
    /// what the outbox has behind that may have come to pass in it already. `None` when the session
    /// has ended.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn issued(&self) -> Result<Option<Vec<IssuedState>>, Unavailable> {
        self.driver.issued(&self.session).await
    }

    /// The first answer was sent: from now on the TTL runs.
    pub fn opened(&self) {
        if self.opening.swap(false, Ordering::Relaxed) {
            let mut core = self.driver.core();
            let now = core.enter();
            core.unpin(&self.session, now);
        }
    }

    /// The client says no more: the socket is to be closed when everything before that was
    /// answered, unless it is to be closed for another reason already. The end itself says nothing
    /// that would have to be durable.
    pub fn closing(&self) {
        self.outbox.end(Ending::Closed, LogPosition::default());
    }

    /// The client said what it may not: the socket is to be closed when everything before that
    /// was answered, unless it is to be closed for another reason already.
    pub fn fault(&self, code: u16, reason: &'static str) {
        let mut core = self.driver.core();
        core.enter();
        self.outbox.end(Ending::Fault(code, reason), core.position());
    }

    /// Something was heard from the client.
    pub fn heard(&self) {
        let mut core = self.driver.core();
        let now = core.enter();
        if self.is_current(&core) {
            core.refresh(&self.session, now);
        }
    }

    /// Carries out requests in order; the answers go into the outbox. False when this socket no
    /// longer speaks for the session: then nothing was done.
    pub fn ask(&self, requests: impl IntoIterator<Item = (Option<u64>, Asked)>) -> bool {
        let mut core = self.driver.core();
        let now = core.enter();
        if !self.is_current(&core) {
            return false;
        }
        core.refresh(&self.session, now);
        for (id, asked) in requests {
            core.operations += 1;
            self.carry_out(&mut core, id, asked, now);
            if !self.is_current(&core) {
                break;
            }
        }
        let position = core.position();
        core.hold_until(position, self.session);
        true
    }

    fn is_current(&self, core: &Core) -> bool {
        let socket = core.sessions.get(&self.session).and_then(|p| p.socket.as_ref());
        socket.is_some_and(|socket| Arc::ptr_eq(socket, &self.outbox))
    }

    fn carry_out(&self, core: &mut Core, id: Option<u64>, asked: Asked, now: At) {
        let is_beat = matches!(asked, Asked::Beat);
        if let Err(why) = core.may_ask()
            && !is_beat
        {
            return self.outbox.push_first(Message::Answer(id, Answered::Unavailable(why)));
        }
        match asked {
            Asked::Command(command) => self.submit(core, id, &command, now),
            // Says nothing about the state, so that it waits for nothing.
            Asked::Beat => self.say(id, Answered::Beat(self.ttl.as_ms()), LogPosition::default()),
            Asked::State => self.say_state(core, id, core.position()),
            Asked::Bye => {
                let session = self.session;
                core.submit_then(&Command::Close { session }, now, |_, _, position| {
                    self.say(id, Answered::Done, position);
                    self.outbox.end(Ending::Bye, position);
                });
            }
            Asked::Bad(why) => self.say(id, Answered::Bad(why), core.position()),
            Asked::TooLarge(why) => self.say(id, Answered::TooLarge(why), core.position()),
        }
    }

    fn submit(&self, core: &mut Core, id: Option<u64>, command: &Command, now: At) {
        if let Command::Unwatch { resource, .. } = command {
            self.outbox.drop_change(resource);
        }
        core.submit_then(command, now, |core, reply, position| {
            match (command, &reply) {
                (
                    Command::Lock { ask: Some(ask), .. } | Command::Claim { ask: Some(ask), .. },
                    Ok(Reply::Queued { wait, .. }),
                ) => core.time_wait(self.session, *wait, ask.length, now),
                (Command::Cancel { wait, .. }, Ok(Reply::Cancelled(true))) => {
                    core.untime_wait(self.session, *wait);
                }
                _ => {}
            }
            if let Ok(Reply::Granted { grant, fresh: false }) = &reply {
                core.confirm(grant.fence());
            }
            self.say(id, Answered::Reply(reply), position);
        });
    }

    fn say(&self, id: Option<u64>, answered: Answered, position: LogPosition) {
        self.outbox.push(Message::Answer(id, answered), position);
    }

    fn say_state(&self, core: &Core, id: Option<u64>, position: LogPosition) {
        let lacks_issued = core.machine.issued_count(&self.session) > ISSUED_WHOLE_MAX;
        let session = if lacks_issued {
            core.machine.state_head(&self.session)
        } else {
            core.machine.state(&self.session)
        };
        let Some(session) = session else {
            let gone = Answered::Reply(Err(Refusal::SessionNotFound));
            return self.say(id, gone, position);
        };
        for hold in &session.holds {
            core.confirm(hold.fence());
        }
        let (epoch, ping_ms) = (core.epoch.clone(), ping_ms(self.ttl));
        let state = State { session, resumed: self.resumed, epoch, ping_ms, lacks_issued };
        self.say(id, Answered::State(Box::new(state)), position);
        if core.leaving {
            self.outbox.end(Ending::GoingAway, position);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut core = self.driver.core();
        let now = core.enter();
        if self.opening.swap(false, Ordering::Relaxed) {
            core.unpin(&self.session, now);
        }
        if self.is_current(&core)
            && let Some(entry) = core.sessions.get_mut(&self.session)
        {
            entry.socket = None;
        }
    }
}

/// The reason that goes with the end of a session.
#[must_use]
pub fn reason(why: EndReason) -> &'static str {
    match why {
        EndReason::Closed => "closed",
        EndReason::Expired => "expired",
    }
}
