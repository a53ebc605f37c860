//! A socket's way in: requests, gathered while more are ready and carried out together.

use std::error::Error;
use std::task::Poll;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::time::sleep;

use crate::driver::{Asked, Connection};
use crate::server::access::enter::Guest;
use crate::wire::socket::{self as wire, close};

use super::asked::asked_by;
use super::context::Context;
use super::incoming::{Heard, Incoming, heard};

/// How long a client that closes may be answered what it asked before.
const CLOSING_MAX: Duration = Duration::from_secs(5);
/// Most requests that are carried out under one lock.
const BATCH_MAX: usize = 64;

/// Why nothing more is read.
enum Last {
    /// The line is cut.
    Cut,
    /// The client closes.
    Closing,
    /// It said what it may not; the close code and what to say of it.
    Fault(u16, &'static str),
}

/// Reads requests until the line is cut. After a fault it waits to be ended by the writer, and so
/// it does, for a while, when the client closes.
pub(super) async fn read_all<T, E>(
    stream: &mut T,
    connection: &Connection,
    context: &Context,
    beat: bool,
    mut guest: Option<Guest>,
) where
    T: Stream<Item = Result<Incoming, E>> + Unpin,
    E: Error + 'static,
{
    let mut batch = Vec::new();
    loop {
        connection.outbox().room().await;
        let mut came = stream.next().await;
        let (mut last, mut lives) = (None, false);
        loop {
            match heard(came) {
                Ok(Heard::Text(_)) if !context.may_ask() => {
                    last = Some(Last::Fault(close::RATE, "too many requests"));
                }
                Ok(Heard::Text(text)) => match wire::read(&text) {
                    Ok(request) => {
                        batch.push(asked_by(&mut guest, connection.session(), request));
                    }
                    Err(_) => last = Some(Last::Fault(close::PROTOCOL, "not a JSON object")),
                },
                Ok(Heard::Life) => lives = true,
                Ok(Heard::Pong) => lives |= !beat,
                Ok(Heard::Closing) => last = Some(Last::Closing),
                Err(None) => last = Some(Last::Cut),
                Err(Some((code, reason))) => last = Some(Last::Fault(code, reason)),
            }
            // Whoever asks for the whole state or leaves is not read on from at once.
            let pause = matches!(batch.last(), Some((_, Asked::State | Asked::Bye)));
            if last.is_some() || pause || batch.len() >= BATCH_MAX {
                break;
            }
            match futures::poll!(stream.next()) {
                Poll::Ready(next) => came = next,
                Poll::Pending => break,
            }
        }
        if batch.is_empty() {
            if lives {
                connection.heard();
            }
        } else if !connection.ask(batch.drain(..)) {
            // The writer finds out why.
            return std::future::pending().await;
        } else if let Some(guest) = &guest {
            guest.attached(&context.driver, &connection.session());
        }
        if batch.capacity() > BATCH_MAX / 8 {
            batch = Vec::new();
        }
        match last {
            None => {}
            Some(Last::Cut) => return,
            Some(Last::Closing) => {
                connection.closing();
                return sleep(CLOSING_MAX).await;
            }
            Some(Last::Fault(code, reason)) => {
                connection.fault(code, reason);
                return std::future::pending().await;
            }
        }
    }
}
