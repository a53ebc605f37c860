//! A socket as its handler sees it: what comes, what that says of its client, and the way out.

use std::error::Error;

use futures::{Sink, Stream};
use tokio_tungstenite::tungstenite::{Message as Frame, Utf8Bytes};

use crate::wire::socket::close;

use super::end::{End, end_of_error};

/// What comes by a socket.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A whole message, or a frame of the protocol's own.
    Frame(Frame),
    /// A piece of a message that is not whole yet.
    Fragment,
    /// The client says no more: what comes next is its close, or the end of the line, and after
    /// that it cannot be told anything.
    Closing,
}

/// A way to a client.
pub(crate) trait Outgoing: Sink<Frame, Error: Error + 'static> + Unpin {
    /// Begins to send JSON text, when it is ready for a frame.
    fn start_text(&mut self, json: &[u8]) -> Result<(), Self::Error>;
}

/// A client's socket.
pub(crate) trait Socket:
    Outgoing + Stream<Item = Result<Incoming, <Self as Sink<Frame>>::Error>>
{
    /// The client is welcome: from now on its frames may be as large as any.
    fn admit(&mut self);
}

/// What was heard of a client.
pub(super) enum Heard {
    /// A request.
    Text(Utf8Bytes),
    /// It lives.
    Life,
    /// It, or what answers for it, lives.
    Pong,
    /// It says no more.
    Closing,
}

/// Takes what came for what it says.
pub(super) fn heard<E: Error + 'static>(came: Option<Result<Incoming, E>>) -> Result<Heard, End> {
    Ok(match came {
        Some(Ok(Incoming::Frame(Frame::Text(text)))) => Heard::Text(text),
        Some(Ok(Incoming::Frame(Frame::Pong(_)))) => Heard::Pong,
        Some(Ok(Incoming::Frame(Frame::Binary(_)))) => {
            return Err(Some((close::PROTOCOL, "binary frame")));
        }
        Some(Ok(Incoming::Frame(Frame::Ping(_) | Frame::Frame(_)) | Incoming::Fragment)) => {
            Heard::Life
        }
        Some(Ok(Incoming::Closing)) => Heard::Closing,
        Some(Ok(Incoming::Frame(Frame::Close(_)))) | None => return Err(None),
        Some(Err(why)) => return Err(end_of_error(&why)),
    })
}
