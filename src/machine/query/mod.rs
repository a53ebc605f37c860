//! Looking at the machine without changing it: what resume, dumps and status are made of.

mod counts;
mod slices;
mod state;
mod types;
mod views;

pub use slices::{SLICE_MAX, Scan};
pub use types::{
    Counts, IssuedState, ResourceView, SessionState, SessionView, Stakes, TicketView, WaitState,
    WatchState,
};
