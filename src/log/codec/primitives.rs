//! What commands and snapshots are made of: numbers are LEB128, texts and data follow their length,
//! choices are a byte. Each value has one form.

use std::fmt;
use std::ops::RangeInclusive;

use crate::machine::{
    Data, DelayId, Fence, HOLD_MAX_MS, HOLD_MIN_MS, Name, NodeId, Note, Owner, RequestId,
    SessionId, SessionName, Ttl, WaitId, WaitTimeout,
};

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// They end too early.
    Short,
    /// A number is too large, or not in its shortest form.
    Number,
    /// A byte that chooses does not choose any of these.
    Choice(&'static str, u8),
    /// A value is out of its bounds.
    Value(&'static str),
    /// An item stands where it has no place.
    Order(&'static str),
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("ends too early"),
            Self::Number => f.write_str("has a number that is none"),
            Self::Choice(what, byte) => write!(f, "has an unknown {what} ({byte})"),
            Self::Value(what) => write!(f, "has a {what} that cannot be"),
            Self::Order(what) => write!(f, "has {what} out of place"),
        }
    }
}

impl std::error::Error for Bad {}

/// Takes values off the front of some bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Bad> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Bad::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Bad> {
        let (&first, rest) = self.rest.split_first().ok_or(Bad::Short)?;
        self.rest = rest;
        Ok(first)
    }

    /// A byte of which only the bits in `known` may be set.
    pub(super) fn flags(&mut self, known: u8) -> Result<u8, Bad> {
        let flags = self.byte()?;
        if flags & !known == 0 { Ok(flags) } else { Err(Bad::Choice("option", flags)) }
    }

    /// A number in its only form.
    ///
    /// # Errors
    /// [`Bad`] when the bytes do not begin with one.
    pub fn number(&mut self) -> Result<u64, Bad> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits || (byte == 0 && shift > 0) {
                return Err(Bad::Number);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Bad::Number)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Bad> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| Bad::Short)?)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Bad> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Bad::Value("text"))
    }

    pub(super) fn name(&mut self) -> Result<Name, Bad> {
        Name::parse(self.text()?).map_err(|_| Bad::Value("name"))
    }

    pub(super) fn session_name(&mut self) -> Result<SessionName, Bad> {
        SessionName::parse(self.text()?).map_err(|_| Bad::Value("session's name"))
    }

    pub(super) fn session(&mut self) -> Result<SessionId, Bad> {
        self.take(20)?.try_into().map(SessionId).map_err(|_| Bad::Short)
    }

    pub(super) fn data(&mut self) -> Result<Data, Bad> {
        Data::new(self.bytes()?).ok_or(Bad::Value("ticket's data"))
    }

    pub(super) fn ttl(&mut self) -> Result<Ttl, Bad> {
        let ttl_ms = i64::try_from(self.number()?).ok();
        ttl_ms.and_then(Ttl::new).ok_or(Bad::Value("ttl"))
    }

    pub(super) fn ms(&mut self) -> Result<WaitTimeout, Bad> {
        let ms = u32::try_from(self.number()?).map_err(|_| Bad::Value("length"))?;
        Ok(WaitTimeout::Ms(ms))
    }

    pub(super) fn fence(&mut self) -> Result<Fence, Bad> {
        self.number().map(Fence)
    }

    pub(super) fn wait(&mut self) -> Result<WaitId, Bad> {
        self.number().map(WaitId)
    }

    /// A request of the one server of a log of its own: its number alone.
    pub(super) fn request_alone(&mut self) -> Result<RequestId, Bad> {
        self.number().map(RequestId::alone)
    }

    /// A request of whatever node.
    pub(super) fn request(&mut self) -> Result<RequestId, Bad> {
        Ok(RequestId { node: self.node()?, n: self.number()? })
    }

    /// A request of one of several nodes, since that of a server alone has another form.
    pub(super) fn request_of_node(&mut self) -> Result<RequestId, Bad> {
        let request = self.request()?;
        if request.node == NodeId::ALONE { Err(Bad::Value("node")) } else { Ok(request) }
    }

    /// Somebody with a name: which kind, and its names.
    pub(super) fn owner(&mut self) -> Result<Owner, Bad> {
        let is_subject = has(self.flags(1)?, 0);
        let name = self.name()?;
        Ok(if is_subject {
            Owner::Subject { signer: name, sub: self.name()? }
        } else {
            Owner::Principal(name)
        })
    }

    pub(super) fn node(&mut self) -> Result<NodeId, Bad> {
        self.number().map(NodeId)
    }

    pub(super) fn delay(&mut self) -> Result<DelayId, Bad> {
        self.number().map(DelayId)
    }

    pub(super) fn note(&mut self) -> Result<Note, Bad> {
        Note::parse(self.text()?).map_err(|_| Bad::Value("note"))
    }

    /// A number within bounds.
    pub(super) fn within(
        &mut self,
        bounds: RangeInclusive<u32>,
        what: &'static str,
    ) -> Result<u32, Bad> {
        let number = u32::try_from(self.number()?).ok();
        number.filter(|number| bounds.contains(number)).ok_or(Bad::Value(what))
    }

    /// How long a claim lasts, in ms.
    pub(super) fn hold_ms(&mut self) -> Result<u32, Bad> {
        self.within(HOLD_MIN_MS..=HOLD_MAX_MS, "hold")
    }

    /// What `read` reads, if it is there.
    pub(super) fn optional<T>(
        &mut self,
        is_there: bool,
        read: impl FnOnce(&mut Self) -> Result<T, Bad>,
    ) -> Result<Option<T>, Bad> {
        if is_there { read(self).map(Some) } else { Ok(None) }
    }

    /// What `read` reads, so many times as a number in front of it says.
    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Bad>,
    ) -> Result<Vec<T>, Bad> {
        // Each takes a byte at least, so that a count is believed only as far as there are bytes.
        let mut all = Vec::new();
        for _ in 0..self.number()? {
            all.push(read(self)?);
        }
        Ok(all)
    }
}

