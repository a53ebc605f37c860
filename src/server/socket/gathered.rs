//! Frames on their way to a client, gathered so that many are written at once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// What is gathered before it is written, in bytes.
const GATHER_BYTES: usize = 4 * 1024;
/// The first byte of a text in one frame (RFC 6455, section 5.2).
const WHOLE_TEXT: u8 = 0x81;
/// Most bytes of the head of a server's frame.
const HEAD_MAX_BYTES: usize = 10;

/// Whole frames that are still to be written, but for the first, of which a part may be.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    bytes: Vec<u8>,
    written: usize,
}

impl Gathered {
    /// Whether it is to be written before more is gathered.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() - self.written >= GATHER_BYTES
    }

    /// Puts frames behind the others.
    pub(super) fn frames(&mut self, frames: &[u8]) {
        self.bytes.extend_from_slice(frames);
    }

    /// Puts a text behind the others, as one frame. A server's are not masked.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.bytes.reserve(HEAD_MAX_BYTES + text.len());
        match (u8::try_from(text.len()), u16::try_from(text.len())) {
            (Ok(short @ 0..126), _) => self.bytes.extend_from_slice(&[WHOLE_TEXT, short]),
            (_, Ok(medium)) => {
                self.bytes.extend_from_slice(&[WHOLE_TEXT, 126]);
                self.bytes.extend_from_slice(&medium.to_be_bytes());
            }
            _ => {
                self.bytes.extend_from_slice(&[WHOLE_TEXT, 127]);
                self.bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
            }
        }
        self.bytes.extend_from_slice(text);
    }

    /// Writes it all. What it took is given back then: a silent socket need not keep room for it.
    pub(super) fn poll_write_to<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(left @ [_, ..]) = self.bytes.get(self.written..) {
            match ready!(Pin::new(&mut *stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        // TLS keeps what finds no room below.
        ready!(Pin::new(stream).poll_flush(cx))?;
        *self = Self::default();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameSocket};

    use super::*;

    /// The library that clients have reads what was made here.
    #[test]
    fn texts_of_any_length_are_frames() {
        let mut gathered = Gathered::default();
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000];
        for length in lengths {
            gathered.text(&vec![b'x'; length]);
        }
        let mut socket = FrameSocket::new(io::Cursor::new(gathered.bytes));
        for length in lengths {
            let frame: Frame = socket.read(None).unwrap().unwrap();
            let header = frame.header();
            assert!(header.is_final && header.mask.is_none() && !header.rsv1);
            assert_eq!(u8::from(header.opcode), 1);
            assert_eq!(frame.into_payload(), vec![b'x'; length]);
        }
        assert!(socket.read(None).unwrap().is_none());
    }
}
