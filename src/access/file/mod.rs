//! The access file: its shape, its faults, and the policy that is made of it.

mod fault;
mod read;
mod shape;

pub use fault::{BadFile, FileFault};
pub use read::{NamedFile, PolicyFile, read_policy};
