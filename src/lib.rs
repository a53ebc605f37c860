//! ticketd: a coordination server that pushes.
#![warn(missing_docs, unreachable_pub)]

#[cfg(feature = "server")]
pub mod access;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod deadlines;
#[cfg(feature = "server")]
pub mod driver;
#[cfg(feature = "server")]
pub mod journal;
#[cfg(feature = "server")]
pub mod log;
pub mod machine;
#[cfg(feature = "server")]
pub mod notices;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;
