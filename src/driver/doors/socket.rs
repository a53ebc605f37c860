//! The sockets' side of the driver: a connection speaks for one session, and a session has one
//! connection at most. What an older one still says is not heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::access::Subject;
use crate::machine::{Command, EndReason, IssuedState, Name, SessionId, Ttl, WatchState};

use crate::driver::commit::watermark::LogPosition;
use crate::driver::handle::Driver;
use crate::driver::ids;
use crate::driver::mode::Unavailable;
use crate::driver::outbox::Outbox;
use crate::driver::outbox::message::{Answered, Ending, Message, RequestMark};
use crate::driver::outbox::watched::WatchedHolders;
use crate::driver::state::address::{ReplyTo, SocketAddress};
use crate::driver::state::queue::Turn;
use crate::driver::state::speaker::Speaker;
use crate::driver::state::verdict::NamedAs;
use crate::driver::visit::Visit;

use super::request::{NewSession, Pin};

/// What a socket asks of its session.
#[derive(Debug)]
pub enum Asked {
    /// A command of its own session's.
    Command(Command),
    /// The same, and a wait that it comes to is told how it moves.
    Following(Command),
    /// How a resource stands, with at most so many who hold it and who wait.
    Look(Name, usize),
    /// A heartbeat.
    Beat,
    /// The whole state.
    State,
    /// The end of the session.
    Bye,
    /// Another proof of who it is.
    Renew(Subject),
    /// Something that the session has no part in; the answer.
    Said(Answered),
    /// It made no sense; why.
    Bad(String),
    /// It was too large; why.
    TooLarge(String),
}

/// A socket that speaks for a session. Dropped, it no longer does; the session lives on.
#[derive(Debug)]
pub struct Connection {
    driver: Driver,
    speaker: Speaker,
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

impl Driver {
    /// Opens a session for a socket. The answer to the request `id` is in the outbox.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub fn connect(
        &self,
        mark: impl Into<RequestMark>,
        new: NewSession,
        subject: Option<&Subject>,
    ) -> Result<Connection, Unavailable> {
        let mut visit = self.visit()?;
        visit.may_open()?;
        let (session, ttl, now) = (ids::new_session_id(), new.ttl, visit.now);
        visit.submit(new.opening(session), ReplyTo::Nobody, now);
        if let Some(owner) = subject.and_then(Subject::owner).cloned() {
            visit.submit(Command::Adopt { session, owner }, ReplyTo::Nobody, now);
        }
        let speaker = Speaker::new(&visit.watermark, session, ttl, false);
        Ok(self.attach(&mut visit, mark.into(), speaker, subject))
    }

    /// Takes a session over for a socket; an older socket is cut. The answer is in the outbox.
    ///
    /// # Errors
    /// When there is no such session, or a socket with a higher attempt has it.
    pub async fn reconnect(
        &self,
        mark: impl Into<RequestMark>,
        session: SessionId,
        attempt: Option<u64>,
        subject: Option<&Subject>,
    ) -> Result<Connection, NotAttached> {
        if let Some(subject) = subject
            && !self.admit(&session, subject).await.map_err(NotAttached::Unavailable)?
        {
            return Err(NotAttached::NotFound(LogPosition::default()));
        }
        self.settled().await.map_err(NotAttached::Unavailable)?;
        let mut visit = self.visit().map_err(NotAttached::Unavailable)?;
        let (now, position) = (visit.now, visit.position());
        let Some(ttl) = visit.sessions.ttl(&session) else {
            return Err(NotAttached::NotFound(position));
        };
        // Somebody may have come to own it meanwhile.
        if subject.is_some_and(|subject| visit.standing(&session, subject) != NamedAs::Own) {
            return Err(NotAttached::NotFound(position));
        }
        if !visit.sessions.try_attempt(&session, attempt) {
            return Err(NotAttached::Overtaken);
        }
        visit.refresh(&session, now);
        let speaker = Speaker::new(&visit.watermark, session, ttl, true);
        Ok(self.attach(&mut visit, mark.into(), speaker, subject))
    }

    /// Gives a session its socket, which is told the state.
    fn attach(
        &self,
        visit: &mut Visit<'_>,
        id: RequestMark,
        speaker: Speaker,
        subject: Option<&Subject>,
    ) -> Connection {
        let now = visit.now;
        visit.take_turn(Turn::Attach(speaker.clone(), id, subject.cloned()), now);
        Connection { driver: self.clone(), speaker, opening: AtomicBool::new(true) }
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
        visit.end_streams();
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
        &self.speaker.outbox
    }

