//! What a record of a segment is made of: a header of fixed length, which bears a sum of its own so
//! that it can be believed when it is found among torn tails, and what it carries. Each record
//! bears a hash over all records before it and itself, so a record that was lost, altered or moved
//! breaks the chain.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4 | `tkj` and the version |
//! | 1 | kind |
//! | 8 | identity of the segment |
//! | 8 | number of the record |
//! | 8 | the last record that was known to be durable when this one was written |
//! | 8 | fences below this one may have been handed out |
//! | 4 | bytes that follow the header |
//! | 16 | hash of the record before, all of the above, and what follows the header |
//! | 8 | hash of all of the above |

use std::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Version of records and of what they carry.
pub(super) const VERSION: u8 = 1;
const MAGIC: [u8; 4] = [b't', b'k', b'j', VERSION];
/// Length of the header.
pub(super) const HEAD_BYTES: usize = 65;
const _: () = assert!(HEAD_BYTES <= super::storage::TORN_TAIL_OVERLAP_BYTES);

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordKind {
    /// First of a snapshot: its counters.
    Snapshot = 1,
    /// Some of the snapshot's items.
    Part = 2,
    /// The snapshot is complete.
    End = 3,
    /// The first record after a snapshot, when its segment is not yet active.
    Waiting = 4,
    /// From here on the segment is active.
    Activate = 5,
    /// Commands.
    Batch = 6,
}

impl RecordKind {
    const ALL: [Self; 6] =
        [Self::Snapshot, Self::Part, Self::End, Self::Waiting, Self::Activate, Self::Batch];
}

/// What the header says, but for lengths and sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: RecordKind,
    pub(super) identity: u64,
    pub(super) number: u64,
    pub(super) synced: u64,
    pub(super) fences_end: u64,
}

/// Why a record is not the next of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It is no record.
    NoRow,
    /// It is one of a later version.
    Version(u8),
    /// It is another segment's, or not the next.
    Stray,
    /// It, or one before it, was altered.
    Altered,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRow => f.write_str("is not a record"),
            Self::Version(version) => write!(f, "is of a version ({version}) not known here"),
            Self::Stray => f.write_str("does not follow the record before it"),
            Self::Altered => f.write_str("was altered"),
        }
    }
}

/// The records so far, in a nutshell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) identity: u64,
    /// The last record.
    pub(super) number: u64,
    hash: u128,
}

impl Chain {
    /// No records yet.
    pub(super) fn new(identity: u64) -> Self {
        Self { identity, number: 0, hash: 0 }
    }

    /// Replaces `out` by the next record, and returns the chain with it.
    pub(super) fn write(
        &self,
        (kind, synced, fences_end): (RecordKind, u64, u64),
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Self {
        let number = self.number + 1;
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        assert!(payload.len() == length as usize, "a record takes less than 4 GiB");
        out.clear();
        out.extend_from_slice(&MAGIC);
        out.push(kind as u8);
        for field in [self.identity, number, synced, fences_end] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&length.to_le_bytes());
        let hash = self.hash_with(out, payload);
        out.extend_from_slice(&hash.to_le_bytes());
        out.extend_from_slice(&xxh3_64(out).to_le_bytes());
        debug_assert!(out.len() == HEAD_BYTES);
        out.extend_from_slice(payload);
        Self { number, hash, ..*self }
    }

    /// Reads `record`, which must be the next; of the first record the identity is taken on trust.
    pub(super) fn read<'a>(&mut self, record: &'a [u8]) -> Result<(Header, &'a [u8]), Broken> {
        let (bytes, payload) = record.split_at_checked(HEAD_BYTES).ok_or(Broken::NoRow)?;
        let header = header(bytes)?;
        if self.number == 0 {
            self.identity = header.identity;
        }
        if header.identity != self.identity || header.number != self.number + 1 {
            return Err(Broken::Stray);
        }
        let (summed, sums) = bytes.split_at(HEAD_BYTES - 24);
        let length = summed.last_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        let hash = self.hash_with(summed, payload);
        if length.map(|length| length as usize) != Some(payload.len())
            || !sums.starts_with(&hash.to_le_bytes())
        {
            return Err(Broken::Altered);
        }
        (self.number, self.hash) = (header.number, hash);
        Ok((header, payload))
    }

    fn hash_with(&self, header: &[u8], payload: &[u8]) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(&self.hash.to_le_bytes());
        hash.update(header);
        hash.update(payload);
        hash.digest128()
    }
}

