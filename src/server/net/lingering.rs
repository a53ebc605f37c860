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

use rustix::net::Shutdown;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::task::TaskTracker;

use super::line::Line;

/// How long a closed connection is still read from.
const LINGER_MAX: Duration = Duration::from_secs(1);
/// What is discarded at a time, in bytes.
const DISCARD_BYTES: usize = 8 * 1024;
/// What is discarded at most, in bytes: enough for what was under way, too little to be a sink.
const DISCARD_MAX_BYTES: usize = 1024 * 1024;

/// How long a client may not take what is written to it.
const STUCK_MAX: Duration = Duration::from_secs(30);

/// A TCP stream that lingers when it is dropped, and fails when it is stuck.
#[derive(Debug)]
pub(crate) struct Lingering {
    stream: Arc<TcpStream>,
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
        let stream = Arc::new(stream);
        Self { stream, ended: false, written, stuck: None, tasks: tasks.clone() }
    }

    pub(crate) fn line(&self) -> Line {
        Line::new(self.stream.clone())
    }

    /// Waits for the first byte and leaves it there; `None` when the client says nothing at all.
    pub(super) async fn first_byte(&self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        Ok((self.stream.peek(&mut byte).await? > 0).then_some(byte[0]))
    }

    /// Writes as much as there is room for now, when the stream is about to be dropped.
    pub(super) fn write_last(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let _ = self.stream.try_write(bytes);
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
        if !self.ended && tokio::runtime::Handle::try_current().is_ok() {
            self.tasks.spawn(linger(self.stream.clone()));
        }
    }
}

async fn linger(stream: Arc<TcpStream>) {
    let discard = async {
        shut(&stream)?;
        let mut left = DISCARD_MAX_BYTES;
        let mut bytes = vec![0; DISCARD_BYTES];
        while left > 0 {
            stream.readable().await?;
            match stream.try_read(&mut bytes) {
                Ok(0) => break,
                Ok(read) => left = left.saturating_sub(read),
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
                Err(why) => return Err(why),
            }
        }
        io::Result::Ok(())
    };
    // Whether the client was patient or not: it had its time.
    let _ = tokio::time::timeout(LINGER_MAX, discard).await;
}

/// Says to the client that nothing more comes.
fn shut(stream: &TcpStream) -> io::Result<()> {
    match rustix::net::shutdown(stream, Shutdown::Write) {
        // It has gone already.
        Ok(()) | Err(rustix::io::Errno::NOTCONN) => Ok(()),
        Err(why) => Err(why.into()),
    }
}

/// Tries until it is done, or the stream is not ready.
fn when_ready<T>(
    mut poll_ready: impl FnMut() -> Poll<io::Result<()>>,
    mut act: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    loop {
        std::task::ready!(poll_ready())?;
        match act() {
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

/// Reads what there is. Less than there was room for is all there was: the stream is not ready
/// then until more comes, and nobody need ask the kernel.
fn read(stream: &TcpStream, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
    let room = buf.remaining();
    let mut read = None;
    let tried = stream.try_io(Interest::READABLE, || {
        let bytes = stream.try_read_buf(buf)?;
        read = Some(bytes);
        if 0 < bytes && bytes < room { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(bytes) }
    });
    read.map_or(tried, Ok)
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (stream, room) = (&self.stream, buf.remaining());
        let done = when_ready(|| stream.poll_read_ready(cx), || read(stream, buf));
        self.ended |= room > 0 && matches!(done, Poll::Ready(Ok(0)));
        self.note(done.map_ok(|_| ()))
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = &self.stream;
        let done = when_ready(|| stream.poll_write_ready(cx), || stream.try_write(bytes));
        self.unstuck(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = &self.stream;
        let done = when_ready(|| stream.poll_write_ready(cx), || stream.try_write_vectored(bytes));
        self.unstuck(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(shut(&self.stream))
    }
}
