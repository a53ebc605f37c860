//! Integration tests, in one binary.

mod golden;
mod model;
mod random;
mod rng;
