//! Messages as frames, and how long a write may be stuck.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::SinkExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame, Utf8Bytes};

use crate::driver::{Answered, ChangeEvent, Message};
use crate::machine::{Figures, Name};
use crate::meters::Mark;
use crate::server::access::enter::forbidden;
use crate::server::meters::{Ended, Requests};
use crate::server::refs::session_ref;
use crate::server::shown;
use crate::wire::socket::{Response, SocketEvent, close};
use crate::wire::{Code, Holders, Problem};

use super::end::End;
use super::incoming::Outgoing;

/// How long a write may be stuck.
pub(super) const STUCK_MAX: Duration = Duration::from_secs(5);

/// Writes a message that is no whole state. Its text is made in the scratch, which is re-used.
pub(super) fn feed<K: Outgoing>(
    sink: &mut K,
    meters: &Requests,
    message: Message,
    scratch: &mut Vec<u8>,
) -> impl Future<Output = Result<(), End>> {
    scratch.clear();
    // Made before the future is: that need not have room for the message.
    let has_text = json(meters, message, scratch).is_some();
    async move { if has_text { feed_text(sink, scratch).await } else { Ok(()) } }
}

/// Writes JSON text.
pub(super) async fn feed_text<K: Outgoing>(sink: &mut K, json: &[u8]) -> Result<(), End> {
    unstuck(poll_fn(|cx| sink.poll_ready_unpin(cx))).await?;
    sink.start_text(json).map_err(|_| None)
}

/// A frame of JSON text.
pub(super) fn text(json: Bytes) -> Frame {
    match Utf8Bytes::try_from(json) {
        Ok(text) => Frame::Text(text),
        Err(why) => unreachable!("JSON is UTF-8: {why}"),
    }
}

/// What an error is answered.
pub(super) fn failed(id: Option<u64>, problem: Problem) -> Frame {
    let mut out = Vec::new();
    Response::Failed(problem).write(id, &mut out);
    text(out.into())
}

/// Writes a message's text; `None` when it is a whole state, or for nobody.
fn json(meters: &Requests, message: Message, out: &mut Vec<u8>) -> Option<()> {
    match message {
        Message::Answer(mark, answered) => {
            let response = response(answered)?;
            let ended = match &response {
                Response::Failed(problem) => Ended::With(problem.code),
                _ => Ended::Well,
            };
            meters.answered_at(mark.op, ended, Mark::now().since_us(mark.came));
            response.write(mark.id, out);
        }
        Message::Event(event) => SocketEvent::of(event)?.write(out),
        Message::Change(what, resource, figures, holders) => {
            change(what, resource, figures, holders.as_deref().map(shown::holders)).write(out);
        }
        Message::ClaimExpiring { resource, ticket, fence, left_ms } => {
            SocketEvent::ClaimExpiring { resource, ticket, fence, left_ms }.write(out);
        }
        Message::WaitMoved { wait, sought, position } => {
            SocketEvent::WaitMoved { wait, sought, position }.write(out);
        }
        Message::TokenExpiring(left_ms) => SocketEvent::TokenExpiring { left_ms }.write(out),
        Message::Draining(on) => SocketEvent::Draining { on }.write(out),
        Message::GoingAway(after_ms) => SocketEvent::GoingAway { after_ms }.write(out),
    }
    Some(())
}

fn response(answered: Answered) -> Option<Response> {
    Some(match answered {
        Answered::State(_) => return None,
        Answered::Reply(reply) => Response::new(reply, session_ref),
        Answered::Confirmed { grant, left_ms } => Response::granted(grant, Some(left_ms)),
        Answered::Watching(figures, holders) => {
            Response::Watching { figures, holders: holders.as_deref().map(shown::holders) }
        }
        Answered::Look(looked) => Response::Look(shown::look(*looked)),
        Answered::Bad(why) => Response::Failed(Problem::bad(why)),
        Answered::TooLarge(why) => Response::Failed(Problem::new(Code::TooLarge, why)),
        Answered::Forbidden(right) => Response::Failed(forbidden(right)),
        Answered::AnothersProof => {
            Response::Failed(Problem::new(Code::Forbidden, "the token is another's"))
        }
        Answered::Unauthorized(why) => Response::Failed(Problem::new(Code::Unauthorized, why)),
        Answered::Limit(why) => Response::Failed(Problem::new(Code::Limit, why)),
        Answered::Beat(ttl_ms) => Response::Beat { ttl_ms },
        Answered::Done => Response::Done,
        Answered::Unavailable(why) => Response::Failed(why.into()),
    })
}

fn change(
    what: ChangeEvent,
    resource: Name,
    figures: Figures,
    holders: Option<Holders>,
) -> SocketEvent {
    match what {
        ChangeEvent::TicketAvailable => {
            SocketEvent::TicketAvailable { resource, free: figures.free }
        }
        ChangeEvent::LockAvailable => SocketEvent::LockAvailable { resource },
        ChangeEvent::Changed => SocketEvent::ResourceChanged { resource, figures, holders },
    }
}

/// Bounds a write. Most are done at once and need no timer.
pub(super) async fn unstuck<E>(write: impl Future<Output = Result<(), E>>) -> Result<(), End> {
    let mut write = pin!(write);
    let done = match futures::poll!(write.as_mut()) {
        Poll::Ready(done) => Ok(done),
        Poll::Pending => timeout(STUCK_MAX, write).await,
    };
    match done {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => Err(Some((close::TOO_SLOW, "too slow"))),
    }
}
