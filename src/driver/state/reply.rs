//! How replies are delivered.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::deadlines::At;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::message::{Answered, Ending, Message};
use crate::machine::{Refusal, Reply, RequestId};

use super::State;
use super::address::{Delivered, ReplyTo, RequestAddress};
use super::queue::Turn;
use super::speaker::Speaker;
use super::undelivered::UndeliveredGrant;

impl State {
    pub(super) fn deliver(
        &mut self,
        to: ReplyTo,
        reply: Result<Reply, Refusal>,
        position: LogPosition,
    ) {
        match to {
            ReplyTo::Nobody => {}
            ReplyTo::Request(address) => self.deliver_to_request(address, reply, position),
            ReplyTo::Socket(Speaker { outbox, .. }, id) => {
                if let Ok(Reply::Granted { grant, fresh: false }) = &reply {
                    self.undelivered.confirm(grant.fence());
                }
                outbox.push(Message::Answer(id, Answered::Reply(reply)), position);
            }
            ReplyTo::Bye(Speaker { outbox, .. }, id) => {
                outbox.push(Message::Answer(id, Answered::Done), position);
                outbox.end(Ending::Bye, position);
            }
        }
    }

    fn deliver_to_request(
        &mut self,
        address: RequestAddress,
        reply: Result<Reply, Refusal>,
        position: LogPosition,
    ) {
        let RequestAddress { session, waits_as, sender } = address;
        let undelivered = match (&reply, waits_as) {
            (Ok(Reply::Queued { .. }), Some(request)) => {
                self.waits.park(request, sender);
                if !self.mode.may_stay() {
                    self.afterwards.push(Turn::Withdraw(request));
                }
                return;
            }
            // What is durable already is handed over without a pause.
            (Ok(Reply::Granted { grant, fresh: true }), _) if !self.watermark.has(position) => {
                Some(self.undelivered.add(session, grant))
            }
            (Ok(Reply::Granted { grant, fresh: false }), _) => {
                self.undelivered.confirm(grant.fence());
                None
            }
            _ => None,
        };
        self.pin_until(position, session);
        self.send(sender, Delivered { reply, undelivered, position });
    }

    /// Sends a reply to one who may be gone: then there is one less who could be told of a grant.
    /// (Who is about to give up finds what is in its channel.)
    fn send(&mut self, sender: oneshot::Sender<Delivered>, delivered: Delivered) {
        let unheard = sender.send(delivered).err();
        let undelivered = unheard.and_then(|delivered| delivered.undelivered);
        self.afterwards.extend(undelivered.map(Turn::TakeBack));
    }

    /// A request waits no more, and this is its answer.
    pub(super) fn end_request(
        &mut self,
        request: RequestId,
        reply: Result<Reply, Refusal>,
        undelivered: Option<Arc<UndeliveredGrant>>,
        position: LogPosition,
        now: At,
    ) {
        let ended = self.waits.request_ended(request, &mut self.deadlines);
        if let Some((session, sender)) = ended {
            self.sessions.unpin(&session, &mut self.deadlines, now);
            self.pin_until(position, session);
            if let Some(sender) = sender {
                self.send(sender, Delivered { reply, undelivered, position });
            }
        }
    }
}
