//! An entry `[[signer]]`: whose tokens are believed, and how much.

use std::sync::Arc;

use super::key::{KeyPrint, SigningAlgorithm, VerifyingKey};
use crate::access::quotas::Quotas;
use crate::access::rules::Rule;
use crate::machine::Name;

/// Most keys that are tried when a token does not name one.
const TRIES_MAX: usize = 8;

/// Somebody who signs tokens for others.
#[derive(Clone, Debug)]
pub(in crate::access) struct Signer {
    /// What the file calls it.
    pub(in crate::access) name: Name,
    /// The `iss` of its tokens.
    pub(in crate::access) issuer: Box<str>,
    /// How it signs.
    pub(in crate::access) algorithm: SigningAlgorithm,
    /// What must be among the `aud` of its tokens.
    pub(in crate::access) audience: Box<str>,
    /// Its keys, all of its algorithm.
    pub(in crate::access) keys: Box<[VerifyingKey]>,
    /// Whether a token's `kid` chooses among them.
    pub(in crate::access) is_key_set: bool,
    /// The most its tokens can carry.
    pub(in crate::access) allow: Arc<[Rule]>,
    /// Of each `sub`, and of all together.
    pub(in crate::access) quotas: Quotas,
}

impl Signer {
    /// The keys that may have signed a token with this `kid`.
    pub(super) fn candidates(&self, kid: Option<&str>) -> impl Iterator<Item = &VerifyingKey> {
        let kid = kid.filter(|_| self.is_key_set);
        self.keys.iter().filter(move |key| kid.is_none() || key.kid() == kid).take(TRIES_MAX)
    }

    /// Whether a token that this key verified is still one of its own.
    pub(in crate::access) fn has(&self, key: KeyPrint) -> bool {
        self.keys.iter().any(|own| own.print() == key)
    }
}
