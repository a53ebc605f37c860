//! The sockets' side of the driver: a connection speaks for one session, and a session has one
//! connection at most. What an older one still says is not heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::machine::{Command, EndReason, IssuedState, Refusal, SessionId, SessionName, Ttl};

use crate::driver::commit::watermark::LogPosition;
use crate::driver::handle::Driver;
use crate::driver::ids;
use crate::driver::mode::Unavailable;
use crate::driver::outbox::Outbox;
use crate::driver::outbox::message::{Answered, Ending, Message, WholeState};
use crate::driver::state::State;
use crate::driver::state::address::ReplyTo;
use crate::driver::visit::Visit;

use super::request::Pin;
use super::views::ISSUED_WHOLE_MAX;

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
        let mut visit = self.visit()?;
        let (session, now) = (ids::new_session_id(), visit.now);
        let open = Command::Open { session, name, ttl, source };
        let position = visit.submit(&open, ReplyTo::Nobody, now);
        let connection = self.attach(&mut visit, session, ttl, false);
        connection.say_state(&visit, id, position);
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
        let mut visit = self.visit().map_err(NotAttached::Unavailable)?;
        let (now, position) = (visit.now, visit.position());
        let Some(ttl) = visit.sessions.ttl(&session) else {
            return Err(NotAttached::NotFound(position));
        };
        if !visit.sessions.try_attempt(&session, attempt) {
            return Err(NotAttached::Overtaken);
        }
        visit.refresh(&session, now);
        let connection = self.attach(&mut visit, session, ttl, true);
        connection.say_state(&visit, id, position);
        Ok(connection)
    }

    /// Gives a session its socket; one that it had is cut.
    fn attach(&self, state: &mut State, session: SessionId, ttl: Ttl, resumed: bool) -> Connection {
        let outbox = Arc::new(Outbox::new(state.watermark.clone()));
        if let Some(older) = state.sessions.attach(&session, outbox.clone()) {
            older.cut(Ending::Replaced);
        }
        state.pin(&session);
        let (driver, opening) = (self.clone(), AtomicBool::new(true));
        Connection { driver, session, outbox, ttl, resumed, opening }
    }

    /// Tells all sockets that the server stops, and ends them.
    pub fn dismiss_sockets(&self, after_ms: u32) {
        let mut visit = self.visit_as_driver();
        visit.mode.leave();
        let position = visit.position();
        for socket in visit.sessions.sockets() {
            socket.push(Message::GoingAway(after_ms), position);
            socket.end(Ending::GoingAway, position);
        }
    }

    /// Waits until a refusal may be said.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn may_say(&self, position: LogPosition) -> Result<(), Unavailable> {
        self.reached(position).await
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
    pub fn pin(&self) -> Pin {
        self.driver.pin(self.session)
    }

    /// What the session has issued, for a state that lacks it. It may be later than the state:
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
            let mut visit = self.driver.visit_as_driver();
            let now = visit.now;
            visit.unpin(&self.session, now);
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
        let position = self.driver.visit_as_driver().position();
        self.outbox.end(Ending::Fault(code, reason), position);
    }

    /// Something was heard from the client.
    pub fn heard(&self) {
        let mut visit = self.driver.visit_as_driver();
        let now = visit.now;
        if self.is_current(&visit) {
            visit.refresh(&self.session, now);
        }
    }

    /// Carries out requests in order; the answers go into the outbox. False when this socket no
    /// longer speaks for the session: then nothing was done.
    pub fn ask(&self, requests: impl IntoIterator<Item = (Option<u64>, Asked)>) -> bool {
        let mut visit = self.driver.visit_as_driver();
        let now = visit.now;
        if !self.is_current(&visit) {
            return false;
        }
        visit.refresh(&self.session, now);
        for (id, asked) in requests {
            visit.operations += 1;
            self.carry_out(&mut visit, id, asked);
            if !self.is_current(&visit) {
                break;
            }
        }
        let position = visit.position();
        visit.pin_until(position, self.session);
        true
    }

    fn is_current(&self, state: &State) -> bool {
        let socket = state.sessions.socket(&self.session);
        socket.is_some_and(|socket| Arc::ptr_eq(socket, &self.outbox))
    }

    fn carry_out(&self, visit: &mut Visit<'_>, id: Option<u64>, asked: Asked) {
        let is_beat = matches!(asked, Asked::Beat);
        if let Err(why) = visit.mode.may_ask()
            && !is_beat
        {
            return self.outbox.push_first(Message::Answer(id, Answered::Unavailable(why)));
        }
        let now = visit.now;
        match asked {
            Asked::Command(command) => {
                if let Command::Unwatch { resource, .. } = &command {
                    self.outbox.drop_change(resource);
                }
                visit.submit(&command, ReplyTo::Socket(self.outbox.clone(), id), now);
            }
            // Says nothing about the state, so that it waits for nothing.
            Asked::Beat => self.say(id, Answered::Beat(self.ttl.as_ms()), LogPosition::default()),
            Asked::State => self.say_state(visit, id, visit.position()),
            Asked::Bye => {
                let close = Command::Close { session: self.session };
                visit.submit(&close, ReplyTo::Bye(self.outbox.clone(), id), now);
            }
            Asked::Bad(why) => self.say(id, Answered::Bad(why), visit.position()),
            Asked::TooLarge(why) => self.say(id, Answered::TooLarge(why), visit.position()),
        }
    }

    fn say(&self, id: Option<u64>, answered: Answered, position: LogPosition) {
        self.outbox.push(Message::Answer(id, answered), position);
    }

    fn say_state(&self, state: &State, id: Option<u64>, position: LogPosition) {
        let lacks_issued = state.machine.issued_count(&self.session) > ISSUED_WHOLE_MAX;
        let session = if lacks_issued {
            state.machine.state_head(&self.session)
        } else {
            state.machine.state(&self.session)
        };
        let Some(session) = session else {
            let gone = Answered::Reply(Err(Refusal::SessionNotFound));
            return self.say(id, gone, position);
        };
        for hold in &session.holds {
            state.undelivered.confirm(hold.fence());
        }
        let (epoch, ping_ms) = (state.epoch.clone(), ping_ms(self.ttl));
        let whole = WholeState { session, resumed: self.resumed, epoch, ping_ms, lacks_issued };
        self.say(id, Answered::State(Box::new(whole)), position);
        if !state.mode.may_stay() {
            self.outbox.end(Ending::GoingAway, position);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut visit = self.driver.visit_as_driver();
        let now = visit.now;
        if self.opening.swap(false, Ordering::Relaxed) {
            visit.unpin(&self.session, now);
        }
        visit.sessions.detach(&self.session, &self.outbox);
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
