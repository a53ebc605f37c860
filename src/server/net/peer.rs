//! Where a request comes from.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::server::tls::ClientCertificate;

use super::limits::Admission;
use super::line::Line;

/// Where a request comes from.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The connection, as far as it counts against its address.
    pub(crate) admission: Arc<Admission>,
    pub(crate) line: Line,
    /// What its client showed while they shook hands.
    pub(crate) certificate: Option<ClientCertificate>,
}
