//! Stories told to a server over HTTP.

mod access;
mod bodies;
mod connections;
mod edges;
mod events;
mod fences;
mod figures;
mod forms;
mod half_closed;
mod large;
mod mended;
mod names;
mod origins;
mod proxies;
mod resources;
mod waiting;
