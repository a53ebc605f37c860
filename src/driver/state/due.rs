//! What falls due, and when.

use crate::deadlines::At;
use crate::machine::{DelayId, Fence, RequestId, SessionId, WaitId, WaitTimeout};

/// What a deadline is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Session(SessionId),
    /// A claim that lasts for a time: its end, or that it is to be told of its end.
    Claim(Fence),
    /// A hold that was lost.
    Lost(Fence),
    Delay(DelayId),
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
