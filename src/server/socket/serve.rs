//! A socket from its first frame to its last.

use std::sync::Mutex;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::context::Context;
use super::end::{End, end_of_error};
use super::half::Half;
use super::handshake::{Welcome, say_hello};
use super::incoming::Socket;
use super::reader::read_all;
use super::writer::write_all;

/// How long the last frame may take to be written.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// How long the rest of a client's close, and the answer to it, may take.
const CLOSE_MAX: Duration = Duration::from_millis(100);

/// Serves a socket until it ends. It comes on the heap: a future keeps room for whatever it was
/// ever given.
pub(crate) async fn serve<S: Socket>(mut socket: Box<S>, mut context: Context) {
    let end = match Box::pin(say_hello(&mut *socket, &context)).await {
        Ok(Welcome { connection, beat, guest }) => {
            context.nameless = None;
            let seat = context.admission.as_ref().and_then(|it| it.sit(connection.session()));
            socket.admit();
            let shared = Mutex::new(&mut *socket);
            let (mut sink, mut stream) = (Half::of(&shared), Half::of(&shared));
            let end = tokio::select! {
                () = read_all(&mut stream, &connection, &context, beat, guest) => None,
                end = write_all(&mut sink, &connection, &context.meters.socket, beat) => end,
            };
            drop((connection, seat));
            end
        }
        Err(end) => end,
    };
    Box::pin(close(&mut *socket, end, &context)).await;
}

/// Tells a socket why it ends, or answers its client's own close.
async fn close<S: Socket>(socket: &mut S, end: End, context: &Context) {
    let end = match end {
        None => match timeout(CLOSE_MAX, socket.next()).await {
            Ok(Some(Err(why))) => end_of_error(&why),
            _ => None,
        },
        told => told,
    };
    tracing::debug!(peer = context.source, code = end.map(|(code, _)| code), "socket ended");
    context.meters.closed(end.map(|(code, _)| code));
    if let Some((code, reason)) = end {
        let frame = Frame::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }));
        // What comes after is read and discarded by the connection below, for a while.
        let _ = timeout(FAREWELL_MAX, socket.send(frame)).await;
    }
    let _ = timeout(CLOSE_MAX, socket.close()).await;
}
