//! Who may come in, as the server asks it: proofs by headers and messages, rights by the tables of
//! routes and commands, what becomes of everybody when the policy changes or a proof ends,
//! and the file that the policy is read from.

pub(crate) mod enter;
mod file;
mod in_force;
mod keeping;
pub(crate) mod last_shown;
mod rates;
mod review;
mod seats;

pub use file::AccessFault;
pub use in_force::Access;
pub(crate) use review::{Cut, review_all};
