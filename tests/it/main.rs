//! Integration tests, in one binary.

mod docs;
mod golden;
mod model;
mod random;
mod rng;
