//! What has happened: grants, holds and sessions that ended, and how long waits and holds lasted.
//! It is counted where it happens, for those who watch the server. Nothing is decided by it, and it
//! is not part of the state: a restored machine begins anew.

use super::command::{Command, Kind};

/// How something came to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantHow {
    /// When it was asked for.
    AtOnce,
    /// After a wait.
    Waited,
    /// It was taken from another.
    Stolen,
}

impl GrantHow {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AtOnce, Self::Waited, Self::Stolen];
}

/// Why a hold ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// It was given back.
    Released,
    /// Nobody could be told of it.
    Undelivered,
    /// Its time was up.
    TimedOut,
    /// It was taken from who had it.
    Forced,
    /// Its ticket was revoked.
    Revoked,
    /// Its ticket vanished with who issued it.
    IssuerGone,
    /// Its session was closed.
    Closed,
    /// Its session was not heard from.
    Expired,
}

impl HoldEnd {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Released,
        Self::Undelivered,
        Self::TimedOut,
        Self::Forced,
        Self::Revoked,
        Self::IssuerGone,
        Self::Closed,
        Self::Expired,
    ];

    /// Why holds end that a command ends; but for those of tickets that vanish.
    pub(super) fn by(command: &Command) -> Self {
        match command {
            Command::TakeBack { .. } => Self::Undelivered,
            Command::EndHolds { .. } | Command::EndLost { .. } => Self::TimedOut,
            Command::Force { .. } | Command::Lock { .. } => Self::Forced,
            Command::Revoke { .. } => Self::Revoked,
            Command::Close { .. } => Self::Closed,
            Command::Condemn { .. } | Command::Expire { .. } | Command::Boot { .. } => {
                Self::Expired
            }
            _ => Self::Released,
        }
    }
}

/// Durations, counted by bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many were at most as long as each bound, and longer than the one before; then those that
    /// were longer than all.
    pub counts: [u64; Durations::BOUNDS_MS.len() + 1],
    /// All of them together, in ms.
    pub sum_ms: u64,
}

impl Durations {
    /// The bounds, in ms.
    pub const BOUNDS_MS: [u64; 12] = [
        1, 10, 100, 1000, 5000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 21_600_000, 86_400_000,
    ];

    #[inline]
    pub(super) fn add(&mut self, ms: u64) {
        self.counts[Self::BOUNDS_MS.partition_point(|&bound| bound < ms)] += 1;
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }
}

/// What has happened to locks, or to tickets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindTally {
    /// Grants, in order of [`GrantHow::ALL`].
    pub grants: [u64; GrantHow::ALL.len()],
    /// Holds that ended, in order of [`HoldEnd::ALL`].
    pub ended: [u64; HoldEnd::ALL.len()],
    /// How long those waited that were granted after a wait.
    pub waits: Durations,
    /// How long those were held that ended.
    pub holds: Durations,
}

/// What has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// To locks.
    pub locks: KindTally,
    /// To tickets.
    pub tickets: KindTally,
    /// Sessions that were closed.
    pub sessions_closed: u64,
    /// Sessions that were not heard from.
    pub sessions_expired: u64,
}

impl Tally {
    pub(super) fn of(&mut self, kind: Kind) -> &mut KindTally {
        match kind {
            Kind::Lock => &mut self.locks,
            Kind::Tickets => &mut self.tickets,
        }
    }
}

/// Most ms since 1970 that a clock shows.
pub(super) const CLOCK_MAX_MS: u64 = (1 << 48) - 1;

/// When something began: by the clock of the machine, which is coarse, and behind that by how much
/// more had passed, which only durations are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Since(u64);

impl Since {
    /// By the clock alone, in ms since 1970.
    pub(super) fn at(ms: u64) -> Self {
        Self(ms.min(CLOCK_MAX_MS) << 16)
    }

    /// The same, and that much had passed since the clock was told.
    #[inline]
    pub(super) fn with(ms: u64, behind_ms: u16) -> Self {
        Self(Self::at(ms).0 | u64::from(behind_ms))
    }

    /// By the clock alone, in ms since 1970.
    pub(super) fn ms(self) -> u64 {
        self.0 >> 16
    }

    pub(super) fn exact_ms(self) -> u64 {
        self.ms() + (self.0 & 0xffff)
    }
}

/// Counts what happens.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    pub(super) tally: Tally,
    /// Why holds end at the moment.
    pub(super) why: HoldEnd,
    /// How much later it is than the machine's clock shows, in ms.
    pub(super) behind_ms: u16,
}

impl Default for Teller {
    fn default() -> Self {
        Self { tally: Tally::default(), why: HoldEnd::Released, behind_ms: 0 }
    }
}