/// Reads a header that bears the right sum.
fn header(bytes: &[u8]) -> Result<Header, Broken> {
    let (magic, rest) = bytes.split_at_checked(MAGIC.len()).ok_or(Broken::NoRow)?;
    if magic[..3] != MAGIC[..3] || bytes.len() < HEAD_BYTES {
        return Err(Broken::NoRow);
    }
    let (summed, sum) = bytes[..HEAD_BYTES].split_at(HEAD_BYTES - 8);
    if xxh3_64(summed).to_le_bytes() != sum {
        return Err(Broken::Altered);
    }
    if magic[3] != VERSION {
        return Err(Broken::Version(magic[3]));
    }
    let (fields, _) = rest[1..33].as_chunks();
    let [identity, number, synced, fences_end] =
        std::array::from_fn(|n| u64::from_le_bytes(fields[n]));
    let kind =
        RecordKind::ALL.into_iter().find(|&kind| kind as u8 == rest[0]).ok_or(Broken::NoRow)?;
    Ok(Header { kind, identity, number, synced, fences_end })
}

/// Gives every header among `bytes` to `each`.
pub(super) fn find_heads(bytes: &[u8], mut each: impl FnMut(Header)) {
    for window in bytes.windows(HEAD_BYTES) {
        if window[0] == MAGIC[0]
            && window[..4] == MAGIC
            && let Ok(header) = header(window)
        {
            each(header);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(payloads: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut chain = Chain::new(7);
        let write = |payload: &&[u8]| {
            let mut record = Vec::new();
            chain = chain.write((RecordKind::Batch, 1, 2), payload, &mut record);
            record
        };
        payloads.iter().map(write).collect()
    }

    #[test]
    fn rows_come_back() {
        let mut chain = Chain::new(0);
        for (number, record) in (1..).zip(records(&[b"one", b"", b"three"])) {
            let (header, payload) = chain.read(&record).unwrap();
            let (kind, identity) = (RecordKind::Batch, 7);
            assert_eq!(header, Header { kind, identity, number, synced: 1, fences_end: 2 });
            assert_eq!(payload, [&b"one"[..], b"", b"three"][usize::try_from(number).unwrap() - 1]);
        }
    }

    #[test]
    fn any_altered_bit_breaks_the_chain() {
        let record = &records(&[b"some bytes"])[0];
        for bit in 0..record.len() * 8 {
            let mut record = record.clone();
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(Chain::new(0).read(&record).is_err(), "bit {bit}");
        }
        for length in 0..record.len() {
            assert!(Chain::new(0).read(&record[..length]).is_err(), "{length} bytes");
        }
        assert!(Chain::new(0).read(&[&record[..], b"x"].concat()).is_err());
    }

    #[test]
    fn lost_and_swapped_rows_break_the_chain() {
        let records = records(&[b"one", b"two", b"three"]);
        let mut chain = Chain::new(0);
        chain.read(&records[0]).unwrap();
        assert_eq!(chain.read(&records[2]), Err(Broken::Stray));
        assert_eq!(chain.read(&records[0]), Err(Broken::Stray));
        // The same number, but after another record.
        let mut other = Chain::new(7);
        let mut record = Vec::new();
        other = other.write((RecordKind::Batch, 1, 2), b"another", &mut record);
        other.write((RecordKind::Batch, 1, 2), b"two", &mut record);
        assert_eq!(chain.read(&record), Err(Broken::Altered));
    }

    #[test]
    fn a_later_version_is_named() {
        let mut record = records(&[b"one"]).remove(0);
        record[3] = 2;
        let sum = xxh3_64(&record[..HEAD_BYTES - 8]);
        record[HEAD_BYTES - 8..HEAD_BYTES].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Chain::new(0).read(&record), Err(Broken::Version(2)));
    }

    #[test]
    fn heads_are_found_among_scraps() {
        let records = records(&[b"one", b"two"]);
        let mut broken = records[0].clone();
        broken[20] ^= 1;
        let bytes = [b"tkj", &broken[..], b"tktkj", &records[1][..HEAD_BYTES]].concat();
        let mut found = Vec::new();
        find_heads(&bytes, |header| found.push(header.number));
        assert_eq!(found, [2]);
    }
}
