//! Connections: taken, counted, served by hyper, watched while they idle, and closed without
//! losing what was written last. What a request is about is not known here.

pub(crate) mod accept;
pub(crate) mod connection;
pub(crate) mod counted;
mod handshake;
#[cfg(test)]
mod handshake_tests;
pub(crate) mod idle;
pub(crate) mod limits;
pub(crate) mod line;
#[cfg(test)]
mod line_tests;
pub(crate) mod lingering;
pub(crate) mod peer;
pub(crate) mod proxies;
mod secured;
pub(crate) mod strangers;
