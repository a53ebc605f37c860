//! SQLite's write-ahead log, read by ourselves: where it stops being whole, and what it has up to
//! there. The format is SQLite's, described at its site under "WAL-mode file format": a header of
//! 32 bytes, then frames of a header of 24 and a page each. Sums run over all that came before.

use std::io::{ErrorKind, Read};

const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;

/// A page as a frame has it.
pub(super) struct Frame<'a> {
    /// Number of the page, from 1.
    pub(super) page: u32,
    /// Pages of the database, if the frame ends a commit; otherwise 0.
    pub(super) commit: u32,
    /// The page.
    pub(super) bytes: &'a [u8],
}

/// Gives every frame that is whole to `each`, in order; the last ones may be of a commit that is
/// not. Returns the offset behind the last commit that is whole; 0 when even the header is not.
pub(super) fn read(
    from: &mut dyn Read,
    mut each: impl FnMut(Frame<'_>),
) -> Result<u64, std::io::Error> {
    let mut header = [0; 32];
    if !fill(from, &mut header)? {
        return Ok(0);
    }
    let word = |n: usize| word(&header, n);
    let page_bytes = word(2) as usize;
    let page_is_sound = page_bytes.is_power_of_two() && (512..=65536).contains(&page_bytes);
    let mut sum = Sum { is_big: word(0) & 1 == 1, one: 0, two: 0 };
    sum.add(&header[..24]);
    let is_ours = word(0) & !1 == MAGIC && word(1) == VERSION && page_is_sound;
    if !is_ours || (sum.one, sum.two) != (word(6), word(7)) {
        return Ok(0);
    }
    let salts = (word(4), word(5));
    let (mut offset, mut end) = (32, 32);
    let mut frame = vec![0; 24 + page_bytes];
    while fill(from, &mut frame)? {
        let word = |n: usize| self::word(&frame, n);
        sum.add(&frame[..8]);
        sum.add(&frame[24..]);
        if word(0) == 0 || (word(2), word(3)) != salts || (sum.one, sum.two) != (word(4), word(5)) {
            break;
        }
        offset += frame.len() as u64;
        each(Frame { page: word(0), commit: word(1), bytes: &frame[24..] });
        if word(1) != 0 {
            end = offset;
        }
    }
    Ok(end)
}

/// Whether there were enough bytes.
fn fill(from: &mut dyn Read, bytes: &mut [u8]) -> Result<bool, std::io::Error> {
    match from.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The n-th word of a header.
fn word(bytes: &[u8], n: usize) -> u32 {
    let (words, _) = bytes.as_chunks();
    u32::from_be_bytes(words[n])
}

struct Sum {
    is_big: bool,
    one: u32,
    two: u32,
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let (pairs, _) = bytes.as_chunks::<8>();
        for &[a, b, c, d, e, f, g, h] in pairs {
            let (one, two) = if self.is_big {
                (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
            } else {
                (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
            };
            self.one = self.one.wrapping_add(one).wrapping_add(self.two);
            self.two = self.two.wrapping_add(two).wrapping_add(self.one);
        }
    }
}
