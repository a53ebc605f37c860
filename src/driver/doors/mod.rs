//! What a front end may ask: requests, requests that wait, sockets, and views of what is large.

pub(super) mod audit;
pub(super) mod draining;
pub(super) mod looking;
pub(super) mod request;
pub(super) mod socket;
pub(super) mod standing;
pub(super) mod streams;
pub(super) mod views;
pub(super) mod waiting;
