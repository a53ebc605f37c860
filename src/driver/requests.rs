//! REST's side of the driver: requests that are answered at once, and requests that wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::oneshot;

use crate::machine::{
    Command, Fence, Grant, Machine, Name, Refusal, Reply, RequestId, SessionId, Ttl,
};
use crate::machine::{WaitOrigin, WaitRequest, WaitTimeout};

use super::Driver;
use super::core::Core;
use super::watermark::LogPosition;

/// How a waiting request ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Granted { grant: Grant, share: Option<Arc<UndeliveredGrant>> },
    TimedOut,
    SessionGone,
}

/// A grant that only REST requests were told of. When the last of them is dropped and none was
/// handed its answer, nobody knows of the grant: it is undone.
#[derive(Debug)]
pub(super) struct UndeliveredGrant {
    session: SessionId,
    resource: Name,
    /// `None` for a lock.
    ticket: Option<Name>,
    fence: Fence,
    told: AtomicBool,
}

impl UndeliveredGrant {
    pub(super) fn new(session: SessionId, grant: &Grant) -> Arc<Self> {
        let (resource, ticket) = match grant {
            Grant::Lock(grant) => (grant.resource.clone(), None),
            Grant::Ticket(grant) => (grant.resource.clone(), Some(grant.ticket.clone())),
        };
        let (fence, told) = (grant.fence(), AtomicBool::new(false));
        Arc::new(Self { session, resource, ticket, fence, told })
    }

    /// Somebody was told.
    pub(super) fn tell(&self) {
        self.told.store(true, Ordering::Release);
    }

    fn undoing(&self) -> Command {
        let (session, resource) = (self.session, self.resource.clone());
        let (fence, by_socket) = (Some(self.fence), true);
        match &self.ticket {
            None => Command::Unlock { session, resource, fence, by_socket },
            Some(ticket) => {
                Command::Release { session, resource, ticket: ticket.clone(), fence, by_socket }
            }
        }
    }
}

/// An answer on its way to a client: dropped before [`Answer::hand_over`] it takes a new grant
/// back.
#[derive(Debug)]
pub struct Answer {
    /// What to tell.
    pub reply: Result<Reply, Refusal>,
    driver: Driver,
    share: Option<Arc<UndeliveredGrant>>,
}

impl Answer {
    /// The answer was handed to the connection: what it grants stands from now on.
    pub fn hand_over(&self) {
        if let Some(share) = &self.share {
            share.tell();
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(share) = self.share.take() {
            self.driver.drop_share(share);
        }
    }
}

/// An answer, and when it may leave.
type Settled = (Answer, LogPosition);

/// How a request that may wait begins.
enum Begun {
    Waits(Waiting),
    Settled(Settled),
}

/// A place in a queue; dropped it is given up.
#[derive(Debug)]
struct Waiting {
    driver: Driver,
    request: RequestId,
    /// Of the session that waits.
    ttl: Ttl,
    answer: oneshot::Receiver<(Outcome, LogPosition)>,
    done: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        {
            let mut core = self.driver.core();
            let now = core.enter();
            core.stop_waiting(self.request, Outcome::TimedOut, now);
        }
        // The grant came first: it is in the channel, and nobody will take it from there.
        if let Ok((Outcome::Granted { share: Some(share), .. }, _)) = self.answer.try_recv() {
            self.driver.drop_share(share);
        }
    }
}

