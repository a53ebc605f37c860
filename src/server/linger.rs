//! A connection that is closed without losing what was written last. Closing a socket with unread
//! bytes resets it, and a reset overtakes the answer or the close frame that the client should
//! still read. So the write side is shut, and what comes in is discarded until the client has
//! closed too, or a while has passed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::task::TaskTracker;

/// How long a closed connection is still read from.
const LINGER_MAX: Duration = Duration::from_secs(1);
/// What is discarded at a time, in bytes.
const DISCARD_BYTES: usize = 8 * 1024;
/// What is discarded at most, in bytes: enough for what was under way, too little to be a sink.
const DISCARD_MAX_BYTES: u64 = 1024 * 1024;

/// How long a client may not take what is written to it.
const STUCK_MAX: Duration = Duration::from_secs(30);

/// A TCP stream that lingers when it is dropped, and fails when it is stuck.
#[derive(Debug)]
pub(crate) struct Lingering {
    /// There until it is dropped.
    stream: Option<TcpStream>,
    /// The client has closed, or the line is cut.
    ended: bool,
    /// Counts the writes that went through.
    written: Arc<AtomicU64>,
    /// Runs while a write is stuck.
    stuck: Option<Pin<Box<Sleep>>>,
    tasks: TaskTracker,
}

impl Lingering {
    pub(crate) fn new(stream: TcpStream, written: Arc<AtomicU64>, tasks: &TaskTracker) -> Self {
        Self { stream: Some(stream), ended: false, written, stuck: None, tasks: tasks.clone() }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        match &mut self.stream {
            Some(stream) => Ok(Pin::new(stream)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn note<T>(&mut self, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.ended |= matches!(done, Poll::Ready(Err(_)));
        done
    }

    /// The outcome of a write; one that has been stuck for too long has failed.
    fn unstuck<T>(
        &mut self,
        cx: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stuck = None;
            self.written.fetch_add(1, Ordering::Relaxed);
            return self.note(done);
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(STUCK_MAX)));
        match stuck.as_mut().poll(cx) {
            Poll::Ready(()) => self.note(Poll::Ready(Err(io::ErrorKind::TimedOut.into()))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        if !self.ended && tokio::runtime::Handle::try_current().is_ok() {
            self.tasks.spawn(linger(stream));
        }
    }
}

async fn linger(mut stream: TcpStream) {
    let discard = async {
        stream.shutdown().await?;
        let mut rest = stream.take(DISCARD_MAX_BYTES);
        let mut bytes = vec![0; DISCARD_BYTES];
        while rest.read(&mut bytes).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether the client was patient or not: it had its time.
    let _ = tokio::time::timeout(LINGER_MAX, discard).await;
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining();
        let done = self.stream()?.poll_read(cx, buf);
        self.ended |= matches!(done, Poll::Ready(Ok(()))) && room > 0 && buf.remaining() == room;
        self.note(done)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = self.stream()?.poll_write(cx, bytes);
        self.unstuck(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = self.stream()?.poll_write_vectored(cx, bytes);
        self.unstuck(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}
