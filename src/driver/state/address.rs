//! Where a command's reply goes. The address goes with the command as data, so that a log may order
//! before or after it is applied.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::driver::commit::watermark::LogPosition;
use crate::machine::{Refusal, Reply, RequestId, SessionId};

use super::speaker::Speaker;
use super::undelivered::UndeliveredGrant;

/// Where a reply goes.
#[derive(Debug)]
pub(in crate::driver) enum ReplyTo {
    /// To nobody: a command of the driver's own.
    Nobody,
    /// To a REST request.
    Request(RequestAddress),
    /// To a socket, as the answer to its request of that id.
    Socket(Speaker, Option<u64>),
    /// To a socket that ends with its session, as the answer to its request of that id.
    Bye(Speaker, Option<u64>),
}

/// The address of a REST request.
#[derive(Debug)]
pub(in crate::driver) struct RequestAddress {
    pub(super) session: SessionId,
    /// By which the machine knows it, if it may wait.
    pub(super) waits_as: Option<RequestId>,
    pub(super) sender: oneshot::Sender<Delivered>,
}

/// A reply that came to a REST request.
#[derive(Debug)]
pub(in crate::driver) struct Delivered {
    pub(in crate::driver) reply: Result<Reply, Refusal>,
    /// What is undone if it is handed over to nobody.
    pub(in crate::driver) undelivered: Option<Arc<UndeliveredGrant>>,
    /// From which position on it may leave.
    pub(in crate::driver) position: LogPosition,
}

impl ReplyTo {
    /// The address of a REST request, and where its reply comes.
    pub(in crate::driver) fn request(
        session: SessionId,
        waits_as: Option<RequestId>,
    ) -> (Self, oneshot::Receiver<Delivered>) {
        let (sender, receiver) = oneshot::channel();
        (Self::Request(RequestAddress { session, waits_as, sender }), receiver)
    }

    /// Whose command it is, if it is a client's.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self {
            Self::Nobody => None,
            Self::Request(address) => Some(address.session),
            Self::Socket(speaker, _) | Self::Bye(speaker, _) => Some(speaker.session),
        }
    }
}
