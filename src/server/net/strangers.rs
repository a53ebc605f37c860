//! Sockets that have not said `hello` yet: anybody can have some, so there are bounds on how many,
//! in all and of one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

/// Most sockets that have not said `hello` yet.
pub const NAMELESS_MAX: usize = 1000;
/// Most of them that come from one address.
pub const NAMELESS_OF_ONE_MAX: usize = 100;

#[derive(Debug, Default)]
struct StrangerCounts {
    all: usize,
    /// Those that there are any of.
    of_one: HashMap<IpAddr, usize>,
}

/// StrangerCounts them.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<StrangerCounts>);

impl Strangers {
    fn counts(&self) -> MutexGuard<'_, StrangerCounts> {
        match self.0.lock() {
            Ok(counts) => counts,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// StrangerCounts one for as long as what is returned lives, unless there are too many.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Stranger> {
        let home = home(address);
        let mut counts = self.counts();
        let of_one = counts.of_one.get(&home).copied().unwrap_or(0);
        if counts.all >= NAMELESS_MAX || of_one >= NAMELESS_OF_ONE_MAX {
            return None;
        }
        counts.all += 1;
        counts.of_one.insert(home, of_one + 1);
        Some(Stranger { strangers: self.clone(), home })
    }
}

/// Who has an address of IPv6 usually has 2^64 of them.
fn home(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

/// A socket that has not said `hello`.
#[derive(Debug)]
pub(crate) struct Stranger {
    strangers: Arc<Strangers>,
    home: IpAddr,
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut counts = self.strangers.counts();
        counts.all -= 1;
        if let Some(of_one) = counts.of_one.get_mut(&self.home) {
            *of_one -= 1;
            if *of_one == 0 {
                counts.of_one.remove(&self.home);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A thousand silent upgrades of one address shut out everybody.
    #[test]
    fn an_address_has_a_hundred_and_all_have_a_thousand() {
        let strangers = Arc::new(Strangers::default());
        let mut all: Vec<Stranger> = Vec::new();
        for number in 0..10 {
            let one = IpAddr::from([10, 0, 0, number]);
            all.extend((0..100).map(|_| strangers.enter(one).expect("not too many")));
            assert!(strangers.enter(one).is_none(), "the 101st");
        }
        let other = address("192.0.2.1");
        assert!(strangers.enter(other).is_none(), "the 1001st");
        all.pop();
        assert!(strangers.enter(other).is_some(), "it has left again, too");
        assert!(strangers.enter(address("10.0.0.9")).is_some());
        all.clear();
        assert!(strangers.counts().of_one.is_empty(), "nothing is kept of who has left");
    }

    #[test]
    fn addresses_of_ipv6_count_by_their_first_half_and_mapped_ones_as_what_they_are() {
        for (one, other, same) in [
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ] {
            assert_eq!(home(address(one)) == home(address(other)), same, "{one} {other}");
        }
    }
}
