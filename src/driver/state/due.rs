//! What falls due, and when.

use crate::deadlines::At;
use crate::machine::{RequestId, SessionId, WaitId, WaitTimeout};

/// What a deadline is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Session(SessionId),
    Wait(SessionId, WaitId),
    Request(RequestId),
}

/// When something ends that lasts so long from now on.
pub(super) fn deadline(timeout: WaitTimeout, now: At) -> At {
    match timeout {
        WaitTimeout::Session => At::NEVER,
        WaitTimeout::Ms(ms) => now.after_ms(ms.into()),
    }
}
