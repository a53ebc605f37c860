//! REST's side of the driver: requests that wait in a queue.

use tokio::sync::oneshot;

use crate::machine::{
    Command, Reply, RequestId, SessionId, Ttl, WaitOrigin, WaitRequest, WaitTimeout,
};

use crate::driver::handle::Driver;
use crate::driver::mode::Unavailable;
use crate::driver::state::address::{Delivered, ReplyTo};
use crate::driver::state::queue::Turn;

use super::request::{Answer, Coming};

/// How a request that may wait begins.
enum Begun {
    Waits(Waiting),
    Answered(Delivered),
    Refused(oneshot::Receiver<Delivered>),
}

/// A place in a queue; dropped it is given up.
#[derive(Debug)]
struct Waiting {
    request: RequestId,
    /// Of the session that waits.
    ttl: Ttl,
    /// Dropped when the request has left the queue: the grant may have come first.
    coming: Coming,
    is_done: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut visit = self.coming.driver.visit_as_driver();
        let now = visit.now;
        visit.take_turn(Turn::Withdraw(self.request), now);
    }
}

impl Driver {
    /// Carries out a command that may wait up to `wait_ms` for its grant; `command` is given the
    /// wish to wait. Dropped while it waits it leaves the queue. When the time is up the answer is
    /// [`Reply::NotGranted`].
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn request_waiting(
        &self,
        session: SessionId,
        wait_ms: u32,
        command: impl FnOnce(WaitRequest) -> Command,
    ) -> Result<Answer, Unavailable> {
        let never = |_| std::future::pending();
        self.request_waiting_unless(session, wait_ms, command, never).await
    }

    /// The same for a client that may go. Once the request is in the queue, `gone` is given the
    /// session's ttl; when it is done before the answer may be said, the request leaves the queue,
    /// what was granted to it is undone, and the answer is [`Reply::NotGranted`]. One that does not
    /// queue is answered whether the client is there or not.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that it will be remembered.
    pub async fn request_waiting_unless<G: Future<Output = ()>>(
        &self,
        session: SessionId,
        wait_ms: u32,
        command: impl FnOnce(WaitRequest) -> Command,
        gone: impl FnOnce(Ttl) -> G,
    ) -> Result<Answer, Unavailable> {
        let waiting = match self.begin_waiting(session, wait_ms, command)? {
            Begun::Waits(waiting) => waiting,
            Begun::Answered(delivered) => return self.finish(delivered).await,
            Begun::Refused(receiver) => return self.receive(receiver).await,
        };
        let gone = gone(waiting.ttl);
        tokio::select! {
            biased;
            answered = self.await_grant(waiting) => return answered,
            () = gone => {}
        }
        // What waited was dropped by now, so this position covers that it left and what was undone.
        self.settled().await?;
        let position = self.visit_as_driver().position();
        self.reached(position).await?;
        Ok(Answer::plain(self, Ok(Reply::NotGranted)))
    }

    async fn await_grant(&self, mut waiting: Waiting) -> Result<Answer, Unavailable> {
        let received = (&mut waiting.coming.receiver).await;
        waiting.is_done = true;
        match received {
            Ok(delivered) => self.finish(delivered).await,
            Err(_) => Err(self.why_unanswered()),
        }
    }

    fn begin_waiting(
        &self,
        session: SessionId,
        wait_ms: u32,
        command: impl FnOnce(WaitRequest) -> Command,
    ) -> Result<Begun, Unavailable> {
        let mut visit = self.visit()?;
        let now = visit.now;
        visit.refresh(&session, now);
        let request = visit.waits.next_request();
        let (to, mut receiver) = ReplyTo::request(session, Some(request));
        let origin = WaitOrigin::Request(request);
        let wish = WaitRequest { origin, timeout: WaitTimeout::Ms(wait_ms) };
        visit.submit(command(wish), to, now);
        if let Ok(delivered) = receiver.try_recv() {
            return Ok(Begun::Answered(delivered));
        }
        // One without a session does not wait, but is refused.
        let Some(ttl) = visit.sessions.ttl(&session) else { return Ok(Begun::Refused(receiver)) };
        let coming = Coming { driver: self.clone(), receiver };
        Ok(Begun::Waits(Waiting { request, ttl, coming, is_done: false }))
    }
}