    /// Whom it speaks for.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.speaker.session
    }

    /// The session's TTL.
    #[must_use]
    pub fn ttl(&self) -> Ttl {
        self.speaker.ttl
    }

    /// Where in its interval this session's heartbeat falls, so that all do not beat together:
    /// 0 to 255.
    #[must_use]
    pub fn phase(&self) -> u8 {
        self.speaker.session.0[19]
    }

    /// Keeps the session alive until what is returned is dropped.
    #[must_use]
    pub fn pin(&self) -> Pin {
        self.driver.pin(self.speaker.session)
    }

    /// What the session has issued, for a state that lacks it. It may be later than the state:
    /// what the outbox has behind that may have come to pass in it already. `None` when the session
    /// has ended.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn issued(&self) -> Result<Option<Vec<IssuedState>>, Unavailable> {
        self.driver.issued(&self.speaker.session).await
    }

    /// Who holds what the session watches, for each of these watches, which a state lacks. It may
    /// be later than the state: what changed meanwhile is told behind it.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn watched_holders(
        &self,
        watches: &[WatchState],
    ) -> Result<Vec<Option<Arc<WatchedHolders>>>, Unavailable> {
        self.driver.holders_of_watches(watches).await
    }

    /// The first answer was sent: from now on the TTL runs.
    pub fn opened(&self) {
        if self.opening.swap(false, Ordering::Relaxed) {
            let mut visit = self.driver.visit_as_driver();
            let now = visit.now;
            visit.unpin(&self.speaker.session, now);
        }
    }

    /// The client says no more: the socket is to be closed when everything before that was
    /// answered, unless it is to be closed for another reason already. The end itself says nothing
    /// that would have to be durable.
    pub fn closing(&self) {
        self.take_turn(Turn::End(self.speaker.outbox.clone(), Ending::Closed));
    }

    /// The client said what it may not: the socket is to be closed when everything before that
    /// was answered, unless it is to be closed for another reason already.
    pub fn fault(&self, code: u16, reason: &'static str) {
        let fault = Ending::Fault(code, reason);
        self.take_turn(Turn::End(self.speaker.outbox.clone(), fault));
    }

    /// Something was heard from the client.
    pub fn heard(&self) {
        let mut visit = self.driver.visit_as_driver();
        let now = visit.now;
        if visit.is_current(&self.speaker) {
            visit.refresh(&self.speaker.session, now);
        }
    }

    /// Carries out requests in order; the answers go into the outbox. False when this socket no
    /// longer speaks for the session: then nothing was done.
    pub fn ask(&self, requests: impl IntoIterator<Item = (impl Into<RequestMark>, Asked)>) -> bool {
        let mut visit = self.driver.visit_as_driver();
        let now = visit.now;
        if !visit.may_speak(&self.speaker) {
            return false;
        }
        if visit.is_over(&self.speaker.session) {
            let end = Turn::End(self.speaker.outbox.clone(), Ending::Unauthorized);
            visit.take_turn(end, now);
            return false;
        }
        visit.refresh(&self.speaker.session, now);
        for (id, asked) in requests {
            visit.operations += 1;
            self.carry_out(&mut visit, id.into(), asked);
            if !visit.may_speak(&self.speaker) {
                break;
            }
        }
        let position = visit.position();
        visit.pin_until(position, self.speaker.session);
        true
    }

    fn take_turn(&self, turn: Turn) {
        let mut visit = self.driver.visit_as_driver();
        let now = visit.now;
        visit.take_turn(turn, now);
    }

    fn carry_out(&self, visit: &mut Visit<'_>, id: RequestMark, asked: Asked) {
        let is_beat = matches!(asked, Asked::Beat);
        if let Err(why) = visit.mode.may_ask()
            && !is_beat
        {
            return self.speaker.outbox.push_first(Message::Answer(id, Answered::Unavailable(why)));
        }
        let (now, speaker) = (visit.now, self.speaker.clone());
        let turn = match asked {
            Asked::Command(command) => {
                let address = SocketAddress { speaker, id, follows: false };
                Turn::Command(command, ReplyTo::Socket(address))
            }
            Asked::Following(command) => {
                let address = SocketAddress { speaker, id, follows: true };
                Turn::Command(command, ReplyTo::Socket(address))
            }
            Asked::Look(resource, limit) => Turn::Look(speaker, id, resource, limit),
            Asked::Renew(subject) => Turn::Renew(speaker, id, subject),
            Asked::Said(answer) => Turn::Answer(speaker, id, answer),
            Asked::Beat => Turn::Answer(speaker, id, Answered::Beat(self.speaker.ttl.as_ms())),
            Asked::State => Turn::State(speaker, id),
            Asked::Bye => {
                let close = Command::Close { session: speaker.session, by_other: false };
                Turn::Command(close, ReplyTo::Bye(speaker, id))
            }
            Asked::Bad(why) => Turn::Answer(speaker, id, Answered::Bad(why)),
            Asked::TooLarge(why) => Turn::Answer(speaker, id, Answered::TooLarge(why)),
        };
        visit.take_turn(turn, now);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let is_opening = self.opening.swap(false, Ordering::Relaxed);
        self.take_turn(Turn::Detach(self.speaker.clone(), is_opening));
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
