//! Where a command's reply goes. The address goes with the command as data, so that a log may order
//! before or after it is applied.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::message::RequestMark;
use crate::machine::{Owner, Refusal, Reply, RequestId, SessionId};

use super::speaker::Speaker;
use super::undelivered::UndeliveredGrant;

/// Where a reply goes.
#[derive(Debug)]
pub(in crate::driver) enum ReplyTo {
    /// To nobody: a command of the driver's own.
    Nobody,
    /// To a REST request.
    Request(RequestAddress),
    /// To a socket, as the answer to a request.
    Socket(SocketAddress),
    /// To a socket that ends with its session, as the answer to its request of that id.
    Bye(Speaker, RequestMark),
}

/// A socket that asks something.
#[derive(Debug)]
pub(in crate::driver) struct SocketAddress {
    pub(in crate::driver) speaker: Speaker,
    /// Its request.
    pub(in crate::driver) id: RequestMark,
    /// Whether it is told how a wait moves that this comes to.
    pub(in crate::driver) follows: bool,
}

/// Who asks without a session, as far as the audit trail is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outsider {
    /// Who it is.
    pub owner: Option<Owner>,
    /// From where it asks.
    pub address: Option<Box<str>>,
}

/// Who asks by REST.
#[derive(Debug)]
pub(in crate::driver) enum Asker {
    /// A session.
    Session(SessionId),
    /// Somebody without one.
    Outsider(Outsider),
}

/// The address of a REST request.
#[derive(Debug)]
pub(in crate::driver) struct RequestAddress {
    pub(super) asker: Asker,
    /// By which the machine knows it, if it may wait.
    pub(super) waits_as: Option<RequestId>,
    pub(super) sender: oneshot::Sender<Delivered>,
}

/// A reply that came to a REST request.
#[derive(Debug)]
pub(in crate::driver) struct Delivered {
    pub(in crate::driver) reply: Result<Reply, Refusal>,
    /// What is left of a claim that it grants and that ends by itself, in ms.
    pub(in crate::driver) left_ms: Option<u32>,
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
        Self::asker(Asker::Session(session), waits_as)
    }

    /// The same of one who asks without a session.
    pub(in crate::driver) fn outsider(outsider: Outsider) -> (Self, oneshot::Receiver<Delivered>) {
        Self::asker(Asker::Outsider(outsider), None)
    }

    fn asker(asker: Asker, waits_as: Option<RequestId>) -> (Self, oneshot::Receiver<Delivered>) {
        let (sender, receiver) = oneshot::channel();
        (Self::Request(RequestAddress { asker, waits_as, sender }), receiver)
    }

    /// Whose command it is, if it is a client's.
    pub(super) fn session(&self) -> Option<SessionId> {
        match self {
            Self::Nobody => None,
            Self::Request(RequestAddress { asker, .. }) => match asker {
                Asker::Session(session) => Some(*session),
                Asker::Outsider(_) => None,
            },
            Self::Socket(SocketAddress { speaker, .. }) | Self::Bye(speaker, _) => {
                Some(speaker.session)
            }
        }
    }

    /// Who asks without a session, if it is one.
    pub(super) fn as_outsider(&self) -> Option<&Outsider> {
        match self {
            Self::Request(RequestAddress { asker: Asker::Outsider(outsider), .. }) => {
                Some(outsider)
            }
            _ => None,
        }
    }
}
