//! Where a request comes from.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::HeaderMap;

use crate::server::access::last_shown::LastShown;
use crate::server::tls::ClientCertificate;

use super::idle::Traffic;
use super::limits::{AddressLimits, Admission};
use super::line::Line;
use super::proxies::Proxies;

/// The header in which proxies say whom they were asked by.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of a client. Of one that a proxy was asked by nobody knows the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress {
    ip: IpAddr,
    port: Option<u16>,
}

impl ClientAddress {
    pub(crate) fn ip(self) -> IpAddr {
        self.ip
    }
}

impl From<SocketAddr> for ClientAddress {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip(), port: Some(address.port()) }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.ip, port).fmt(f),
            None => self.ip.fmt(f),
        }
    }
}

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: ClientAddress,
    /// The connection, as far as it counts against its address.
    pub(crate) admission: Arc<Admission>,
    pub(crate) line: Line,
    /// What goes on on the connection.
    pub(crate) traffic: Arc<Traffic>,
    /// What its client showed while they shook hands.
    pub(crate) certificate: Option<ClientCertificate>,
    /// What was shown last on the connection, by whichever client of a proxy's.
    pub(crate) last_shown: Arc<LastShown>,
}

impl Peer {
    /// Who asks by a request with these headers that came from here: another, if this is a proxy
    /// that is believed.
    pub(crate) fn client(
        self: &Arc<Self>,
        headers: &HeaderMap,
        proxies: &Proxies,
        limits: &Arc<AddressLimits>,
    ) -> Arc<Self> {
        if !proxies.trust(self.address.ip) {
            return self.clone();
        }
        let lines = headers.get_all(FORWARDED_FOR).iter().map(|line| line.as_bytes());
        let ip = proxies.client(self.address.ip, lines);
        let address =
            if ip == self.address.ip { self.address } else { ClientAddress { ip, port: None } };
        let admission = Arc::new(limits.relay(ip));
        Arc::new(Self { address, admission, ..Self::clone(self) })
    }
}
