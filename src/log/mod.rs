//! What any log of commands shares: what it is asked, and the form of commands as bytes. It may
//! name the machine only; it knows no files, no clock and nothing of the wire.

pub mod codec;
mod command_log;
pub mod testing;

pub use command_log::{Appended, Batch, CommandLog, LogFailure, LogStatus, Order, Position};
