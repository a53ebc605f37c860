//! Good JSON Web Tokens by their hash, so that a signature is verified once.

use std::collections::{HashMap, VecDeque};

use super::subject::Subject;
use super::token::TokenHash;

/// Most tokens that are remembered; the one that came first is forgotten.
pub const REMEMBERED_MAX: usize = 10_000;

/// The tokens that were good when they were verified. Who takes one asks whether it still is.
#[derive(Default)]
pub(super) struct Remembered {
    subjects: HashMap<TokenHash, Subject>,
    /// In the order in which they came; some may be forgotten already.
    order: VecDeque<TokenHash>,
}

impl Remembered {
    pub(super) fn get(&self, hash: TokenHash) -> Option<Subject> {
        self.subjects.get(&hash).cloned()
    }

    pub(super) fn put(&mut self, hash: TokenHash, subject: Subject) {
        if self.subjects.insert(hash, subject).is_some() {
            return;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED_MAX
            && let Some(first) = self.order.pop_front()
        {
            self.subjects.remove(&first);
        }
    }

    /// Forgets a token that is no longer good.
    pub(super) fn forget(&mut self, hash: TokenHash) {
        self.subjects.remove(&hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::quotas::Quotas;
    use crate::access::rules::Rules;
    use crate::access::subject::{Proof, SubjectParts};

    #[test]
    fn so_many_are_remembered_and_the_first_is_forgotten() {
        let subject = Subject::new(SubjectParts {
            owner: None,
            rules: Rules::default(),
            quotas: Quotas::default(),
            proof: Proof::Nothing,
            begins: 0,
            ends: None,
        });
        let hash = |n: usize| TokenHash::of(&n.to_string());
        let mut remembered = Remembered::default();
        for n in 0..=REMEMBERED_MAX {
            remembered.put(hash(n), subject.clone());
            remembered.put(hash(n), subject.clone());
        }
        assert!(remembered.get(hash(0)).is_none());
        assert!(remembered.get(hash(1)).is_some());
        for _ in 0..REMEMBERED_MAX {
            remembered.forget(hash(1));
            remembered.put(hash(1), subject.clone());
        }
        assert!(remembered.get(hash(1)).is_some());
        assert!(remembered.order.len() <= REMEMBERED_MAX);
        assert!(remembered.subjects.len() <= remembered.order.len());
    }
}
