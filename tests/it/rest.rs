//! Stories told to a server over HTTP.

mod bodies;
mod connections;
mod edges;
mod fences;
mod half_closed;
mod mended;
mod names;
mod origins;
mod waiting;
