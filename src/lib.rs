//! ticketd: a coordination server that pushes.
#![warn(missing_docs, unreachable_pub)]

pub mod cli;
pub mod deadlines;
pub mod driver;
pub mod journal;
pub mod log;
pub mod machine;
pub mod notices;
pub mod server;
pub mod wire;
