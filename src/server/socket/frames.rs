//! Where frames begin and end, as a client's bytes pass by (RFC 6455, section 5.2). Nothing is
//! judged here: what the RFC forbids is found by whoever reads the frames.

/// The opcodes that matter here. From 8 on they are of control frames.
const CONTROL: u8 = 8;
const CLOSE: u8 = 8;
const OPCODE: u8 = 0x0f;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const MASK_BYTES: u64 = 4;

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Awaited {
    Opcode,
    Length,
    /// More bytes of a long length.
    Longer {
        missing: u8,
        so_far: u64,
        masked: bool,
    },
    /// So many bytes of the mask and the payload.
    Rest(u64),
}

/// Why no more bytes should pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A close frame begins here.
    Close,
    /// A frame or a message has so many bytes, more than it may.
    TooLarge(u64),
}

/// Follows the frames of a client.
#[derive(Debug)]
pub(super) struct Frames {
    next: Awaited,
    /// The first byte of the frame under way.
    first: u8,
    /// Bytes of the message under way, as far as its frames have begun.
    message_bytes: u64,
    max_bytes: u64,
    /// A frame has ended that is not the last of its message.
    has_fragment: bool,
}

impl Frames {
    /// Begins before the first frame. Messages and frames may have so many bytes.
    pub(super) fn new(max_bytes: u64) -> Self {
        let next = Awaited::Opcode;
        Self { next, first: 0, message_bytes: 0, max_bytes, has_fragment: false }
    }

    /// From now on, messages and frames that begin may be of any size.
    pub(super) fn unbound(&mut self) {
        self.max_bytes = u64::MAX;
    }

    /// Whether a fragment has ended since this was last asked.
    pub(super) fn take_fragment(&mut self) -> bool {
        std::mem::take(&mut self.has_fragment)
    }

