//! Who may come in, as the server asks it: proofs by headers and messages, rights by the tables of
//! routes and commands, and what becomes of everybody when the policy changes or a proof ends.

pub(crate) mod enter;
mod in_force;
mod rates;
mod review;
mod seats;

pub use in_force::Access;
pub(crate) use review::{Cut, review_all};
pub(crate) use seats::SocketSeat;
