//! Where rows stand. Keys are addresses: they are used again, and never leave the machine.

pub(super) type AccountKey = u32;
pub(super) type SessionKey = u32;
pub(super) type ResourceKey = u32;
pub(super) type TicketKey = u32;
pub(super) type HoldKey = u32;
pub(super) type WaitKey = u32;
pub(super) type WatchKey = u32;
pub(super) type GroupKey = u32;

/// No session: the one that was there is gone.
pub(super) const NOBODY: SessionKey = SessionKey::MAX;
