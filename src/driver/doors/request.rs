//! REST's side of the driver: requests that are answered at once.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::machine::{
    Command, Conduct, Fence, Machine, Owner, Refusal, Reply, SessionId, SessionName, Ttl,
};

use crate::driver::commit::watermark::LogPosition;
use crate::driver::handle::Driver;
use crate::driver::ids;
use crate::driver::mode::Unavailable;
use crate::driver::state::address::{Delivered, Outsider, ReplyTo};
use crate::driver::state::queue::Turn;
use crate::driver::state::undelivered::UndeliveredGrant;

/// An answer on its way to a client: dropped before [`Answer::hand_over`] it takes a new grant
/// back.
#[derive(Debug)]
pub struct Answer {
    /// What to tell.
    pub reply: Result<Reply, Refusal>,
    /// What is left of a claim that it grants and that ends by itself, in ms.
    pub left_ms: Option<u32>,
    driver: Driver,
    undelivered: Option<Arc<UndeliveredGrant>>,
}

impl Answer {
    /// An answer that grants nothing that would have to be undone.
    pub(super) fn plain(driver: &Driver, reply: Result<Reply, Refusal>) -> Self {
        Self { reply, left_ms: None, driver: driver.clone(), undelivered: None }
    }

    /// The answer was handed to the connection: what it grants stands from now on.
    pub fn hand_over(&self) {
        if let Some(undelivered) = &self.undelivered {
            undelivered.deliver();
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(undelivered) = self.undelivered.take() {
            self.driver.drop_undelivered(undelivered);
        }
    }
}

/// Where a reply comes: dropped, a new grant that came and nobody took is taken back.
#[derive(Debug)]
pub(super) struct Coming {
    pub(super) driver: Driver,
    pub(super) receiver: oneshot::Receiver<Delivered>,
}

impl Drop for Coming {
    fn drop(&mut self) {
        // What comes from now on finds that nobody is there.
        self.receiver.close();
        if let Ok(Delivered { undelivered: Some(undelivered), .. }) = self.receiver.try_recv() {
            self.driver.drop_undelivered(undelivered);
        }
    }
}

/// Who begins a session, and how.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// What it is called.
    pub name: SessionName,
    /// How long it lives unheard.
    pub ttl: Ttl,
    /// From where it comes.
    pub source: Box<str>,
    /// How it wants to be taken.
    pub conduct: Conduct,
}

impl NewSession {
    pub(super) fn opening(self, session: SessionId) -> Command {
        let Self { name, ttl, source, conduct } = self;
        Command::Open { session, name, ttl, source, conduct }
    }
}

