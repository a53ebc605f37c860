//! What the journal is yet to be given, and how a server starts and pauses over what it keeps.

use crate::deadlines::At;
use crate::journal::codec::encode_command;
use crate::machine::{Command, Fence, NUMBER_END, Reply};

use super::Unavailable;
use super::core::Core;

/// Accepted commands, encoded, in the order in which they were applied.
#[derive(Debug, Default)]
pub(super) struct PendingBatch {
    pub(super) commands: Vec<u8>,
    pub(super) count: u32,
    /// Nobody has rung for the first of them yet.
    pub(super) is_news: bool,
}

impl PendingBatch {
    pub(super) fn add(&mut self, command: &Command) {
        encode_command(command, &mut self.commands);
        self.is_news |= self.count == 0;
        self.count += 1;
    }
}

/// Whether an accepted command changes anything: replay does without those that do not.
pub(super) fn changes(command: &Command, reply: &Reply) -> bool {
    match reply {
        Reply::NotGranted | Reply::Released(false) | Reply::Cancelled(false) => false,
        Reply::Granted { fresh: false, .. } => {
            !matches!(command, Command::Lock { ask: None, .. } | Command::Claim { ask: None, .. })
        }
        _ => true,
    }
}

/// A clock that would leave fewer fences than these is not believed: they would never come back.
const FENCES_LEFT: u64 = 1 << 48;

impl Core {
    /// The server starts. Fences go on from `fence` at least, and stay above those of an earlier
    /// run as long as the wall clock does not fall back.
    pub(super) fn boot(&mut self, fence: u64, wall_ms: u64) {
        let now = self.enter();
        if self.machine.counts().sessions > 0 || self.machine.emptied_mark() > 0 {
            self.take_up(now);
        }
        let mut by_clock = wall_ms.saturating_mul(2048);
        if by_clock >= NUMBER_END - FENCES_LEFT {
            tracing::error!("the wall clock is beyond the year 2100: fences go on without it");
            by_clock = 1;
        }
        let fence = Fence(by_clock.max(fence));
        let booted = self.submit(&Command::Boot { fence }, now).0;
        assert_eq!(booted, Ok(Reply::Done), "the start is refused");
    }

    fn take_up(&mut self, now: At) {
        let image = self.machine.snapshot();
        // The condemned end with the `Boot`.
        for session in image.sessions.into_iter().filter(|session| !session.condemned) {
            self.add_session(session.info.id, session.info.ttl, now);
        }
        for wait in image.resources.into_iter().flat_map(|resource| resource.waits) {
            if let Some(length) = wait.socket {
                self.time_wait(wait.session, wait.id, length, now);
            }
        }
        self.forget.push_back((now.after_ms(self.expire_ms), image.emptied_mark));
    }

    /// Whether anything may be asked.
    pub(super) fn may_ask(&self) -> Result<(), Unavailable> {
        self.refuses.map_or(Ok(()), Err)
    }

    /// The disk is full: time stands still, and nothing may be asked, until it is no more.
    pub(super) fn wait_for_room(&mut self) {
        self.refuses = Some(Unavailable::Full);
        self.enter();
        self.clock.stop();
    }

    /// Nothing can be kept any more, nor said. Whether that is news.
    pub(super) fn give_up(&mut self) -> bool {
        let before = self.refuses.replace(Unavailable::Failed);
        self.leaving = true;
        self.watermark.fail();
        // Whoever waits finds out by the end of the channel.
        self.requests.clear();
        for socket in self.sessions.values().filter_map(|entry| entry.socket.as_ref()) {
            socket.fail();
        }
        before != Some(Unavailable::Failed)
    }

    /// There is room again.
    pub(super) fn go_on(&mut self) {
        self.refuses = None;
        self.clock.go_on();
        // What is due is looked at anew.
        self.clock.expect();
    }
}
