//! Bounds on what one address may take: connections, and requests a second. Off by default.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::time::Instant;

/// The bounds; 0 is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// Most connections of an address at a time.
    pub connections: u32,
    /// Most requests of an address a second; as many may come at once.
    pub rate: u32,
}

/// What an address takes at the moment.
#[derive(Debug)]
struct Taken {
    connections: u32,
    /// Requests that may come at once, in millionths.
    budget: u64,
    /// When the budget was last filled up.
    filled: Instant,
}

/// All addresses that have a connection, or spent requests a moment ago.
#[derive(Debug)]
pub(crate) struct Guard {
    bounds: Bounds,
    addresses: Mutex<HashMap<IpAddr, Taken>>,
}

/// One request, in the unit of budgets.
const REQUEST: u64 = 1_000_000;

#[expect(clippy::disallowed_methods, reason = "rates are by real time; no session depends on it")]
fn now() -> Instant {
    Instant::now()
}

impl Guard {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { bounds, addresses: Mutex::default() })
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, Taken>> {
        match self.addresses.lock() {
            Ok(addresses) => addresses,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    fn is_off(&self) -> bool {
        self.bounds.connections == 0 && self.bounds.rate == 0
    }

    /// Counts a connection of an address for as long as what is returned lives.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Visit {
        let mut visit = Visit { guard: self.clone(), address, too_many: false };
        if !self.is_off() {
            let mut addresses = self.addresses();
            let taken = addresses.entry(address).or_insert_with(|| Taken {
                connections: 0,
                budget: u64::from(self.bounds.rate) * REQUEST,
                filled: now(),
            });
            let most = self.bounds.connections;
            visit.too_many = most > 0 && taken.connections >= most;
            taken.connections += u32::from(!visit.too_many);
        }
        visit
    }
}

/// A connection of an address.
#[derive(Debug)]
pub(crate) struct Visit {
    guard: Arc<Guard>,
    address: IpAddr,
    too_many: bool,
}

impl Visit {
    /// Whether the address has as many connections as it may without this one, which does not
    /// count then.
    pub(crate) fn is_too_many(&self) -> bool {
        self.too_many
    }

    /// Whether the address may make another request now; then it counts.
    pub(crate) fn may_ask(&self) -> bool {
        let rate = u64::from(self.guard.bounds.rate);
        if rate == 0 {
            return true;
        }
        let mut addresses = self.guard.addresses();
        let Some(taken) = addresses.get_mut(&self.address) else { return true };
        let now = now();
        let micros = u64::try_from((now - taken.filled).as_micros()).unwrap_or(u64::MAX);
        let earned = micros.saturating_mul(rate);
        taken.budget = taken.budget.saturating_add(earned).min(rate * REQUEST);
        taken.filled = now;
        match taken.budget.checked_sub(REQUEST) {
            Some(budget) => {
                taken.budget = budget;
                true
            }
            None => false,
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if self.guard.is_off() || self.too_many {
            return;
        }
        let mut addresses = self.guard.addresses();
        let Some(taken) = addresses.get_mut(&self.address) else { return };
        taken.connections -= 1;
        if self.guard.bounds.rate == 0 {
            if taken.connections == 0 {
                addresses.remove(&self.address);
            }
            return;
        }
        // An address that comes anew with every request must not get a new budget each time: it
        // is kept until it would be full again.
        let now = now();
        let full = std::time::Duration::from_secs(1);
        if addresses.len() > 64 && addresses.len() == addresses.capacity() {
            addresses.retain(|_, t| t.connections > 0 || now - t.filled < full);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn a_budget_is_spent_and_earned_again_however_often_one_reconnects() {
        let guard = Guard::new(Bounds { connections: 0, rate: 2 });
        assert!(guard.enter(HOME).may_ask() && guard.enter(HOME).may_ask());
        assert!(!guard.enter(HOME).may_ask());
        tokio::time::advance(Duration::from_millis(500)).await;
        let visit = guard.enter(HOME);
        assert!(visit.may_ask() && !visit.may_ask());
    }

    #[test]
    fn connections_are_counted_while_they_last() {
        let guard = Guard::new(Bounds { connections: 1, rate: 0 });
        let first = guard.enter(HOME);
        assert!(!first.is_too_many() && guard.enter(HOME).is_too_many());
        drop(first);
        assert!(!guard.enter(HOME).is_too_many());
        let off = Guard::new(Bounds::default());
        let visits: Vec<_> = (0..100).map(|_| off.enter(HOME)).collect();
        assert!(visits.iter().all(|visit| !visit.is_too_many() && visit.may_ask()));
    }
}
