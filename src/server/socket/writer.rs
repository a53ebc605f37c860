//! A socket's way out: answers, events and heartbeats, in order, with one flush for what is ready.

use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;
use std::time::Duration;

use futures::{FutureExt, Sink, SinkExt};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};

use crate::driver::{
    Answered, ChangeEvent, Connection, Ending, Message, Next, Unavailable, WholeState, ping_ms,
    reason,
};
use crate::machine::{IssuedState, Refusal};
use crate::wire::socket::{self as wire, StateFrames, close};
use crate::wire::{Code, Problem};

use super::{End, STUCK_MAX};

/// Most messages that are written before they are flushed.
const FLUSH_EVERY: usize = 256;

/// Writes what the outbox holds, and heartbeats, until the socket is to end.
pub(super) async fn write_all<K, E>(sink: &mut K, connection: &Connection, beat: bool) -> End
where
    K: Sink<Frame, Error = E> + Unpin,
{
    let outbox = connection.outbox();
    // Nothing is said before the answer to hello, and the TTL runs from when that was sent.
    let hello = outbox.next().await;
    let hello = write_boxed(sink, connection, None, hello).await;
    connection.opened();
    if let Err(end) = hello {
        return end;
    }
    let every = Duration::from_millis(u64::from(ping_ms(connection.ttl())));
    let mut beats = interval_at(first_beat(every, connection.phase()), every);
    // What was missed in a pause is not made up for.
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pulse = Pulse { beats, beat };
    loop {
        let next = tokio::select! {
            next = outbox.next() => Some(next),
            _ = pulse.beats.tick() => None,
        };
        let written = match next {
            Some(next) => write_boxed(sink, connection, Some(&mut pulse), next).await,
            None => write_beat(sink, connection, &pulse).await,
        };
        if let Err(end) = written {
            return end;
        }
    }
}

/// Writes a heartbeat, and the answers to its client's that are stuck behind a slow disk.
async fn write_beat<K, E>(sink: &mut K, connection: &Connection, pulse: &Pulse) -> Result<(), End>
where
    K: Sink<Frame, Error = E> + Unpin,
{
    for answer in connection.outbox().stuck_beats() {
        feed(sink, answer).await?;
    }
    unstuck(sink.send(pulse.frame())).await
}

/// [`write_ready`] on the heap, for as long as it runs: a silent socket need not keep room for it.
async fn write_boxed<K, E>(
    sink: &mut K,
    connection: &Connection,
    pulse: Option<&mut Pulse>,
    first: Next,
) -> Result<(), End>
where
    K: Sink<Frame, Error = E> + Unpin,
{
    Box::pin(write_ready(sink, connection, pulse, first)).await
}

/// A socket's heartbeats.
struct Pulse {
    beats: Interval,
    /// Whether they are events instead of pings.
    beat: bool,
}

impl Pulse {
    fn frame(&self) -> Frame {
        if self.beat { Frame::text(wire::beat_event()) } else { Frame::Ping(Bytes::new()) }
    }

    /// The next heartbeat, when it is due.
    async fn next(&mut self) -> Frame {
        self.beats.tick().await;
        self.frame()
    }

    /// The heartbeat that is due, if one is.
    fn due(&mut self) -> Option<Frame> {
        self.beats.tick().now_or_never().map(|_| self.frame())
    }
}

/// Writes a message and all that are ready behind it, then flushes once. Fails with why the
/// socket is to end, by the outbox's wish or because it does not take what is written.
async fn write_ready<K, E>(
    sink: &mut K,
    connection: &Connection,
    mut pulse: Option<&mut Pulse>,
    first: Next,
) -> Result<(), End>
where
    K: Sink<Frame, Error = E> + Unpin,
{
    let mut next = Some(first);
    let mut fed = 0;
    let mut end = Ok(());
    while let Some(item) = next {
        match item {
            Next::End(ending) => {
                end = Err(told(ending));
                break;
            }
            Next::Message(Message::Answer(id, Answered::State(state))) => {
                feed_state(sink, connection, pulse.as_deref_mut(), id, *state).await?;
            }
            Next::Message(message) => feed(sink, message).await?,
        }
        fed += 1;
        next = if fed < FLUSH_EVERY { connection.outbox().try_next() } else { None };
    }
    unstuck(sink.flush()).await?;
    end
}

