//! Answers to requests, but for whole states.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use crate::machine::{
    Fence, Figures, Grant, LockGrant, Mode, Refusal, Reply, SessionId, SessionRef, WaitId,
};
use crate::wire::code::Code;
use crate::wire::figures::{FiguresMembers, write_figures};
use crate::wire::holders::{HolderMembers, Holders, read_holders, read_mode, write_mode};
use crate::wire::json::Object;
use crate::wire::look::{Look, LookMembers};
use crate::wire::problem::{Blocked, Problem};
use crate::wire::understood::{NotUnderstood, name, session_name, there};

use super::bounds::LOOK_MAX_BYTES;
use super::ticket::{GivenTicket, TicketMembers};

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
        /// In which mode.
        mode: Mode,
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
    /// How long a claim lasts from now on, in ms, if it ends by itself.
    Touched(Option<u32>),
    /// How many dead tickets are free again.
    Revived(u32),
    /// The watched resource as it is now.
    Watching {
        /// In figures.
        figures: Figures,
        /// Who holds it, if that is told of every change.
        holders: Option<Holders>,
    },
    /// How a resource stands.
    Look(Look),
}

impl Response {
    /// What the machine answers. A new claim has all of its time left.
    #[must_use]
    pub fn new(
        reply: Result<Reply, Refusal>,
        session_ref: impl Fn(&SessionId) -> SessionRef,
    ) -> Self {
        match reply {
            Err(refusal) => Self::Failed(refusal.into()),
            Ok(Reply::Granted { grant, .. }) => Self::granted(grant, None),
            Ok(Reply::Queued { wait, position }) => Self::Queued { wait, position },
            Ok(Reply::NotGranted) => Self::NotGranted,
            Ok(Reply::Deadlock(circle)) => {
                let cycle = circle.iter().map(|blocked| Blocked::new(blocked, &session_ref));
                Self::Failed(Problem::deadlock(cycle.collect()))
            }
            Ok(Reply::Touched(left_ms)) => Self::Touched(left_ms),
            Ok(Reply::Revived(tickets)) => Self::Revived(tickets),
            Ok(Reply::Released(released)) => Self::Released(released),
            Ok(Reply::Cancelled(cancelled)) => Self::Cancelled(cancelled),
            Ok(Reply::Watching(figures)) => Self::Watching { figures, holders: None },
            Ok(
                Reply::Done | Reply::Served { .. } | Reply::Adopted(_) | Reply::Forgotten { .. },
            ) => Self::Done,
        }
    }

    /// What was granted; of a claim that was granted before, so many ms are left.
    #[must_use]
    pub fn granted(grant: Grant, left_ms: Option<u32>) -> Self {
        match grant {
            Grant::Lock(LockGrant { fence, waiting, mode, resource: _ }) => {
                Self::Lock { fence, waiting, mode }
            }
            Grant::Ticket(grant) => {
                let left_ms = left_ms.or(grant.hold_ms);
                Self::Ticket(GivenTicket::new(grant, left_ms))
            }
        }
    }

    /// Writes it as the answer to the request of that id, behind what is in the buffer.
    pub fn write(&self, id: Option<u64>, out: &mut Vec<u8>) {
        let mut frame = Object::begin(out);
        frame.member("id", id);
        if let Self::Failed(problem) = self {
            let mut error = frame.object("error");
            error.member("code", problem.code.as_str()).member("message", &*problem.detail);
            if let Some(cycle) = problem.written_cycle() {
                error.written("cycle", cycle.as_bytes());
            }
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
            Self::Lock { fence, waiting, mode } => {
                ok.member("granted", true).member("fence", fence.0).member("waiting", waiting);
                write_mode(ok, *mode);
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
            Self::Touched(left_ms) => {
                ok.member("left", left_ms);
            }
            Self::Revived(tickets) => {
                ok.member("revived", tickets);
            }
            Self::Watching { figures, holders } => {
                write_figures(ok, *figures);
                if let Some(holders) = holders {
                    holders.write(ok);
                }
            }
            Self::Look(look) => look.write_members(ok, LOOK_MAX_BYTES),
        }
    }

    /// Reads what is in `ok`, if it is no whole state.
    pub(super) fn read(ok: &str) -> Result<Self, NotUnderstood> {
        let members: OkMembers =
            serde_json::from_str(ok).map_err(|_| NotUnderstood("members of ok"))?;
        if members.waiters.is_some() {
            let look: LookMembers =
                serde_json::from_str(ok).map_err(|_| NotUnderstood("members of a look"))?;
            return look.try_into().map(Self::Look);
        }
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
    mode: Option<String>,
    ticket: Option<TicketMembers>,
    wait: Option<u64>,
    position: Option<u32>,
    released: Option<bool>,
    cancelled: Option<bool>,
    /// The outer is whether it is there.
    #[serde(deserialize_with = "is_there")]
    left: Option<Option<u32>>,
    revived: Option<u32>,
    kind: Option<String>,
    free: Option<u32>,
    held: u32,
    delayed: u32,
    dead: u32,
    paused: bool,
    holders: Option<Vec<HolderMembers>>,
    more: bool,
    waiters: Option<IgnoredAny>,
}

fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
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
            OkMembers { granted: Some(true), fence, mode, .. } => {
                let (fence, mode) = (Fence(there(fence, "fence")?), read_mode(mode.as_deref()));
                Self::Lock { fence, waiting: waiting?, mode }
            }
            OkMembers { granted: Some(false), wait: Some(wait), position, .. } => {
                Self::Queued { wait: WaitId(wait), position: there(position, "position")? }
            }
            OkMembers { granted: Some(false), .. } => Self::NotGranted,
            OkMembers { released: Some(released), .. } => Self::Released(released),
            OkMembers { cancelled: Some(cancelled), .. } => Self::Cancelled(cancelled),
            OkMembers { left: Some(left_ms), .. } => Self::Touched(left_ms),
            OkMembers { revived: Some(tickets), .. } => Self::Revived(tickets),
            OkMembers {
                free: Some(free),
                kind,
                held,
                delayed,
                dead,
                paused,
                holders,
                more,
                ..
            } => {
                let waiting = waiting?;
                let figures = FiguresMembers { kind, free, held, waiting, delayed, dead, paused };
                let holders = holders.map(|first| read_holders(first, more)).transpose()?;
                Self::Watching { figures: figures.into(), holders }
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
    #[serde(default)]
    cycle: Vec<CycleMembers>,
}

#[derive(Debug, Deserialize)]
struct CycleMembers {
    session: String,
    r#ref: String,
    waits: String,
}

impl TryFrom<ErrorMembers> for Response {
    type Error = NotUnderstood;

    fn try_from(error: ErrorMembers) -> Result<Self, NotUnderstood> {
        let code = Code::ALL.into_iter().find(|code| code.as_str() == error.code);
        let blocked = |CycleMembers { session, r#ref, waits }| {
            Ok(Blocked {
                session: session_name(&session)?,
                session_ref: there(SessionRef::parse(&r#ref), "ref")?,
                waits: name(&waits)?,
            })
        };
        let cycle = error.cycle.into_iter().map(blocked).collect::<Result<_, _>>()?;
        let problem = Problem::new(code.unwrap_or(Code::Internal), error.message);
        Ok(Self::Failed(Problem { cycle, ..problem }))
    }
}
