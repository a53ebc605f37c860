//! A socket's way out: answers, events and heartbeats, in order, with one flush for what is ready.

use futures::SinkExt;
use futures::future::Either;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::driver::{Answered, Connection, Message, Next};

use crate::server::meters::Requests;

use super::end::{End, told};
use super::feed::{feed, unstuck};
use super::heartbeat::Pulse;
use super::incoming::Outgoing;
use super::whole_state::feed_state;

/// Most messages that are written before they are flushed.
const FLUSH_EVERY: usize = 256;

/// Writes what the outbox holds, and heartbeats, until the socket is to end.
pub(super) async fn write_all<K: Outgoing>(
    sink: &mut K,
    connection: &Connection,
    meters: &Requests,
    beat: bool,
) -> End {
    let outbox = connection.outbox();
    // Nothing is said before the answer to hello, and the TTL runs from when that was sent.
    let hello = outbox.next().await;
    let hello = write_boxed(sink, connection, meters, None, hello).await;
    connection.opened();
    if let Err(end) = hello {
        return end;
    }
    let mut pulse = Pulse::new(connection, beat);
    loop {
        let due = tokio::select! {
            next = outbox.next() => Either::Left(next),
            beat = pulse.next() => Either::Right(beat),
        };
        let written = match due {
            Either::Left(next) => {
                write_boxed(sink, connection, meters, Some(&mut pulse), next).await
            }
            Either::Right(beat) => write_beat(sink, connection, meters, beat).await,
        };
        if let Err(end) = written {
            return end;
        }
    }
}

/// Writes a heartbeat, and the answers to its client's that are stuck behind a slow disk.
async fn write_beat<K: Outgoing>(
    sink: &mut K,
    connection: &Connection,
    meters: &Requests,
    beat: Frame,
) -> Result<(), End> {
    for answer in connection.outbox().stuck_beats() {
        feed(sink, meters, answer, &mut Vec::new()).await?;
    }
    unstuck(sink.send(beat)).await
}

/// [`write_ready`] on the heap, for as long as it runs: a silent socket need not keep room for it.
async fn write_boxed<K: Outgoing>(
    sink: &mut K,
    connection: &Connection,
    meters: &Requests,
    pulse: Option<&mut Pulse>,
    first: Next,
) -> Result<(), End> {
    Box::pin(write_ready(sink, connection, meters, pulse, first)).await
}

/// Writes a message and all that are ready behind it, then flushes once. Fails with why the
/// socket is to end, by the outbox's wish or because it does not take what is written.
async fn write_ready<K: Outgoing>(
    sink: &mut K,
    connection: &Connection,
    meters: &Requests,
    mut pulse: Option<&mut Pulse>,
    first: Next,
) -> Result<(), End> {
    let mut next = Some(first);
    let mut fed = 0;
    let mut scratch = Vec::with_capacity(128);
    let mut end = Ok(());
    while let Some(item) = next {
        match item {
            Next::End(ending) => {
                end = Err(told(ending));
                break;
            }
            Next::Message(Message::Answer(mark, Answered::State(state))) => {
                let pulse = pulse.as_deref_mut();
                feed_state(sink, connection, meters, pulse, mark, *state).await?;
            }
            Next::Message(message) => feed(sink, meters, message, &mut scratch).await?,
        }
        fed += 1;
        next = if fed < FLUSH_EVERY { connection.outbox().try_next() } else { None };
    }
    unstuck(sink.flush()).await?;
    end
}
