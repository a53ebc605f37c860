//! A whole state on its way out, which may be large.

use std::pin::pin;

use futures::SinkExt;

use crate::driver::{Answered, Connection, Message, Unavailable, WholeState};
use crate::machine::{IssuedState, Refusal};
use crate::server::refs::session_ref;
use crate::wire::socket::StateFrames;

use super::end::{End, told};
use super::feed::{feed, feed_text, unstuck};
use super::heartbeat::Pulse;
use super::incoming::Outgoing;

/// Writes a whole state, which may take its reader a while: meanwhile heartbeats go on, and the
/// session does not expire over its own request.
pub(super) async fn feed_state<K: Outgoing>(
    sink: &mut K,
    connection: &Connection,
    mut pulse: Option<&mut Pulse>,
    id: Option<u64>,
    state: WholeState,
) -> Result<(), End> {
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
            return feed(sink, Message::Answer(id, answered), &mut Vec::new()).await;
        }
    }
    let session_ref = session_ref(&session.info.id);
    for frame in StateFrames::new(id, session, session_ref, resumed, &epoch, ping_ms) {
        feed_text(sink, &frame).await?;
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
async fn gather_issued<K: Outgoing>(
    sink: &mut K,
    connection: &Connection,
    mut pulse: Option<&mut Pulse>,
) -> Result<Result<Option<Vec<IssuedState>>, Unavailable>, End> {
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
            feed(sink, answer, &mut Vec::new()).await?;
        }
        unstuck(sink.send(beat)).await?;
    }
}
