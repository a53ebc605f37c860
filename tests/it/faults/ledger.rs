//! Who held what, as the holders themselves tell it. A hold lasts at least from the moment its
//! holder heard of it to the moment it set out to give it up; a grant of a higher fence that was
//! heard of in between is a second holder.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard};

/// A lock, or a ticket of a resource.
pub(crate) type Thing = (String, Option<String>);

#[derive(Debug)]
struct Grant {
    party: usize,
    told: u64,
    given_up: Option<u64>,
    /// Its issuer took it away: nobody here knows when.
    revoked: bool,
}

#[derive(Debug, Default)]
struct Book {
    /// Orders what the parties tell.
    clock: u64,
    grants: BTreeMap<Thing, BTreeMap<u64, Grant>>,
    /// What each fence was handed out for.
    fences: BTreeMap<u64, Thing>,
}

/// The grants of a whole run.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Book>);

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().expect("nobody panics with it")
    }

    /// A party knows that it holds a thing.
    pub(crate) fn told(&self, party: usize, thing: &Thing, fence: u64) -> Result<(), String> {
        let mut book = self.book();
        book.clock += 1;
        let told = book.clock;
        let former = book.fences.entry(fence).or_insert_with(|| thing.clone());
        if former != thing {
            return Err(format!("fence {fence} is of {former:?} and of {thing:?}"));
        }
        match book.grants.entry(thing.clone()).or_default().entry(fence) {
            Entry::Vacant(free) => {
                free.insert(Grant { party, told, given_up: None, revoked: false });
            }
            Entry::Occupied(mut known) if known.get().party == party => {
                known.get_mut().given_up = None;
            }
            Entry::Occupied(known) => {
                let other = known.get().party;
                return Err(format!("{party} and {other} both have {thing:?} at {fence}"));
            }
        }
        Ok(())
    }

    /// It is about to give it up.
    pub(crate) fn giving_up(&self, thing: &Thing, fence: u64) {
        let mut book = self.book();
        book.clock += 1;
        let now = book.clock;
        if let Some(grant) = book.grants.get_mut(thing).and_then(|grants| grants.get_mut(&fence)) {
            grant.given_up = Some(now);
        }
    }

    /// It was taken away by the ticket's issuer.
    pub(super) fn revoked(&self, thing: &Thing, fence: u64) {
        let mut book = self.book();
        if let Some(grant) = book.grants.get_mut(thing).and_then(|grants| grants.get_mut(&fence)) {
            grant.revoked = true;
        }
    }

    /// How many grants there were, if nothing ever had two holders.
    pub(crate) fn check(&self) -> Result<usize, String> {
        let book = self.book();
        for (thing, grants) in &book.grants {
            let known = grants.iter().filter(|(_, grant)| !grant.revoked);
            for ((fence, grant), (next_fence, next)) in known.clone().zip(known.skip(1)) {
                if grant.given_up.is_none_or(|given_up| given_up > next.told) {
                    return Err(format!(
                        "two holders of {thing:?}: {grant:?} at {fence}, {next:?} at {next_fence}"
                    ));
                }
            }
        }
        Ok(book.fences.len())
    }
}

#[test]
fn two_holders_are_found_out() {
    let lock: Thing = ("db".to_owned(), None);
    let ledger = Ledger::default();
    ledger.told(1, &lock, 7).unwrap();
    ledger.told(1, &lock, 7).unwrap();
    assert!(ledger.told(2, &lock, 7).is_err(), "the same fence twice");
    assert!(ledger.told(2, &("other".to_owned(), None), 7).is_err());
    ledger.giving_up(&lock, 7);
    ledger.told(2, &lock, 9).unwrap();
    assert_eq!(ledger.check(), Ok(2));
    // It was not given up after all.
    ledger.told(1, &lock, 7).unwrap();
    assert!(ledger.check().is_err());
    ledger.giving_up(&lock, 7);
    assert!(ledger.check().is_err(), "too late");
}
