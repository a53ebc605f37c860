//! What the machine announces while it carries out a command, and to whom.

use super::command::{Figures, Grant};
use super::names::{
    Data, DelayId, Fence, Name, Note, RequestId, SessionId, SessionName, Sought, Ttl, WaitId,
    WaitOrigin, WaitTimeout,
};

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// It said so.
    Closed,
    /// Its TTL ran out.
    Expired,
}

/// Why a wait by socket ended without a grant, its session living on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitEndReason {
    /// Its time was up.
    TimedOut,
    /// Its session may not have that any more.
    Forbidden,
}

/// Why a session lost a lock or a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LossReason {
    /// Somebody revoked the ticket.
    Revoked,
    /// The ticket's issuer's session ended.
    IssuerGone,
    /// It was given up through the session's other connection.
    Released,
    /// The time of the claim was up.
    TimedOut,
    /// It was taken by force, by the session of this name if it was one.
    Forced(Option<SessionName>),
}

/// How a claim ended, to whom issued the ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseReason {
    /// The claimant gave it back, or revoked it.
    Released,
    /// Its time was up.
    TimedOut,
    /// The claimant's session ended.
    Gone,
    /// Another ended it.
    Forced,
}

/// What the machine announces while it carries out a command. `to` is the session that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A wait was granted, and the session waits by its socket.
    Granted {
        /// The waiter.
        to: SessionId,
        /// The wait, which has ended.
        wait: WaitId,
        /// What.
        grant: Grant,
    },
    /// A wait was granted, and a REST request waits for it.
    Answered {
        /// The request.
        request: RequestId,
        /// What.
        grant: Grant,
    },
    /// The session of a waiting REST request has ended.
    Orphaned {
        /// The request.
        request: RequestId,
    },
    /// A wait by socket ended.
    WaitEnded {
        /// The waiter.
        to: SessionId,
        /// The wait.
        wait: WaitId,
        /// What it waited for.
        sought: Sought,
        /// Why.
        reason: WaitEndReason,
    },
    /// A session may no longer watch.
    WatchEnded {
        /// The watcher.
        to: SessionId,
        /// What it watched.
        resource: Name,
    },
    /// A claimed ticket was issued again.
    TicketUpdated {
        /// Its claimant.
        to: SessionId,
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
        /// What it carries now.
        data: Data,
        /// The claimant's grant.
        fence: Fence,
    },
    /// A claim is lost.
    TicketRevoked {
        /// Its former claimant.
        to: SessionId,
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
        /// The grant that ended.
        fence: Fence,
        /// Why.
        reason: LossReason,
    },
    /// A ticket issued with `notify` was claimed.
    TicketClaimed {
        /// Its issuer.
        to: SessionId,
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
        /// Who claimed it.
        claimant: SessionName,
        /// The grant.
        fence: Fence,
    },
    /// A claim of a ticket issued with `notify` ended.
    TicketReleased {
        /// Its issuer.
        to: SessionId,
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
        /// Who had it.
        claimant: SessionName,
        /// The grant that ended.
        fence: Fence,
        /// How.
        reason: ReleaseReason,
        /// The how manieth attempt it was.
        attempt: u32,
        /// What the claimant said of it.
        note: Option<Note>,
        /// Whether it was the last: the ticket goes to nobody any more.
        dead: bool,
    },
    /// Another session issued a ticket again, or revoked it.
    TicketTaken {
        /// Its former issuer.
        to: SessionId,
        /// Where.
        resource: Name,
        /// The ticket.
        ticket: Name,
        /// Who did it.
        by: SessionName,
    },
    /// Somebody waits for a lock, and before nobody did.
    LockWanted {
        /// Its holder.
        to: SessionId,
        /// The lock.
        resource: Name,
        /// How many wait.
        waiting: u32,
    },
    /// A lock is lost.
    LockLost {
        /// Its former holder.
        to: SessionId,
        /// The lock.
        resource: Name,
        /// The grant that ended.
        fence: Fence,
        /// Why: by the session's other connection, or by force.
        reason: LossReason,
    },
    /// A claim ends by itself when so much time has passed since this very event.
    HoldTimed {
        /// Whose.
        session: SessionId,
        /// The grant.
        fence: Fence,
        /// How long it lasts, in ms.
        hold_ms: u32,
    },
    /// A hold was lost, and stays for so long as nobody's.
    HoldLost {
        /// The grant.
        fence: Fence,
        /// How long it stays, in ms.
        delay_ms: u32,
    },
    /// A hold that was timed, or lost, has ended.
    HoldEnded {
        /// The grant.
        fence: Fence,
    },
    /// A ticket is to be free only later.
    DelayBegan {
        /// The delay.
        delay: DelayId,
        /// How long it lasts, in ms.
        delay_ms: u32,
        /// When it ends, in ms since 1970 by the clock that the machine was told.
        until_ms: u64,
    },
    /// A delay is over, or not wanted any more.
    DelayEnded {
        /// The delay.
        delay: DelayId,
    },
    /// A pause ended, and more waits are to be granted by `Serve`.
    Serving {
        /// Of which resource.
        resource: Name,
    },
    /// The figures of a watched resource changed, or a ticket of it became free.
    Changed {
        /// The resource.
        resource: Name,
        /// Before the command.
        before: Figures,
        /// After it.
        after: Figures,
        /// Whether a ticket became free and nobody waited for it.
        freed: bool,
        /// Whether it is a lock whose holders, or what they make known, are others.
        holders: bool,
    },
    /// A session has ended, and all that it held, issued, waited for and watched with it.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// Why.
        why: EndReason,
    },
    /// A session is there.
    SessionOpened {
        /// Which.
        session: SessionId,
        /// How long it lives unheard.
        ttl: Ttl,
    },
    /// A session waits by one more origin, or by the same for another time.
    WaitBegan {
        /// Who waits.
        session: SessionId,
        /// The wait.
        wait: WaitId,
        /// Where its answer goes.
        origin: WaitOrigin,
        /// How long it waits at most from now on.
        timeout: WaitTimeout,
    },
    /// A session's socket gave a wait up.
    WaitCancelled {
        /// Who waited.
        session: SessionId,
        /// The wait.
        wait: WaitId,
    },
    /// A REST request left its queue without a grant.
    Withdrawn {
        /// The request.
        request: RequestId,
    },
    /// Resources were emptied.
    Emptied {
        /// The number of the last (see [`super::Machine::emptied_mark`]).
        up_to: u64,
    },
    /// Resources were forgotten.
    Forgotten {
        /// The number that the command had.
        up_to: u64,
        /// More are to be forgotten up to that number.
        more: bool,
    },
}

impl Event {
    /// Whether no client is told of it: it tells what the driver's tables need to follow.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::SessionOpened { .. }
                | Self::WaitBegan { .. }
                | Self::WaitCancelled { .. }
                | Self::Withdrawn { .. }
                | Self::HoldTimed { .. }
                | Self::HoldLost { .. }
                | Self::HoldEnded { .. }
                | Self::DelayBegan { .. }
                | Self::DelayEnded { .. }
                | Self::Serving { .. }
                | Self::Emptied { .. }
                | Self::Forgotten { .. }
        )
    }
}
