//! Stories told to a server that speaks TLS.

mod clients;
mod handshakes;
mod lines;
mod program;
mod reload;
mod world;
