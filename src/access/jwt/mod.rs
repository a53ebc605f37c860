//! JSON Web Tokens: keys, claims, and the one way in which they are verified.
//!
//! The library verifies signatures only. What it would say about claims depends on its clock and
//! passes over what is missing, so claims are read and judged here.

mod claims;
mod key;
mod key_set;
mod signer;
mod verify;

pub use key::{BadKey, SigningAlgorithm};
pub(in crate::access) use key::{KeyPrint, VerifyingKey};
pub(in crate::access) use key_set::key_set;
pub(in crate::access) use signer::Signer;
pub use verify::{BadToken, RefusedToken};
pub(in crate::access) use verify::{VerifiedJwt, verify};
