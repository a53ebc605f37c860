//! A socket over channels.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::channel::mpsc::{self, SendError};
use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::server::socket::incoming::{Incoming, Outgoing, Socket};

/// The server's end of a line.
pub(super) struct Line {
    pub(super) from: mpsc::UnboundedReceiver<Incoming>,
    pub(super) to: mpsc::Sender<Frame>,
}

impl Outgoing for Line {
    fn start_text(&mut self, json: &[u8]) -> Result<(), SendError> {
        self.to.start_send(Frame::text(std::str::from_utf8(json).unwrap()))
    }
}

impl Socket for Line {
    fn admit(&mut self) {}
}

impl Stream for Line {
    type Item = Result<Incoming, SendError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.from.poll_next_unpin(cx).map(|came| came.map(Ok))
    }
}

impl Sink<Frame> for Line {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.to.poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Frame) -> Result<(), SendError> {
        self.to.start_send(frame)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.to.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.to.poll_close_unpin(cx)
    }
}
