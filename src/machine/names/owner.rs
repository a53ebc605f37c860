//! Whose a session is, and with whose others it is counted.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::name::Name;

/// Somebody with a name. Compared part by part, so that no two can be spelled to look alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// An entry `[[principal]]`, by its name.
    Principal(Name),
    /// Somebody whom a signer's token speaks of.
    Subject {
        /// The entry `[[signer]]`, by its name.
        signer: Name,
        /// The token's `sub`.
        sub: Name,
    },
}

impl Owner {
    /// Both parts as plain text: the entry's name, and the `sub` if it is a signer's.
    #[must_use]
    pub fn parts(&self) -> (&str, Option<&str>) {
        match self {
            Self::Principal(name) => (name.as_str(), None),
            Self::Subject { signer, sub } => (signer.as_str(), Some(sub.as_str())),
        }
    }
}

/// For people: what `sub` holds is shown as it would stand in a program.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (name, None) => f.write_str(name),
            (signer, Some(sub)) => write!(f, "{signer}: {sub:?}"),
        }
    }
}

/// With whose sessions a session is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Those of an owner.
    Owner(Owner),
    /// Those of all of a signer's subjects together. Only their sessions are counted.
    Signer(Name),
    /// Those without an owner, by address; of IPv6 the first 64 bits count.
    Address(IpAddr),
    /// Those without an owner whose source is no address.
    Nowhere,
}

/// How much an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    /// Sessions.
    pub sessions: usize,
    /// Tickets that they issued and that still are.
    pub issued: usize,
}

impl Account {
    /// The account of a session of `owner` that was opened from `source`.
    #[must_use]
    pub fn of(owner: Option<&Owner>, source: &str) -> Self {
        if let Some(owner) = owner {
            return Self::Owner(owner.clone());
        }
        let with_port = || source.parse::<SocketAddr>().map(|address| address.ip());
        source.parse().or_else(|_| with_port()).map_or(Self::Nowhere, Self::of_address)
    }

    /// The account of sessions without an owner from an address.
    #[must_use]
    pub fn of_address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        })
    }

    /// The account that counts this one's sessions, too.
    pub(in crate::machine) fn parent(&self) -> Option<Self> {
        match self {
            Self::Owner(Owner::Subject { signer, .. }) => Some(Self::Signer(signer.clone())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_without_owner_is_counted_with_those_of_its_address() {
        let of = |source| Account::of(None, source);
        assert_eq!(of("10.0.0.1:4711"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("[::ffff:10.0.0.1]:1"), of("10.0.0.1"));
        assert_eq!(of("[2001:db8::1]:1"), of("2001:db8::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8::1"));
        assert_eq!(of("somewhere"), Account::Nowhere);
        let owner = Owner::Principal(Name::parse("a").unwrap());
        assert_eq!(Account::of(Some(&owner), "10.0.0.1"), Account::Owner(owner));
    }
}
