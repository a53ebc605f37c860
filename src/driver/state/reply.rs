//! How replies are delivered.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::deadlines::At;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::message::{Answered, Ending, Message};
use crate::machine::{Command, Grant, Refusal, Reply, RequestId};

use super::State;
use super::address::{Asker, Delivered, ReplyTo, RequestAddress, SocketAddress};
use super::queue::Turn;
use super::speaker::Speaker;
use super::undelivered::UndeliveredGrant;
use super::watched::watched_holders;

impl State {
    pub(super) fn deliver(
        &mut self,
        to: ReplyTo,
        command: &Command,
        reply: Result<Reply, Refusal>,
        position: LogPosition,
        now: At,
    ) {
        self.confirm_by(command, &reply);
        match to {
            ReplyTo::Nobody => {}
            ReplyTo::Request(address) => self.deliver_to_request(address, reply, position, now),
            ReplyTo::Socket(SocketAddress { speaker, id, follows }) => {
                if let (true, Ok(Reply::Queued { wait, position })) = (follows, &reply) {
                    self.progress.follow(speaker.session, *wait, *position);
                }
                let answered = self.answered(command, reply, now);
                speaker.outbox.push(Message::Answer(id, answered), position);
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
        now: At,
    ) {
        let RequestAddress { asker, waits_as, sender } = address;
        let left_ms = self.left_of(&reply, now);
        let session = match asker {
            Asker::Session(session) => session,
            Asker::Outsider(_) => {
                let undelivered = None;
                return self.send(sender, Delivered { reply, left_ms, undelivered, position });
            }
        };
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
            _ => None,
        };
        self.pin_until(position, session);
        self.send(sender, Delivered { reply, left_ms, undelivered, position });
    }

    /// A reply that tells a session in another way that it has a grant confirms that.
    fn confirm_by(&self, command: &Command, reply: &Result<Reply, Refusal>) {
        let told = match (command, reply) {
            (_, Ok(Reply::Granted { grant, fresh: false })) => Some(grant.fence()),
            (Command::Touch { session, resource, ticket, .. }, Ok(_)) => {
                self.machine.holds(session, resource.as_str(), ticket.as_str()).ok().flatten()
            }
            _ => None,
        };
        if let Some(fence) = told {
            self.undelivered.confirm(fence);
        }
    }

    /// What a socket is answered.
    fn answered(&self, command: &Command, reply: Result<Reply, Refusal>, now: At) -> Answered {
        let left_ms = self.left_of(&reply, now);
        match (command, reply, left_ms) {
            (_, Ok(Reply::Granted { grant, fresh: false }), Some(left_ms)) => {
                Answered::Confirmed { grant, left_ms }
            }
            (Command::Watch { resource, changes: true, .. }, Ok(Reply::Watching(figures)), _) => {
                let holders = watched_holders(&self.machine, resource, &figures);
                Answered::Watching(figures, holders)
            }
            (_, reply, _) => Answered::Reply(reply),
        }
    }

    /// What is left of a claim that is granted and ends by itself, in ms.
    fn left_of(&self, reply: &Result<Reply, Refusal>, now: At) -> Option<u32> {
        match reply {
            Ok(Reply::Granted { grant: Grant::Ticket(grant), fresh: true }) => grant.hold_ms,
            Ok(Reply::Granted { grant: Grant::Ticket(grant), fresh: false }) => {
                self.timings.left_ms(grant.fence, now)
            }
            _ => None,
        }
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
            self.progress.moved();
            self.sessions.unpin(&session, &mut self.deadlines, now);
            self.pin_until(position, session);
            if let Some(sender) = sender {
                let left_ms = self.left_of(&reply, now);
                self.send(sender, Delivered { reply, left_ms, undelivered, position });
            }
        }
    }
}