/// Writes a whole state, which may take its reader a while: meanwhile heartbeats go on, and the
/// session does not expire over its own request.
async fn feed_state<K, E>(
    sink: &mut K,
    connection: &Connection,
    mut pulse: Option<&mut Pulse>,
    id: Option<u64>,
    state: WholeState,
) -> Result<(), End>
where
    K: Sink<Frame, Error = E> + Unpin,
{
    let held = connection.pin();
    let WholeState { mut session, resumed, epoch, ping_ms, lacks_issued } = state;
    if lacks_issued {
        let gone = match gather_issued(sink, connection, pulse.as_deref_mut()).await? {
            Ok(Some(issued)) => {
                session.issued = issued;
                None
            }
            Ok(None) => Some(Answered::Reply(Err(Refusal::SessionNotFound))),
            Err(why) => Some(Answered::Unavailable(why)),
        };
        if let Some(answered) = gone {
            return feed(sink, Message::Answer(id, answered)).await;
        }
    }
    for frame in StateFrames::new(id, session, resumed, &epoch, ping_ms) {
        unstuck(sink.feed(Frame::text(frame))).await?;
        // Others go before the next 64 KiB.
        tokio::task::yield_now().await;
        if let Some(beat) = pulse.as_mut().and_then(|pulse| pulse.due()) {
            unstuck(sink.feed(beat)).await?;
        }
    }
    drop(held);
    Ok(())
}

/// What a large state lacks. It waits for the disk as the state did: heartbeats go on, and the
/// socket can be ended.
async fn gather_issued<K, E>(
    sink: &mut K,
    connection: &Connection,
    mut pulse: Option<&mut Pulse>,
) -> Result<Result<Option<Vec<IssuedState>>, Unavailable>, End>
where
    K: Sink<Frame, Error = E> + Unpin,
{
    let mut issued = pin!(connection.issued());
    loop {
        let beat = async {
            match &mut pulse {
                Some(pulse) => pulse.next().await,
                None => std::future::pending().await,
            }
        };
        let beat = tokio::select! {
            issued = &mut issued => return Ok(issued),
            ending = connection.outbox().was_cut() => return Err(told(ending)),
            beat = beat => beat,
        };
        for answer in connection.outbox().take_beats() {
            feed(sink, answer).await?;
        }
        unstuck(sink.send(beat)).await?;
    }
}

async fn feed<K, E>(sink: &mut K, message: Message) -> Result<(), End>
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
async fn unstuck<E>(write: impl Future<Output = Result<(), E>>) -> Result<(), End> {
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

fn told(ending: Ending) -> End {
    Some(match ending {
        Ending::Bye => (close::BYE, "bye"),
        Ending::SessionEnded(why) => (close::SESSION_ENDED, reason(why)),
        Ending::Replaced => (close::REPLACED, "replaced"),
        Ending::TooSlow => (close::TOO_SLOW, "too slow"),
        Ending::GoingAway => (close::GOING_AWAY, "going away"),
        // Its own close is answered.
        Ending::Closed => return None,
        Ending::Fault(code, reason) => (code, reason),
    })
}

/// Spreads heartbeats over their interval, in so many groups: to wake once for many costs far less
/// than to wake for each.
const BEAT_GROUPS: u32 = 64;

/// When the first heartbeat is due: within the interval, at a moment that others share.
#[expect(clippy::disallowed_methods, reason = "heartbeats are paced by real time, pauses or not")]
fn first_beat(every: Duration, phase: u8) -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    let now = Instant::now();
    let start = *START.get_or_init(|| now);
    let apart = every / BEAT_GROUPS;
    let wanted = now + apart * (u32::from(phase) % BEAT_GROUPS + 1);
    let since = wanted.saturating_duration_since(start);
    let beyond = since.as_nanos().checked_rem(apart.as_nanos()).unwrap_or(0);
    wanted - Duration::from_nanos(u64::try_from(beyond).unwrap_or(0))
}
