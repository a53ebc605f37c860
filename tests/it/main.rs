//! Integration tests, in one binary.

mod access;
mod audit;
mod cli;
mod compat;
mod crossings;
mod docs;
mod faults;
mod fuzz;
mod golden;
mod journal;
mod keeping;
mod model;
mod orders;
mod pages;
mod random;
mod rest;
mod rng;
mod slices;
mod slow;
mod socket;
mod support;
mod timings;
mod tls;
