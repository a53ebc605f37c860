//! Who a session is.

use std::fmt;

use super::id::SessionId;
use super::name::SessionName;
use super::time::Ttl;

/// Who a session is, as others see it. Shared, so that grants are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub name: SessionName,
    /// Its TTL.
    pub ttl: Ttl,
    /// The address it was opened from.
    pub source: Box<str>,
}

/// What a session is called where its id must not be told: the first 8 bytes of a hash of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionRef(pub [u8; 8]);

impl SessionRef {
    /// Reads one as it is displayed: 16 digits, lower case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_ref = text.len() == 16 && text.bytes().all(is_digit);
        let number = u64::from_str_radix(text, 16).ok().filter(|_| is_ref)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for SessionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_is_read_as_it_is_written() {
        let text = "0123456789abcdef";
        assert_eq!(SessionRef::parse(text).map(|found| found.to_string()), Some(text.into()));
        for bad in
            ["", "0123456789abcde", "0123456789ABCDEF", "+123456789abcdef", "é1234567890abcd"]
        {
            assert_eq!(SessionRef::parse(bad), None);
        }
    }
}
