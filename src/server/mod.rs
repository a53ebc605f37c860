//! The server: HTTP and sockets over the driver, the connections that they come by, and how it
//! stops. It decides nothing about sessions, tickets or locks.
//!
//! ```text
//! net::accept ─▶ net::connection ─▶ http::routes ─┬▶ rest ───────────────▶ driver
//!                 (hyper, idling)    (who may come)└▶ socket::upgrade ─▶ reader, writer ─▶ driver
//! ```
//!
//! A file of `net` knows connections and no requests, `http` knows requests and not what they are
//! about; `rest` and `socket` know that. `app` is what all of them share.

mod access;
mod app;
mod config;
mod http;
mod lifecycle;
mod looks;
mod meters;
mod net;
mod origins;
mod refs;
mod rest;
mod scrape;
mod shown;
mod socket;
mod tls;

pub use crate::audit::AuditTarget;
pub use crate::driver::{Durability, PersistenceConfig};
pub use crate::wire::{AllowedOrigin, KnownHost, Network};
pub use access::{Access, AccessFault};
pub use config::Config;
pub use lifecycle::{NotStarted, STOPPING_MAX, Server};
pub use looks::Rereader;
pub use net::limits::Bounds;
pub use net::strangers::{NAMELESS_MAX, NAMELESS_OF_ONE_MAX};
pub use tls::{PemFault, TlsFault, TlsFiles};
