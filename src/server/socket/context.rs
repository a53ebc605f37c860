//! What a connection needs to know beside its socket.

use std::net::IpAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::driver::Driver;
use crate::machine::SessionId;
use crate::server::access::Access;
use crate::server::access::enter::Guest;
use crate::server::meters::Meters;
use crate::server::net::limits::Admission;
use crate::server::net::strangers::Stranger;

/// What a connection needs to know beside its socket.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) driver: Driver,
    pub(crate) meters: Arc<Meters>,
    /// The address that the socket comes from.
    pub(crate) source: Box<str>,
    /// Cancelled when the server is to stop.
    pub(crate) stopping: CancellationToken,
    /// Dropped when the socket has said `hello`.
    pub(crate) nameless: Option<Stranger>,
    /// The address, as far as limits and failures are counted.
    pub(crate) address: IpAddr,
    /// Who may come in, where that is asked for.
    pub(crate) access: Option<Arc<Access>>,
    /// Who the upgrade showed.
    pub(crate) guest: Option<Guest>,
    /// The connection, as far as it counts against its address.
    pub(crate) admission: Option<Arc<Admission>>,
}

impl Context {
    pub(super) fn may_ask(&self) -> bool {
        self.admission.as_ref().is_none_or(|it| it.may_ask())
    }

    pub(super) fn may_speak(&self, session: Option<&SessionId>) -> bool {
        self.admission.as_ref().is_none_or(|it| it.may_speak(session))
    }
}
