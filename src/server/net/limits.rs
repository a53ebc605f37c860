//! Bounds on what one address may take: connections, and requests a second. Off by default.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::machine::SessionId;
use crate::notices::{NoticeKind, Notices};

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

/// A connection as one of those that its address may have.
#[derive(Debug)]
struct Standing {
    address: IpAddr,
    /// It is a proxy's, for a client with this address: it counts nowhere, and is never too many.
    is_relayed: bool,
    /// Whether it is counted. Changes under the lock of the limits only.
    counts: AtomicBool,
}

impl Standing {
    fn new(address: IpAddr, is_relayed: bool) -> Self {
        Self { address: address.to_canonical(), is_relayed, counts: AtomicBool::new(!is_relayed) }
    }

    fn counts(&self) -> bool {
        self.counts.load(Ordering::Relaxed)
    }

    fn set(&self, counts: bool) {
        self.counts.store(counts, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
struct Usage {
    /// All addresses that have a connection, or spent requests a moment ago.
    addresses: HashMap<IpAddr, Taken>,
    /// By which connection sessions have a socket; empty while connections are not bounded.
    seats: HashMap<SessionId, Arc<Standing>>,
}

impl Usage {
    fn taken(&mut self, address: IpAddr, bounds: Bounds, now: Instant) -> &mut Taken {
        self.addresses.entry(address).or_insert_with(|| Taken {
            connections: 0,
            budget: u64::from(bounds.rate) * REQUEST,
            filled: now,
        })
    }

    /// Makes room for another address where there is none. One that comes anew with every request
    /// must not get a new budget each time: it is kept until that would be full again.
    fn forget(&mut self, now: Instant) {
        let (addresses, full) = (&mut self.addresses, Duration::from_secs(1));
        if addresses.len() > 64 && addresses.len() == addresses.capacity() {
            addresses.retain(|_, taken| taken.connections > 0 || now - taken.filled < full);
            // If hardly anybody has gone, this would be done for each who comes.
            addresses.reserve(addresses.len() / 2);
        }
    }

    /// Counts a connection if its address may have one more.
    fn count(&mut self, standing: &Standing, bounds: Bounds) -> bool {
        let taken = self.taken(standing.address, bounds, now());
        let counts = bounds.connections == 0 || taken.connections < bounds.connections;
        taken.connections += u32::from(counts);
        standing.set(counts);
        counts
    }
}

/// Knows what addresses take.
#[derive(Debug)]
pub(crate) struct AddressLimits {
    bounds: Bounds,
    usage: Mutex<Usage>,
    notices: Arc<Notices>,
}

/// One request, in the unit of budgets.
const REQUEST: u64 = 1_000_000;

#[expect(clippy::disallowed_methods, reason = "rates are by real time; no session depends on it")]
fn now() -> Instant {
    Instant::now()
}

impl AddressLimits {
    pub(crate) fn new(bounds: Bounds, notices: Arc<Notices>) -> Arc<Self> {
        Arc::new(Self { bounds, usage: Mutex::default(), notices })
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        match self.usage.lock() {
            Ok(usage) => usage,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    fn is_off(&self) -> bool {
        self.bounds.connections == 0 && self.bounds.rate == 0
    }

    /// Counts a connection of an address for as long as what is returned lives.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Admission {
        let standing = Standing::new(address, false);
        if !self.is_off() {
            self.usage().count(&standing, self.bounds);
        }
        Admission { limits: self.clone(), standing: Arc::new(standing) }
    }

    /// What a proxy passes on from an address: the connection counts nowhere, requests do.
    pub(crate) fn relay(self: &Arc<Self>, address: IpAddr) -> Admission {
        Admission { limits: self.clone(), standing: Arc::new(Standing::new(address, true)) }
    }
}

/// A connection of an address.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: Arc<AddressLimits>,
    standing: Arc<Standing>,
}

impl Admission {
    /// Whether the address has as many connections as it may without this one, which does not
    /// count then.
    pub(crate) fn is_too_many(&self) -> bool {
        !self.standing.is_relayed && !self.standing.counts()
    }

    /// Whether the connection may be that of a socket: it counts, or does now, or takes over a
    /// session whose connection counts. A client whose line died has it counted until the server
    /// finds out, and comes back by another.
    pub(crate) fn may_speak(&self, session: Option<&SessionId>) -> bool {
        if !self.is_too_many() {
            return true;
        }
        let mut usage = self.limits.usage();
        let may = usage.count(&self.standing, self.limits.bounds)
            || session
                .and_then(|session| usage.seats.get(session))
                .is_some_and(|former| former.counts() && former.address == self.standing.address);
        drop(usage);
        if !may {
            self.tell_too_many();
        }
        may
    }

    /// Tells the log that something is refused because the address has too many connections.
    pub(crate) fn tell_too_many(&self) {
        self.limits.notices.refused(NoticeKind::Connections, self.standing.address);
    }

    /// A socket of this connection's speaks for the session, for as long as what is returned
    /// lives. If the connection does not count yet, it takes the place of the one that did.
    pub(crate) fn sit(self: &Arc<Self>, session: SessionId) -> Option<Seat> {
        let bounds = self.limits.bounds;
        if bounds.connections == 0 || self.standing.is_relayed {
            return None;
        }
        let mut usage = self.limits.usage();
        let former = usage.seats.insert(session, self.standing.clone());
        if !self.standing.counts() {
            match former.filter(|former| former.counts() && former.address == self.standing.address)
            {
                Some(former) => former.set(false),
                // It has gone just now.
                None => usage.taken(self.standing.address, bounds, now()).connections += 1,
            }
            self.standing.set(true);
        }
        Some(Seat { admission: self.clone(), session })
    }

    /// Whether the address may make another request now; then it counts.
    pub(crate) fn may_ask(&self) -> bool {
        let rate = u64::from(self.limits.bounds.rate);
        if rate == 0 {
            return true;
        }
        let mut usage = self.limits.usage();
        let now = now();
        if self.standing.is_relayed {
            usage.forget(now);
        }
        let taken = usage.taken(self.standing.address, self.limits.bounds, now);
        let micros = u64::try_from((now - taken.filled).as_micros()).unwrap_or(u64::MAX);
        let earned = micros.saturating_mul(rate);
        taken.budget = taken.budget.saturating_add(earned).min(rate * REQUEST);
        taken.filled = now;
        match taken.budget.checked_sub(REQUEST) {
            Some(budget) => {
                taken.budget = budget;
                true
            }
            None => {
                drop(usage);
                self.limits.notices.refused(NoticeKind::Rate, self.standing.address);
                false
            }
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.limits.is_off() {
            return;
        }
        let mut usage = self.limits.usage();
        if !self.standing.counts() {
            return;
        }
        let addresses = &mut usage.addresses;
        let Some(taken) = addresses.get_mut(&self.standing.address) else { return };
        taken.connections -= 1;
        if self.limits.bounds.rate == 0 {
            if taken.connections == 0 {
                addresses.remove(&self.standing.address);
            }
            return;
        }
        usage.forget(now());
    }
}

/// A connection as that of a session's socket.
#[derive(Debug)]
pub(crate) struct Seat {
    admission: Arc<Admission>,
    session: SessionId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut usage = self.admission.limits.usage();
        let seat = usage.seats.get(&self.session);
        if seat.is_some_and(|standing| Arc::ptr_eq(standing, &self.admission.standing)) {
            usage.seats.remove(&self.session);
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
        let limits = AddressLimits::new(Bounds { connections: 0, rate: 2 }, Arc::default());
        assert!(limits.enter(HOME).may_ask() && limits.enter(HOME).may_ask());
        assert!(!limits.enter(HOME).may_ask());
        tokio::time::advance(Duration::from_millis(500)).await;
        let admission = limits.enter(HOME);
        assert!(admission.may_ask() && !admission.may_ask());
    }

    #[test]
    fn connections_are_counted_while_they_last() {
        let limits = AddressLimits::new(Bounds { connections: 1, rate: 0 }, Arc::default());
        let first = limits.enter(HOME);
        assert!(!first.is_too_many() && limits.enter(HOME).is_too_many());
        drop(first);
        assert!(!limits.enter(HOME).is_too_many());
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        let first = limits.enter(mapped);
        assert!(limits.enter(HOME).is_too_many(), "it is the same address");
        drop(first);
        let off = AddressLimits::new(Bounds::default(), Arc::default());
        let admissions: Vec<_> = (0..100).map(|_| off.enter(HOME)).collect();
        assert!(admissions.iter().all(|admission| !admission.is_too_many() && admission.may_ask()));
    }

    #[tokio::test(start_paused = true)]
    async fn of_what_a_proxy_passes_on_requests_count_and_connections_do_not() {
        let limits = AddressLimits::new(Bounds { connections: 1, rate: 2 }, Arc::default());
        let relayed: Vec<_> = (0..3).map(|_| Arc::new(limits.relay(HOME))).collect();
        assert!(relayed.iter().all(|one| !one.is_too_many() && one.may_speak(None)));
        assert!(relayed.iter().all(|one| one.sit(SESSION).is_none()));
        assert_eq!(relayed.iter().filter(|one| one.may_ask()).count(), 2);
        assert!(limits.relay([192, 0, 2, 1].into()).may_ask(), "that is another's");
        let direct = limits.enter(HOME);
        assert!(!direct.is_too_many() && !direct.may_ask());
        drop(relayed);
        assert!(limits.enter(HOME).is_too_many(), "only one that counted would have left");
    }

    #[tokio::test(start_paused = true)]
    async fn clients_behind_a_proxy_are_forgotten_when_they_have_their_budgets_back() {
        let limits = AddressLimits::new(Bounds { connections: 0, rate: 1 }, Arc::default());
        for number in 0..20_000_u32 {
            let client = limits.relay(IpAddr::V4(number.into()));
            assert!(client.may_ask() && !client.may_ask());
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        assert!(limits.usage().addresses.len() < 500);
    }

    const SESSION: SessionId = SessionId([1; 20]);
    const OTHER: SessionId = SessionId([2; 20]);

    fn enter(limits: &Arc<AddressLimits>, address: IpAddr) -> Arc<Admission> {
        Arc::new(limits.enter(address))
    }

    /// A client with as many sockets as it may have loses a line, and is back before the server
    /// has found out: its own dead line kept it out, with a code that says "do not come back".
    #[test]
    fn who_takes_over_takes_the_place_in_the_count_too() {
        let limits = AddressLimits::new(Bounds { connections: 2, rate: 0 }, Arc::default());
        let [dead, other] = [enter(&limits, HOME), enter(&limits, HOME)];
        let (dead_seat, other_seat) = (dead.sit(SESSION), other.sit(OTHER));
        let back = enter(&limits, HOME);
        assert!(!back.may_speak(None) && !back.may_speak(Some(&SessionId([3; 20]))));
        assert!(back.may_speak(Some(&SESSION)));
        let back_seat = back.sit(SESSION);
        assert!(!back.is_too_many() && dead.is_too_many());
        drop((dead_seat, dead));
        assert!(limits.enter(HOME).is_too_many(), "there are still two");
        // Its seat is its own: the dead one's end did not take it away.
        let again = enter(&limits, HOME);
        assert!(again.may_speak(Some(&SESSION)));
        drop((back_seat, back));
        assert!(again.may_speak(None), "a place has come free");
        drop((other_seat, other));
        assert!(limits.usage().seats.is_empty());
        let last = enter(&limits, HOME);
        assert!(!last.is_too_many() && enter(&limits, HOME).is_too_many());
    }

    #[test]
    fn nobody_takes_the_place_of_another_address() {
        let limits = AddressLimits::new(Bounds { connections: 1, rate: 0 }, Arc::default());
        let away = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let [home, theirs] = [enter(&limits, HOME), enter(&limits, away)];
        let _seats = [home.sit(SESSION), theirs.sit(OTHER)];
        assert!(!enter(&limits, HOME).may_speak(Some(&OTHER)));
    }
}