    /// Follows bytes up to one that should not pass: its place, and why. It is not to go on then.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Option<(usize, Stop)> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let mut used = 1;
            match self.next {
                Awaited::Opcode if byte & OPCODE == CLOSE => return Some((at, Stop::Close)),
                Awaited::Opcode => (self.first, self.next) = (byte, Awaited::Length),
                Awaited::Length => {
                    let masked = byte & MASKED != 0;
                    match byte & !MASKED {
                        126 => self.next = Awaited::Longer { missing: 2, so_far: 0, masked },
                        127 => self.next = Awaited::Longer { missing: 8, so_far: 0, masked },
                        length => self.begin(u64::from(length), masked),
                    }
                }
                Awaited::Longer { missing, so_far, masked } => {
                    let so_far = so_far << 8 | u64::from(byte);
                    match missing - 1 {
                        0 => self.begin(so_far, masked),
                        missing => self.next = Awaited::Longer { missing, so_far, masked },
                    }
                }
                Awaited::Rest(left) => {
                    let there = bytes.len() - at;
                    used = usize::try_from(left).map_or(there, |left| left.min(there));
                    self.rest(left - used as u64);
                }
            }
            if let Some(size) = self.excess() {
                return Some((at, Stop::TooLarge(size)));
            }
            at += used;
        }
        None
    }

    fn is_control(&self) -> bool {
        self.first & OPCODE >= CONTROL
    }

    /// A frame's head is whole; its payload has so many bytes.
    fn begin(&mut self, length: u64, masked: bool) {
        if !self.is_control() {
            self.message_bytes = self.message_bytes.saturating_add(length);
        }
        self.rest(length.saturating_add(if masked { MASK_BYTES } else { 0 }));
    }

    /// So many bytes of the frame are still to come.
    fn rest(&mut self, left: u64) {
        self.next = if left > 0 { Awaited::Rest(left) } else { Awaited::Opcode };
        if left > 0 || self.is_control() {
            return;
        }
        if self.first & FINAL == 0 {
            self.has_fragment = true;
        } else {
            self.message_bytes = 0;
        }
    }

    /// How large what is under way is, if it is too large.
    fn excess(&self) -> Option<u64> {
        (self.message_bytes > self.max_bytes).then_some(self.message_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u8 = 1;
    const CONTINUATION: u8 = 0;
    const PING: u8 = 9;

    /// A frame whose payload looks like close frames.
    fn frame(first: u8, length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { MASKED } else { 0 };
        let mut bytes = vec![first];
        match length {
            0..126 => bytes.push(mask | u8::try_from(length).unwrap()),
            126..65536 => {
                bytes.push(mask | 126);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(vec![FINAL | CLOSE; length + if masked { 4 } else { 0 }]);
        bytes
    }

    /// Where it stops when the bytes come so many at a time.
    fn stop(frames: &mut Frames, bytes: &[u8], at_a_time: usize) -> Option<(usize, Stop)> {
        let mut passed = 0;
        for chunk in bytes.chunks(at_a_time) {
            if let Some((at, stop)) = frames.follow(chunk) {
                return Some((passed + at, stop));
            }
            passed += chunk.len();
        }
        None
    }

    #[test]
    fn a_close_frame_is_found_however_the_bytes_come() {
        for masked in [true, false] {
            let mut bytes = Vec::new();
            for length in [0, 1, 125, 126, 127, 65535, 65536, 70_000] {
                bytes.extend(frame(FINAL | TEXT, length, masked));
                bytes.extend(frame(FINAL | PING, length % 126, masked));
            }
            let place = bytes.len();
            bytes.extend(frame(FINAL | CLOSE, 2, masked));
            for at_a_time in [1, 2, 3, 7, 4096, bytes.len()] {
                let mut frames = Frames::new(u64::MAX);
                let stopped = stop(&mut frames, &bytes, at_a_time);
                assert_eq!(stopped, Some((place, Stop::Close)), "{at_a_time} at a time");
                assert!(!frames.take_fragment());
            }
        }
    }

    #[test]
    fn a_fragment_is_one_when_it_has_ended_and_the_last_is_none() {
        let mut frames = Frames::new(u64::MAX);
        for (bytes, is_fragment) in [
            (frame(TEXT, 300, true), true),
            (frame(FINAL | PING, 3, true), false),
            (frame(CONTINUATION, 0, true), true),
            (frame(CONTINUATION, 0, false), true),
            (frame(FINAL | CONTINUATION, 10, true), false),
            (frame(FINAL | TEXT, 10, true), false),
        ] {
            let (last, most) = bytes.split_last().unwrap();
            assert_eq!(frames.follow(most), None);
            assert!(!frames.take_fragment(), "it has not ended: {bytes:?}");
            assert_eq!(frames.follow(&[*last]), None);
            assert_eq!(frames.take_fragment(), is_fragment, "{bytes:?}");
            assert!(!frames.take_fragment(), "it is told once");
        }
    }

    #[test]
    fn what_is_too_large_is_found_by_its_head() {
        let piece = |first| frame(first, 600, true);
        for (bytes, size) in [
            (frame(FINAL | TEXT, 1001, true), 1001),
            (frame(FINAL | TEXT, 1 << 20, true), 1 << 20),
            ([piece(TEXT), frame(FINAL | PING, 9, true), piece(CONTINUATION)].concat(), 1200),
            ([&[FINAL | TEXT, 0xff][..], &[0xff; 8]].concat(), u64::MAX),
        ] {
            for at_a_time in [1, 5, bytes.len()] {
                let stopped = stop(&mut Frames::new(1000), &bytes, at_a_time);
                assert_eq!(stopped.map(|(_, stop)| stop), Some(Stop::TooLarge(size)));
            }
            let mut unbound = Frames::new(1000);
            unbound.unbound();
            assert_eq!(unbound.follow(&bytes), None);
        }
        let mut frames = Frames::new(1000);
        for _ in 0..10 {
            let whole = [piece(TEXT), frame(FINAL | CONTINUATION, 400, true)].concat();
            assert_eq!(frames.follow(&whole), None, "each message counts for itself");
        }
    }
}
