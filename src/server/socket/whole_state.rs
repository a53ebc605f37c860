//! A whole state on its way out, which may be large.

use std::pin::pin;
use std::sync::Arc;

use futures::SinkExt;

use crate::driver::{
    Answered, Connection, Lefts, Message, RequestMark, WatchedHolders, WholeState,
};
use crate::machine::{Grant, Refusal, SessionState, WatchState};
use crate::meters::Mark;
use crate::server::meters::{Ended, Requests};
use crate::server::refs::session_ref;
use crate::server::shown;
use crate::wire::socket::{HoldState, Place, StateFrames, StateHead, StateLists, Watched};

use super::end::{End, told};
use super::feed::{feed, feed_text, unstuck};
use super::heartbeat::Pulse;
use super::incoming::Outgoing;

/// Writes a whole state, which may take its reader a while: meanwhile heartbeats go on, and the
/// session does not expire over its own request.
pub(super) async fn feed_state<K: Outgoing>(
    sink: &mut K,
    connection: &Connection,
    meters: &Requests,
    mut pulse: Option<&mut Pulse>,
    mark: RequestMark,
    mut state: WholeState,
) -> Result<(), End> {
    let held = connection.pin();
    if state.lacks_issued || state.lacks_holders {
        let completed = complete(connection, &mut state);
        if let Err(why) = beating(sink, connection, meters, pulse.as_deref_mut(), completed).await?
        {
            return feed(sink, meters, Message::Answer(mark, why), &mut Vec::new()).await;
        }
    }
    let (head, lists) = described(state);
    for frame in StateFrames::new(mark.id, head, lists) {
        feed_text(sink, &frame).await?;
        // Others go before the next 64 KiB.
        tokio::task::yield_now().await;
        if let Some(beat) = pulse.as_mut().and_then(|pulse| pulse.due()) {
            unstuck(sink.feed(beat)).await?;
        }
    }
    drop(held);
    meters.answered_at(mark.op, Ended::Well, Mark::now().since_us(mark.came));
    Ok(())
}

/// Gathers what a large state lacks; fails with what is answered instead.
async fn complete(connection: &Connection, state: &mut WholeState) -> Result<(), Answered> {
    if state.lacks_holders {
        let holders = connection.watched_holders(&state.session.watches).await;
        state.holders = holders.map_err(Answered::Unavailable)?;
    }
    if state.lacks_issued {
        let issued = connection.issued().await.map_err(Answered::Unavailable)?;
        let gone = || Answered::Reply(Err(Refusal::SessionNotFound));
        state.session.issued = issued.ok_or_else(gone)?;
    }
    Ok(())
}

/// Waits for the rest of a state. It waits for the disk as the state did: heartbeats go on, and the
/// socket can be ended.
async fn beating<K: Outgoing, T>(
    sink: &mut K,
    connection: &Connection,
    meters: &Requests,
    mut pulse: Option<&mut Pulse>,
    rest: impl Future<Output = T>,
) -> Result<T, End> {
    let mut rest = pin!(rest);
    loop {
        let beat = async {
            match &mut pulse {
                Some(pulse) => pulse.next().await,
                None => std::future::pending().await,
            }
        };
        let beat = tokio::select! {
            rest = &mut rest => return Ok(rest),
            ending = connection.outbox().was_cut() => return Err(told(ending)),
            beat = beat => beat,
        };
        for answer in connection.outbox().take_beats() {
            feed(sink, meters, answer, &mut Vec::new()).await?;
        }
        unstuck(sink.send(beat)).await?;
    }
}

/// A state, as it is told.
fn described(state: WholeState) -> (StateHead, StateLists) {
    let WholeState { session, resumed, epoch, ping_ms, lefts, holders, .. } = state;
    let SessionState { info, holds, waits, watches, issued } = session;
    let head = StateHead {
        session: info.id,
        session_ref: Some(session_ref(&info.id)),
        name: info.name.clone(),
        ttl: info.ttl,
        resumed,
        epoch: (&*epoch).into(),
        ping_ms,
    };
    let holders = holders.into_iter().chain(std::iter::repeat(None));
    let lists = StateLists {
        holds: holds.into_iter().map(|grant| hold(grant, &lefts)).collect(),
        waits: waits.into_iter().map(Place::from).collect(),
        watches: watches.into_iter().zip(holders).map(watched).collect(),
        issued,
    };
    (head, lists)
}

fn hold(grant: Grant, lefts: &Lefts) -> HoldState {
    let left_ms = lefts.get(grant.fence());
    HoldState::new(grant, left_ms)
}

fn watched((watch, holders): (WatchState, Option<Arc<WatchedHolders>>)) -> Watched {
    let WatchState { resource, changes, figures } = watch;
    Watched { resource, changes, figures, holders: holders.as_deref().map(shown::holders) }
}
