//! How many sockets somebody has who may have so many.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::machine::Account;

/// The sockets of everybody who may have only so many.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<Account, u32>>);

impl Seats {
    /// Counts a socket for as long as what is returned lives. `None` when that would be one more
    /// than `most`.
    pub(super) fn take(
        self: &Arc<Self>,
        account: Account,
        most: Option<u32>,
    ) -> Option<SocketSeat> {
        let mut seats = self.0.lock();
        let taken = seats.get(&account).copied().unwrap_or(0);
        if most.is_some_and(|most| taken >= most) {
            return None;
        }
        seats.insert(account.clone(), taken + 1);
        Some(SocketSeat { seats: self.clone(), account })
    }
}

/// A socket that counts.
#[derive(Debug)]
pub(crate) struct SocketSeat {
    seats: Arc<Seats>,
    account: Account,
}

impl Drop for SocketSeat {
    fn drop(&mut self) {
        let mut seats = self.seats.0.lock();
        if let Some(taken) = seats.get_mut(&self.account) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&self.account);
            }
        }
    }
}
