//! Integration tests, in one binary.

mod cli;
mod compat;
mod crossings;
mod docs;
mod golden;
mod model;
mod random;
mod rest;
mod rng;
mod socket;
mod support;
