//! ticketd: a coordination server that pushes. Sessions take locks, issue and claim tickets, and
//! wait for both in fair queues; who is next is told.
//!
//! ```text
//! bytes ─ wire ─▶ Command ─▶ driver ─▶ machine.apply ─▶ reply, events ─ wire ─▶ bytes
//!                              │ │                            ▲
//!                  deadlines ◀─┘ └──▶ log ◀─ journal ─────────┘ releases what is safe
//! ```
//!
//! | layer | may name |
//! | --- | --- |
//! | [`machine`]: who holds what, and who is next; pure | nothing |
//! | `access`: who may come in, and what each may do; pure | machine |
//! | `audit`: the trail of grants, ends and refusals, and its file | machine |
//! | `deadlines`: when sessions and waits run out; pure | machine |
//! | `meters`: what is counted and measured | nothing |
//! | `log`: what a log of commands promises, and its bytes; pure | machine |
//! | [`wire`]: bytes to types and back | machine |
//! | `journal`: that log on one disk | log, machine |
//! | `driver`: owns machine, deadlines and log; the only clock | these, but not wire, access |
//! | `server`: connections, REST, sockets | driver, wire, machine |
//! | `cli`: the program's options and commands | wire; each command the layer that it runs |
//!
//! A test, `tests/tidy`, holds the layers to that. Where things are: `src/DESIGN.md`.
//!
//! Features: `server` (default) is everything; `client` alone is what a client needs, `wire` and
//! the machine's types, without axum or SQLite.
#![warn(missing_docs, unreachable_pub)]

#[cfg(feature = "server")]
pub mod access;
#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod deadlines;
#[cfg(feature = "server")]
pub mod driver;
#[cfg(feature = "server")]
pub mod journal;
#[cfg(feature = "server")]
pub mod log;
pub mod machine;
#[cfg(feature = "server")]
pub mod meters;
#[cfg(feature = "server")]
pub mod notices;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;
