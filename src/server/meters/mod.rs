//! What the server counts and measures of itself.

mod op_name;

use crate::meters::{Counter, Histogram};
use crate::wire::Code;
use crate::wire::socket::close;

pub(crate) use op_name::OpName;

/// How a request ends, but for [`Code::ALL`].
const OK: usize = 0;
/// What HTTP itself refuses: there is no such path, or not with this method.
const HTTP: usize = Code::ALL.len() + 1;
/// All ends of a request: well, by a code, by HTTP.
const ENDS: usize = Code::ALL.len() + 2;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    With(Code),
    /// HTTP itself refuses it.
    NoRoute,
}

impl Ended {
    fn index(self) -> usize {
        match self {
            Self::Well => OK,
            Self::With(code) => code as usize + 1,
            Self::NoRoute => HTTP,
        }
    }
}

/// The requests of one way.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    pub(crate) by_op: [[Counter; ENDS]; OpName::ALL.len()],
    /// How long they took; without those that waited in a queue.
    pub(crate) seconds: Histogram,
}

impl Requests {
    /// One was answered, so long after it had come. Its op was made from [`OpName`].
    #[inline]
    pub(crate) fn answered_at(&self, op: u8, ended: Ended, took_us: u64) {
        if let Some(by_end) = self.by_op.get(usize::from(op)) {
            by_end[ended.index()].count();
            self.seconds.measure_us(took_us);
        }
    }

    /// One was answered.
    #[inline]
    pub(crate) fn answered(&self, op: OpName, ended: Ended) {
        self.by_op[op as usize][ended.index()].count();
    }
}

/// How the attempt of a socket to take a session over ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resumed {
    Well,
    /// There is no such session any more.
    NotFound,
    /// A later attempt has come first.
    Overtaken,
    /// It is another's, or its proof is not good, or it is one too many.
    Refused,
    Unavailable,
}

/// The codes that sockets are closed with; the last stands for lines that are cut, and for closes
/// of the client's own.
pub(crate) const CLOSES: [u16; 12] = [
    close::BYE,
    close::TOO_LARGE,
    close::GOING_AWAY,
    close::TOO_SLOW,
    close::RATE,
    close::UNAUTHORIZED,
    close::NO_HELLO,
    close::REPLACED,
    close::SESSION_ENDED,
    close::PROTOCOL,
    close::TOO_MANY,
    1006,
];

/// What the server counts and measures.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub(crate) rest: Requests,
    pub(crate) socket: Requests,
    pub(crate) closed: [Counter; CLOSES.len()],
    pub(crate) resumed: [Counter; 5],
}

impl Meters {
    /// A socket was closed.
    pub(crate) fn closed(&self, code: Option<u16>) {
        let known = code.and_then(|code| CLOSES.iter().position(|&known| known == code));
        self.closed[known.unwrap_or(CLOSES.len() - 1)].count();
    }

    /// How many were closed that did not read.
    pub(crate) fn too_slow(&self) -> u64 {
        let at = CLOSES.iter().position(|&code| code == close::TOO_SLOW);
        at.map_or(0, |at| self.closed[at].get())
    }

    /// A socket has tried to take a session over.
    pub(crate) fn resumed(&self, how: Resumed) {
        self.resumed[how as usize].count();
    }
}
