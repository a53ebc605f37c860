//! Answers to requests, but for whole states.

use serde::Deserialize;

use crate::machine::{Fence, Figures, Grant, Refusal, Reply, WaitId};
use crate::wire::code::Code;
use crate::wire::json::Object;
use crate::wire::problem::Problem;

use super::figures::{FiguresMembers, write_figures};
use super::ticket::{GivenTicket, TicketMembers};
use super::understood::{NotUnderstood, there};

/// What a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// It was not carried out; why. A client reads a code that it does not know as `internal`.
    Failed(Problem),
    /// Done; nothing more to say.
    Done,
    /// A heartbeat was heard.
    Beat {
        /// The session's TTL, in ms.
        ttl_ms: u32,
    },
    /// A lock was granted.
    Lock {
        /// The number of the grant.
        fence: Fence,
        /// How many wait behind.
        waiting: u32,
    },
    /// A ticket was granted.
    Ticket(GivenTicket),
    /// The session has a place in a queue.
    Queued {
        /// The place.
        wait: WaitId,
        /// Counted from 1.
        position: u32,
    },
    /// Not free, and the request did not ask to wait.
    NotGranted,
    /// Whether anything was released.
    Released(bool),
    /// Whether a wait was given up.
    Cancelled(bool),
    /// The watched resource as it is now.
    Watching(Figures),
}

impl From<Result<Reply, Refusal>> for Response {
    fn from(reply: Result<Reply, Refusal>) -> Self {
        match reply {
            Err(refusal) => Self::Failed(refusal.into()),
            Ok(Reply::Granted { grant: Grant::Lock(grant), .. }) => {
                Self::Lock { fence: grant.fence, waiting: grant.waiting }
            }
            Ok(Reply::Granted { grant: Grant::Ticket(grant), .. }) => Self::Ticket(grant.into()),
            Ok(Reply::Queued { wait, position }) => Self::Queued { wait, position },
            Ok(Reply::NotGranted) => Self::NotGranted,
            Ok(Reply::Released(released)) => Self::Released(released),
            Ok(Reply::Cancelled(cancelled)) => Self::Cancelled(cancelled),
            Ok(Reply::Watching(figures)) => Self::Watching(figures),
            Ok(Reply::Done | Reply::Adopted(_) | Reply::Forgotten { .. }) => Self::Done,
        }
    }
}

impl Response {
    /// Writes it as the answer to the request of that id, behind what is in the buffer.
    pub fn write(&self, id: Option<u64>, out: &mut Vec<u8>) {
        let mut frame = Object::begin(out);
        frame.member("id", id);
        if let Self::Failed(problem) = self {
            let mut error = frame.object("error");
            error.member("code", problem.code.as_str()).member("message", &*problem.detail);
            error.end();
        } else {
            let mut ok = frame.object("ok");
            self.write_ok(&mut ok);
            ok.end();
        }
        frame.end();
    }

    fn write_ok(&self, ok: &mut Object<'_>) {
        match self {
            Self::Failed(_) | Self::Done => {}
            Self::Beat { ttl_ms } => {
                ok.member("ttl", ttl_ms);
            }
            Self::Lock { fence, waiting } => {
                ok.member("granted", true).member("fence", fence.0).member("waiting", waiting);
            }
            Self::Ticket(given) => {
                let mut ticket = ok.member("granted", true).object("ticket");
                given.write(&mut ticket);
                ticket.end();
            }
            Self::Queued { wait, position } => {
                ok.member("granted", false).member("wait", wait.0).member("position", position);
            }
            Self::NotGranted => {
                ok.member("granted", false);
            }
            Self::Released(released) => {
                ok.member("released", released);
            }
            Self::Cancelled(cancelled) => {
                ok.member("cancelled", cancelled);
            }
            Self::Watching(figures) => write_figures(ok, *figures),
        }
    }

    /// Reads what is in `ok`, if it is no whole state.
    pub(super) fn read(ok: &str) -> Result<Self, NotUnderstood> {
        let members: OkMembers =
            serde_json::from_str(ok).map_err(|_| NotUnderstood("members of ok"))?;
        members.try_into()
    }
}

/// The members of `ok`, as they came.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OkMembers {
    ttl: Option<u32>,
    granted: Option<bool>,
    fence: Option<u64>,
    waiting: Option<u32>,
    ticket: Option<TicketMembers>,
    wait: Option<u64>,
    position: Option<u32>,
    released: Option<bool>,
    cancelled: Option<bool>,
    kind: Option<String>,
    free: Option<u32>,
    held: Option<u32>,
}

impl TryFrom<OkMembers> for Response {
    type Error = NotUnderstood;

    fn try_from(ok: OkMembers) -> Result<Self, NotUnderstood> {
        let waiting = there(ok.waiting, "waiting");
        Ok(match ok {
            OkMembers { ttl: Some(ttl_ms), .. } => Self::Beat { ttl_ms },
            OkMembers { granted: Some(true), ticket: Some(ticket), .. } => {
                Self::Ticket(ticket.try_into()?)
            }
            OkMembers { granted: Some(true), fence, .. } => {
                Self::Lock { fence: Fence(there(fence, "fence")?), waiting: waiting? }
            }
            OkMembers { granted: Some(false), wait: Some(wait), position, .. } => {
                Self::Queued { wait: WaitId(wait), position: there(position, "position")? }
            }
            OkMembers { granted: Some(false), .. } => Self::NotGranted,
            OkMembers { released: Some(released), .. } => Self::Released(released),
            OkMembers { cancelled: Some(cancelled), .. } => Self::Cancelled(cancelled),
            OkMembers { free: Some(free), held, kind, .. } => {
                let (held, waiting) = (there(held, "held")?, waiting?);
                Self::Watching(FiguresMembers { kind, free, held, waiting }.into())
            }
            OkMembers { .. } => Self::Done,
        })
    }
}

/// The members of `error`, as they came.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorMembers {
    code: String,
    message: String,
}

impl From<ErrorMembers> for Response {
    fn from(error: ErrorMembers) -> Self {
        let code = Code::ALL.into_iter().find(|code| code.as_str() == error.code);
        Self::Failed(Problem::new(code.unwrap_or(Code::Internal), error.message))
    }
}
