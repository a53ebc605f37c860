//! Bad tokens, counted by address, so that guessing is slow. `now` is in ms.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

/// As many bad tokens of one address in a minute are answered as bad; further ones are throttled.
pub const FAILURES_PER_MINUTE: usize = 20;
/// As many new JWTs of a throttled address are looked at in a second.
pub const LOOKS_PER_SECOND: u32 = 50;
/// Most addresses that are remembered; the one that failed longest ago is forgotten.
pub const ADDRESSES_MAX: usize = 65_536;

const MINUTE_MS: u64 = 60_000;
const SECOND_MS: u64 = 1000;

/// What is one address: of IPv6 the first 64 bits, for a host has all of the rest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Site {
    Four([u8; 4]),
    Six([u16; 4]),
}

impl Site {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Four(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::Six([a, b, c, d])
            }
        }
    }
}

/// What is remembered of an address that failed.
#[derive(Default)]
struct AddressRecord {
    /// When the last ones were, oldest first, at most [`FAILURES_PER_MINUTE`].
    times: VecDeque<u64>,
    /// The second in which JWTs were looked at last, and how many.
    looks: (u64, u32),
}

impl AddressRecord {
    fn last(&self) -> u64 {
        self.times.back().copied().unwrap_or_default()
    }

    /// How long from `now` until one more failure would not be throttled.
    fn throttled(&self, now: u64) -> Option<u64> {
        let oldest = *self.times.front().filter(|_| self.times.len() == FAILURES_PER_MINUTE)?;
        (oldest + MINUTE_MS).checked_sub(now).filter(|&left| left > 0)
    }
}

/// How a bad token is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureAnswer {
    /// With 429 and this `Retry-After`, in seconds; else with 401.
    pub retry_after: Option<u64>,
    /// Whether the log says why: once a second and address.
    pub logged: bool,
}

/// The addresses that failed lately.
#[derive(Default)]
pub struct Failures {
    records: HashMap<Site, AddressRecord>,
    /// By when they failed last.
    order: BTreeSet<(u64, Site)>,
}

impl Failures {
    /// Counts a bad token of `address`.
    pub fn count(&mut self, address: IpAddr, now: u64) -> FailureAnswer {
        self.forget(now);
        let site = Site::of(address);
        let record = self.records.entry(site).or_default();
        let known = !record.times.is_empty();
        // A clock that went back must not leave times in disorder.
        let now = now.max(record.last());
        let logged = !known || record.last() / SECOND_MS < now / SECOND_MS;
        if known {
            self.order.remove(&(record.last(), site));
        }
        let throttled = record.throttled(now).is_some();
        if record.times.len() == FAILURES_PER_MINUTE {
            record.times.pop_front();
        }
        record.times.push_back(now);
        let left = record.throttled(now).filter(|_| throttled);
        self.order.insert((now, site));
        self.bound();
        FailureAnswer { retry_after: left.map(|left| left.div_ceil(SECOND_MS)), logged }
    }

    /// Whether a new JWT of `address` is looked at; if not, after how many seconds to come again.
    ///
    /// # Errors
    /// `Retry-After`, when as many of a throttled address have been looked at in this second.
    pub fn look(&mut self, address: IpAddr, now: u64) -> Result<(), u64> {
        let Some(record) = self.records.get_mut(&Site::of(address)) else { return Ok(()) };
        if record.throttled(now).is_none() {
            return Ok(());
        }
        let second = now / SECOND_MS;
        if record.looks.0 != second {
            record.looks = (second, 0);
        }
        if record.looks.1 == LOOKS_PER_SECOND {
            return Err(1);
        }
        record.looks.1 += 1;
        Ok(())
    }

    /// How many addresses are remembered.
    #[must_use]
    pub fn addresses(&self) -> usize {
        debug_assert_eq!(self.records.len(), self.order.len(), "each has its place in the order");
        self.records.len()
    }