impl Driver {
    /// Opens a session. Its TTL runs from when this returns.
    ///
    /// # Errors
    /// [`super::Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn open(
        &self,
        name: crate::machine::SessionName,
        ttl: crate::machine::Ttl,
        source: Box<str>,
    ) -> Result<SessionId, super::Unavailable> {
        let (session, position) = {
            let mut core = self.core();
            core.may_ask()?;
            let now = core.enter();
            core.operations += 1;
            let (session, position) = core.open(name, ttl, source, now);
            core.hold_until(position, session);
            (session, position)
        };
        self.committed(position).await?;
        Ok(session)
    }

    /// Carries out a command for a session, which it refreshes.
    ///
    /// # Errors
    /// [`super::Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn request(
        &self,
        session: SessionId,
        command: Command,
    ) -> Result<Answer, super::Unavailable> {
        let committed = {
            let mut core = self.core();
            core.may_ask()?;
            let now = core.enter();
            core.operations += 1;
            core.refresh(&session, now);
            let (reply, position) = core.submit(&command, now);
            core.hold_until(position, session);
            (self.answer(&mut core, session, reply, position), position)
        };
        self.finish(committed).await
    }

    fn answer(
        &self,
        core: &mut Core,
        session: SessionId,
        reply: Result<Reply, Refusal>,
        position: LogPosition,
    ) -> Answer {
        let share = match &reply {
            // What is durable already is handed over without a pause.
            Ok(Reply::Granted { grant, fresh: true }) if !core.watermark.has(position) => {
                Some(core.share(session, grant))
            }
            Ok(Reply::Granted { grant, fresh: false }) => {
                core.confirm(grant.fence());
                None
            }
            _ => None,
        };
        Answer { reply, driver: self.clone(), share }
    }

    /// Carries out a command that may wait up to `wait_ms` for its grant; `command` is given the
    /// wish to wait. Dropped while it waits it leaves the queue. When the time is up the answer is
    /// [`Reply::NotGranted`].
    ///
    /// # Errors
    /// [`super::Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn request_waiting(
        &self,
        session: SessionId,
        wait_ms: u32,
        command: impl FnOnce(WaitRequest) -> Command,
    ) -> Result<Answer, super::Unavailable> {
        let never = |_| std::future::pending();
        self.request_waiting_unless(session, wait_ms, command, never).await
    }

    /// The same for a client that may go. Once the request is in the queue, `gone` is given the
    /// session's ttl; when it is done before the answer may be said, the request leaves the queue,
    /// what was granted to it is undone, and the answer is [`Reply::NotGranted`]. One that does not
    /// queue is answered whether the client is there or not.
    ///
    /// # Errors
    /// [`super::Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn request_waiting_unless<G: Future<Output = ()>>(
        &self,
        session: SessionId,
        wait_ms: u32,
        command: impl FnOnce(WaitRequest) -> Command,
        gone: impl FnOnce(Ttl) -> G,
    ) -> Result<Answer, super::Unavailable> {
        let waiting = match self.begin_waiting(session, wait_ms, command)? {
            Begun::Waits(waiting) => waiting,
            Begun::Settled(committed) => return self.finish(committed).await,
        };
        let gone = gone(waiting.ttl);
        tokio::select! {
            biased;
            answered = self.await_grant(waiting) => return answered,
            () = gone => {}
        }
        // What waited was dropped by now, so this position covers that it left and what was undone.
        let position = self.core().position();
        let reply = Ok(Reply::NotGranted);
        self.finish((Answer { reply, driver: self.clone(), share: None }, position)).await
    }

    async fn await_grant(&self, mut waiting: Waiting) -> Result<Answer, super::Unavailable> {
        let received = (&mut waiting.answer).await;
        waiting.done = true;
        let (reply, share, position) = match received {
            Ok((Outcome::Granted { grant, share }, position)) => {
                (Ok(Reply::Granted { grant, fresh: true }), share, position)
            }
            Ok((Outcome::TimedOut, position)) => (Ok(Reply::NotGranted), None, position),
            Ok((Outcome::SessionGone, position)) => (Err(Refusal::SessionNotFound), None, position),
            Err(_) => {
                let why = self.core().may_ask().err();
                return Err(why.unwrap_or(super::Unavailable::Leaving));
            }
        };
        let answer = Answer { reply, driver: self.clone(), share };
        self.finish((answer, position)).await
    }

    fn begin_waiting(
        &self,
        session: SessionId,
        wait_ms: u32,
        command: impl FnOnce(WaitRequest) -> Command,
    ) -> Result<Begun, super::Unavailable> {
        let mut core = self.core();
        core.may_ask()?;
        let now = core.enter();
        core.operations += 1;
        core.refresh(&session, now);
        let request = core.next_request();
        let ask =
            WaitRequest { way: WaitOrigin::Request(request), length: WaitTimeout::Ms(wait_ms) };
        let (reply, position) = core.submit(&command(ask), now);
        let Ok(Reply::Queued { wait, .. }) = reply else {
            core.hold_until(position, session);
            let answer = self.answer(&mut core, session, reply, position);
            return Ok(Begun::Settled((answer, position)));
        };
        let answer = core.await_answer(request, wait, session, u64::from(wait_ms), now);
        if core.leaving {
            core.stop_waiting(request, Outcome::TimedOut, now);
        }
        let ttl = core.sessions[&session].ttl;
        Ok(Begun::Waits(Waiting { driver: self.clone(), request, ttl, answer, done: false }))
    }

    async fn finish(&self, committed: Settled) -> Result<Answer, super::Unavailable> {
        let (answer, position) = committed;
        self.committed(position).await?;
        Ok(answer)
    }

    /// Refreshes a session; false when there is none. That it lives is said at once, that it does
    /// not only when its end is durable.
    ///
    /// # Errors
    /// [`super::Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn refresh(&self, session: &SessionId) -> Result<bool, super::Unavailable> {
        let position = {
            let mut core = self.core();
            let now = core.enter();
            core.operations += 1;
            if core.refresh(session, now) {
                return Ok(true);
            }
            core.may_ask()?;
            core.position()
        };
        self.committed(position).await?;
        Ok(false)
    }

    /// Looks at the machine, on nobody's behalf.
    ///
    /// # Errors
    /// [`super::Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn look<T>(&self, look: impl FnOnce(&Machine) -> T) -> Result<T, super::Unavailable> {
        let (seen, position) = {
            let mut core = self.core();
            core.may_ask()?;
            core.enter();
            core.operations += 1;
            (look(&core.machine), core.position())
        };
        self.committed(position).await?;
        Ok(seen)
    }

    fn drop_share(&self, share: Arc<UndeliveredGrant>) {
        // Under the lock from the start: whoever is told of the grant in another way meanwhile
        // finds the share and confirms it, or comes after it was undone.
        let mut core = self.core();
        let Some(share) = Arc::into_inner(share) else { return };
        core.undelivered.remove(&share.fence);
        if share.told.load(Ordering::Acquire) {
            return;
        }
        let now = core.enter();
        let (undone, _) = core.submit(&share.undoing(), now);
        tracing::debug!(undone = undone.is_ok(), "a grant could not be handed over");
    }

    /// Keeps a session alive until what is returned is dropped: a request of it is on its way.
    #[must_use]
    pub fn hold(&self, session: SessionId) -> Pin {
        let mut core = self.core();
        core.enter();
        core.pin(&session);
        Pin { driver: self.clone(), session }
    }

    /// Whether a session holds a ticket, and by which grant, which is confirmed by that.
    ///
    /// # Errors
    /// [`super::Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn holds(
        &self,
        session: SessionId,
        resource: &str,
        ticket: &str,
    ) -> Result<Result<Option<Fence>, Refusal>, super::Unavailable> {
        let (held, position) = {
            let mut core = self.core();
            core.may_ask()?;
            let now = core.enter();
            core.operations += 1;
            let position = core.position();
            core.refresh(&session, now);
            core.hold_until(position, session);
            let held = core.machine.holds(&session, resource, ticket);
            if let Ok(Some(fence)) = held {
                core.confirm(fence);
            }
            (held, position)
        };
        self.committed(position).await?;
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
        let mut core = self.driver.core();
        let now = core.enter();
        core.unpin(&self.session, now);
    }
}
