//! The whole state as plain values in a fixed order, and back: what a snapshot is made of.
//!
//! Two machines with equal images answer all commands alike. Nothing here depends on rows' keys
//! or on a hash's order, so the same history gives the same image in every process.

mod export;
mod possible;
mod restore;
mod types;

pub use types::{
    BadSnapshot, DelaySnapshot, HoldSnapshot, PauseSnapshot, ResourceSnapshot, SessionSnapshot,
    Snapshot, SnapshotParty, TicketSnapshot, WaitSnapshot, WatchSnapshot,
};
