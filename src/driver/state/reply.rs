//! How replies are delivered.

use std::sync::Arc;

use crate::deadlines::At;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::message::{Answered, Ending, Message};
use crate::machine::{Refusal, Reply, RequestId};

use super::State;
use super::address::{Delivered, ReplyTo, RequestAddress};
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
            ReplyTo::Socket(outbox, id) => {
                if let Ok(Reply::Granted { grant, fresh: false }) = &reply {
                    self.undelivered.confirm(grant.fence());
                }
                outbox.push(Message::Answer(id, Answered::Reply(reply)), position);
            }
            ReplyTo::Bye(outbox, id) => {
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
            (Ok(Reply::Queued { .. }), Some(request)) => return self.waits.park(request, sender),
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
        // A receiver that is gone has given up already, or is about to: it then finds what is in
        // its channel.
        let _ = sender.send(Delivered { reply, undelivered, position });
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
                let _ = sender.send(Delivered { reply, undelivered, position });
            }
        }
    }
}
