//! Networks as options give them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that begin with the same bits, as in `10.0.0.0/8`; or one, as in `10.0.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    /// How many bits they have in common.
    length: u32,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadNetwork {
    /// It does not begin with an address.
    Address,
    /// Its addresses cannot have so many bits in common.
    Length,
    /// Its address is not the first that it has.
    NotFirst(Network),
}

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("a network is like 10.0.0.0/8, 2001:db8::/32 or 10.0.0.1"),
            Self::Length => f.write_str("an address has 32 bits, or 128 of IPv6"),
            Self::NotFirst(network) => write!(f, "that would be {network}"),
        }
    }
}

impl std::error::Error for BadNetwork {}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().map_err(|_| BadNetwork::Address)?;
        let first = first.to_canonical();
        let length = match length {
            Some(length) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().map_err(|_| BadNetwork::Length)?
            }
            Some(_) => return Err(BadNetwork::Length),
            None => bits(first),
        };
        if length > bits(first) {
            return Err(BadNetwork::Length);
        }
        let network = Self { first: masked(first, length), length };
        if network.first == first { Ok(network) } else { Err(BadNetwork::NotFirst(network)) }
    }
}

impl Network {
    /// Whether an address is one of its own. One of IPv4 is, however it is written.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.length) == self.first
    }
}

/// How many bits an address has.
fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { u32::BITS } else { u128::BITS }
}

/// The first address that has the first `length` bits of this one.
fn masked(address: IpAddr, length: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(u32::BITS - length).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(u128::BITS - length).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_what_begins_with_its_bits() {
        for (network, has, has_not) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.6/31", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("::/0", "ffff::", "10.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("::ffff:192.0.2.7", "192.0.2.7", "::ffff:192.0.2.6"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.has(address(has)), "{network} {has}");
            assert!(!network.has(address(has_not)), "{network} {has_not}");
            assert_eq!(network.to_string().parse(), Ok(network));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, why) in [
            ("", "is like"),
            ("example.org", "is like"),
            ("10.0.0/8", "is like"),
            ("10.0.0.0:80", "is like"),
            ("fe80::1%eth0", "is like"),
            ("10.0.0.0/33", "32 bits"),
            ("10.0.0.0/", "32 bits"),
            ("10.0.0.0/+8", "32 bits"),
            ("10.0.0.0/8/8", "32 bits"),
            ("10.0.0.0/255.0.0.0", "32 bits"),
            ("::/129", "32 bits"),
            ("10.0.0.5/8", "that would be 10.0.0.0/8"),
            ("2001:db8::1/32", "that would be 2001:db8::/32"),
        ] {
            let refused = text.parse::<Network>().unwrap_err().to_string();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
