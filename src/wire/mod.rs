//! The wire: bytes to types and back, for REST and for the socket. serde lives here; IO does not.

pub mod code;
mod data;
mod figures;
mod holders;
mod id;
mod json;
pub mod listed;
pub mod look;
#[cfg(feature = "server")]
mod network;
#[cfg(feature = "server")]
mod origin;
pub mod problem;
pub mod query;
pub mod rest;
pub mod socket;
pub mod stream;
pub mod terms;
mod understood;
pub mod views;

pub use code::Code;
pub use holders::{HOLDERS_MAX_BYTES, HOLDERS_SHOWN_MAX, Holder, Holders};
pub use id::{read_id, without_ids, write_id};
pub use json::json;
#[cfg(feature = "server")]
pub use network::{BadNetwork, Network};
#[cfg(feature = "server")]
pub use origin::{AllowedOrigin, KnownHost, Unfit, is_host};
pub use problem::{Blocked, Problem};
pub use understood::NotUnderstood;