    /// Forgets who has not failed for a minute.
    fn forget(&mut self, now: u64) {
        while let Some(&(last, site)) = self.order.first()
            && last + MINUTE_MS <= now
        {
            self.order.pop_first();
            self.records.remove(&site);
        }
    }

    /// Forgets the oldest when there are too many.
    fn bound(&mut self) {
        if self.records.len() > ADDRESSES_MAX
            && let Some((_, site)) = self.order.pop_first()
        {
            self.records.remove(&site);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn the_21st_in_a_minute_and_on_is_throttled() {
        let mut failures = Failures::default();
        for n in 0..20 {
            assert_eq!(failures.count(HOST, n * 1000).retry_after, None, "{n}");
        }
        assert_eq!(failures.count(HOST, 20_000).retry_after, Some(41));
        assert_eq!(failures.count(HOST, 59_999).retry_after, Some(3));
        // The 20 before this one are those from 2 s on.
        assert_eq!(failures.count(HOST, 62_000).retry_after, None);
        assert_eq!(failures.count(HOST, 62_001).retry_after, Some(2));
        // After a minute of silence all is forgotten.
        assert_eq!(failures.count(HOST, 122_001).retry_after, None);
        assert_eq!(failures.addresses(), 1);
    }

    #[test]
    fn one_address_is_a_64_of_ipv6_and_others_do_not_count() {
        let mut failures = Failures::default();
        let six = |host| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host));
        for n in 0..20 {
            assert_eq!(failures.count(six(n), 0).retry_after, None);
        }
        assert_eq!(failures.count(six(99), 0).retry_after, Some(60));
        let next = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1));
        assert_eq!(failures.count(next, 0).retry_after, None);
        assert_eq!(failures.count(HOST, 0).retry_after, None);
        let mapped = IpAddr::V6(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
        failures.count(mapped, 0);
        assert_eq!(failures.addresses(), 3, "a mapped address is the IPv4 one");
    }

    #[test]
    fn of_a_throttled_address_50_new_jwts_a_second_are_looked_at() {
        let mut failures = Failures::default();
        for _ in 0..19 {
            failures.count(HOST, 0);
        }
        assert!((0..1000).all(|_| failures.look(HOST, 0).is_ok()), "not yet throttled");
        failures.count(HOST, 0);
        let looked = |failures: &mut Failures, now| {
            (0..200).filter(|_| failures.look(HOST, now).is_ok()).count()
        };
        assert_eq!(looked(&mut failures, 1000), 50);
        assert_eq!(looked(&mut failures, 1999), 0);
        assert_eq!(looked(&mut failures, 2000), 50);
        assert_eq!(looked(&mut failures, 60_000), 200, "a minute later it is like any other");
    }

    #[test]
    fn the_log_hears_once_a_second_and_address() {
        let mut failures = Failures::default();
        let logged: Vec<_> =
            [500, 600, 999, 1000, 1100, 3000].map(|now| failures.count(HOST, now).logged).into();
        assert_eq!(logged, [true, false, false, true, false, true]);
        // The clock goes back: what counts is the later time.
        assert_eq!(failures.count(HOST, 0), FailureAnswer { retry_after: None, logged: false });
    }

    #[test]
    fn so_many_addresses_are_remembered_and_the_oldest_is_forgotten() {
        let mut failures = Failures::default();
        for _ in 0..20 {
            failures.count(HOST, 0);
        }
        for n in 0..u32::try_from(ADDRESSES_MAX).unwrap() - 1 {
            failures.count(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n)), 1);
        }
        assert_eq!(failures.addresses(), ADDRESSES_MAX);
        assert!(failures.count(HOST, 2).retry_after.is_some(), "it was still known");
        for n in 0..10 {
            failures.count(IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + n)), 3);
        }
        assert_eq!(failures.addresses(), ADDRESSES_MAX);
        assert!(failures.count(HOST, 4).retry_after.is_some(), "it failed later than others");
        failures.count(HOST, 70_000);
        assert_eq!(failures.addresses(), 1);
    }
}
