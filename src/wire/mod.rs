//! The wire: bytes to types and back, for REST and for the socket. serde lives here; IO does not.

pub mod code;
mod id;
mod json;
#[cfg(feature = "server")]
mod network;
#[cfg(feature = "server")]
mod origin;
pub mod problem;
pub mod query;
pub mod rest;
pub mod socket;
pub mod views;

pub use code::Code;
pub use id::{read_id, without_ids, write_id};
pub use json::json;
#[cfg(feature = "server")]
pub use network::{BadNetwork, Network};
#[cfg(feature = "server")]
pub use origin::{AllowedOrigin, KnownHost, Unfit, is_host};
pub use problem::Problem;