impl Driver {
    /// Opens a session. Its TTL runs from when this returns.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn open(
        &self,
        new: NewSession,
        owner: Option<Owner>,
    ) -> Result<SessionId, Unavailable> {
        let session = ids::new_session_id();
        let (to, receiver) = ReplyTo::request(session, None);
        {
            let mut visit = self.visit()?;
            visit.may_open()?;
            let now = visit.now;
            let open = new.opening(session);
            match owner {
                None => visit.submit(open, to, now),
                Some(owner) => {
                    visit.submit(open, ReplyTo::Nobody, now);
                    visit.submit(Command::Adopt { session, owner }, to, now);
                }
            }
            let position = visit.position();
            visit.pin_until(position, session);
        }
        self.receive(receiver).await?;
        Ok(session)
    }

    /// Carries out a command for a session, which it refreshes.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn request(
        &self,
        session: SessionId,
        command: Command,
    ) -> Result<Answer, Unavailable> {
        let (to, receiver) = ReplyTo::request(session, None);
        {
            let mut visit = self.visit()?;
            let now = visit.now;
            visit.refresh(&session, now);
            visit.submit(command, to, now);
        }
        self.receive(receiver).await
    }

    /// Carries out a command for somebody without a session.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn request_of(
        &self,
        outsider: Outsider,
        command: Command,
    ) -> Result<Answer, Unavailable> {
        let (to, receiver) = ReplyTo::outsider(outsider);
        {
            let mut visit = self.visit()?;
            let now = visit.now;
            visit.submit(command, to, now);
        }
        self.receive(receiver).await
    }

    /// Makes of the reply to come an answer that may leave.
    pub(super) async fn receive(
        &self,
        mut receiver: oneshot::Receiver<Delivered>,
    ) -> Result<Answer, Unavailable> {
        if let Ok(delivered) = receiver.try_recv() {
            return self.finish(delivered).await;
        }
        // It is not applied yet.
        let mut coming = Coming { driver: self.clone(), receiver };
        match (&mut coming.receiver).await {
            Ok(delivered) => self.finish(delivered).await,
            Err(_) => Err(self.why_unanswered()),
        }
    }

    /// Makes of a reply an answer that may leave.
    pub(super) async fn finish(&self, delivered: Delivered) -> Result<Answer, Unavailable> {
        let Delivered { reply, left_ms, undelivered, position } = delivered;
        let answer = Answer { reply, left_ms, driver: self.clone(), undelivered };
        self.reached(position).await?;
        Ok(answer)
    }

    /// Why a request got no reply.
    pub(super) fn why_unanswered(&self) -> Unavailable {
        self.visit_as_driver().mode.why_unanswered()
    }

    /// Refreshes a session; false when there is none. That it lives is said at once, that it does
    /// not only when its end is durable.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn refresh(&self, session: &SessionId) -> Result<bool, Unavailable> {
        self.settled().await?;
        let position = {
            let mut visit = self.visit_alive();
            let now = visit.now;
            if visit.refresh(session, now) {
                return Ok(true);
            }
            visit.mode.may_ask()?;
            visit.position()
        };
        self.reached(position).await?;
        Ok(false)
    }

    /// Queries the machine, on nobody's behalf.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn query<T>(&self, query: impl FnOnce(&Machine) -> T) -> Result<T, Unavailable> {
        self.settled().await?;
        let (seen, position) = {
            let visit = self.visit()?;
            (query(&visit.machine), visit.position())
        };
        self.reached(position).await?;
        Ok(seen)
    }

    /// One who could have handed a grant over is gone. The last undoes it.
    pub(super) fn drop_undelivered(&self, undelivered: Arc<UndeliveredGrant>) {
        // Under the lock from the start: whoever is told of the grant in another way meanwhile
        // finds it here and confirms it, or comes after it was undone.
        let mut visit = self.visit_as_driver();
        let now = visit.now;
        visit.take_turn(Turn::TakeBack(undelivered), now);
    }

    /// Keeps a session alive until what is returned is dropped: a request of it is on its way.
    #[must_use]
    pub fn pin(&self, session: SessionId) -> Pin {
        self.visit_as_driver().pin(&session);
        Pin { driver: self.clone(), session }
    }

    /// Whether a session holds a ticket, and by which grant, which is confirmed by that.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn holds(
        &self,
        session: SessionId,
        resource: &str,
        ticket: &str,
    ) -> Result<Result<Option<Fence>, Refusal>, Unavailable> {
        self.settled().await?;
        let (held, position): (_, LogPosition) = {
            let mut visit = self.visit()?;
            let (now, position) = (visit.now, visit.position());
            visit.refresh(&session, now);
            visit.pin_until(position, session);
            let held = visit.machine.holds(&session, resource, ticket);
            if let Ok(Some(fence)) = held {
                visit.undelivered.confirm(fence);
            }
            (held, position)
        };
        self.reached(position).await?;
        Ok(held)
    }
}

/// A session that does not expire because a request of it is on its way.
#[derive(Debug)]
pub struct Pin {
    driver: Driver,
    session: SessionId,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut visit = self.driver.visit_as_driver();
        let now = visit.now;
        visit.unpin(&self.session, now);
    }
}