/// Appends a number to `out`.
pub fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    out.push(low_byte(number));
}

fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Numbers behind their count, as [`Reader::list`] reads them.
pub(super) fn put_numbers(numbers: impl ExactSizeIterator<Item = u64>, out: &mut Vec<u8>) {
    put_number(numbers.len() as u64, out);
    numbers.for_each(|number| put_number(number, out));
}

pub(super) fn put_name(name: &Name, out: &mut Vec<u8>) {
    put_bytes(name.as_str().as_bytes(), out);
}

/// Behind a tag: a session.
pub(super) fn put_session(tag: u8, session: &SessionId, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&session.0);
}

/// Behind a tag: a session, and a resource.
pub(super) fn put_place(tag: u8, session: &SessionId, resource: &Name, out: &mut Vec<u8>) {
    put_session(tag, session, out);
    put_name(resource, out);
}

/// Somebody with a name, as [`Reader::owner`] reads it.
pub(super) fn put_owner(owner: &Owner, out: &mut Vec<u8>) {
    match owner {
        Owner::Principal(name) => {
            out.push(flags([false]));
            put_name(name, out);
        }
        Owner::Subject { signer, sub } => {
            out.push(flags([true]));
            put_name(signer, out);
            put_name(sub, out);
        }
    }
}

/// A request as it is read by [`Reader::request_of_node`], or by [`Reader::request_alone`].
pub(super) fn put_request(request: RequestId, with_node: bool, out: &mut Vec<u8>) {
    if with_node {
        put_number(request.node.0, out);
    }
    put_number(request.n, out);
}

/// A byte of which bit n is set when the n-th of `bits` is.
pub(super) fn flags<const N: usize>(bits: [bool; N]) -> u8 {
    bits.iter().rev().fold(0, |flags, &bit| flags << 1 | u8::from(bit))
}

/// Whether bit `n` is set.
pub(super) fn has(flags: u8, n: u8) -> bool {
    flags >> n & 1 == 1
}
