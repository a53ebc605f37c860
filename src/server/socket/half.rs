//! A socket in two hands of one task: one reads, the other writes.

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll};

use futures::{Sink, SinkExt, Stream, StreamExt};
use tokio_tungstenite::tungstenite::Message as Frame;

use super::incoming::{Outgoing, Socket};

/// A hand on a socket. The lock is never waited for: both hands are of one task.
#[derive(Debug)]
pub(super) struct Half<'h, 's, S>(&'h Mutex<&'s mut S>);

impl<'h, 's, S: Socket> Half<'h, 's, S> {
    pub(super) fn of(socket: &'h Mutex<&'s mut S>) -> Self {
        Self(socket)
    }

    fn socket(&self) -> MutexGuard<'h, &'s mut S> {
        match self.0.lock() {
            Ok(socket) => socket,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

impl<S: Socket> Stream for Half<'_, '_, S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.socket().poll_next_unpin(cx)
    }
}

impl<S: Socket> Sink<Frame> for Half<'_, '_, S> {
    type Error = S::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.socket().poll_ready_unpin(cx)
    }

    fn start_send(self: Pin<&mut Self>, frame: Frame) -> Result<(), S::Error> {
        self.socket().start_send_unpin(frame)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.socket().poll_flush_unpin(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.socket().poll_close_unpin(cx)
    }
}

impl<S: Socket> Outgoing for Half<'_, '_, S> {
    fn start_text(&mut self, json: &[u8]) -> Result<(), S::Error> {
        self.socket().start_text(json)
    }
}
