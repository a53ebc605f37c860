//! The original's REST interface: one function a request (protocol, section 2).

pub(crate) mod drain;
pub(crate) mod dump;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod list;
pub(crate) mod locks;
pub(crate) mod metrics;
pub(crate) mod outcome;
mod pieces;
pub(crate) mod resources;
pub(crate) mod sessions;
pub(crate) mod status;
pub(crate) mod tickets;
mod waiting;
