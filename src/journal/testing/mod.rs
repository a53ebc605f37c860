//! For tests only: a store that forgets what a disk would forget.

mod crash_store;

pub use crash_store::{Crash, CrashStore, Fault};
