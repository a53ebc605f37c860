//! For tests only: a log that orders first.

mod memory_log;

pub use memory_log::MemoryLog;
