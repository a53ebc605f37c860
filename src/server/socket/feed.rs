//! Messages as frames, and how long a write may be stuck.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::{Sink, SinkExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::driver::{Answered, ChangeEvent, Message};
use crate::wire::socket::{self as wire, close};
use crate::wire::{Code, Problem};

use super::end::End;

/// How long a write may be stuck.
pub(super) const STUCK_MAX: Duration = Duration::from_secs(5);

/// Writes a message that is no whole state.
pub(super) async fn feed<K, E>(sink: &mut K, message: Message) -> Result<(), End>
where
    K: Sink<Frame, Error = E> + Unpin,
{
    let text = match message {
        Message::Answer(_, Answered::State(_)) => return Ok(()),
        Message::Answer(id, Answered::Reply(reply)) => wire::answer_reply(id, &reply),
        Message::Answer(id, Answered::Bad(why)) => wire::answer_error(id, &Problem::bad(why)),
        Message::Answer(id, Answered::TooLarge(why)) => {
            wire::answer_error(id, &Problem::new(Code::TooLarge, why))
        }
        Message::Answer(id, Answered::Beat(ttl_ms)) => wire::beat_answer(id, ttl_ms),
        Message::Answer(id, Answered::Done) => wire::done(id),
        Message::Answer(id, Answered::Unavailable(why)) => {
            wire::answer_error(id, &Problem::new(Code::Unavailable, why.to_string()))
        }
        Message::Change(what, resource, figures) => wire::level(level(what), &resource, figures),
        Message::GoingAway(after_ms) => wire::going_away(after_ms),
        Message::Event(event) => match wire::event(&event) {
            Some(text) => text,
            None => return Ok(()),
        },
    };
    unstuck(sink.feed(Frame::text(text))).await
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

fn level(what: ChangeEvent) -> wire::LevelEvent {
    match what {
        ChangeEvent::TicketAvailable => wire::LevelEvent::TicketAvailable,
        ChangeEvent::LockAvailable => wire::LevelEvent::LockAvailable,
        ChangeEvent::Changed => wire::LevelEvent::Changed,
    }
}
