//! Looking at the machine without changing it: what resume, dumps and status are made of.

mod counts;
mod grants;
mod looking;
mod slices;
mod state;
mod types;
mod views;

pub use looking::TicketStateKind;
pub use slices::{SLICE_MAX, Scan};
pub use types::{
    Counts, HolderView, IssuedState, LookView, ResourceView, SessionState, SessionView, Stakes,
    TicketState, TicketView, TimedClaim, WaitState, WaiterView, WatchState,
};
