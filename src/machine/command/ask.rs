//! What a command may say beyond what it must: how a lock is asked for, how a ticket stays, how a
//! claim ends. Each default is that of a client that says nothing of it.

use crate::machine::names::{Data, Fence, Note};

/// Who else may hold a lock at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Others in shared mode. The weaker one.
    Shared,
    /// Nobody.
    #[default]
    Exclusive,
}

/// How a lock is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockAsk {
    /// In which mode.
    pub mode: Mode,
    /// What its holder makes known while it holds; `None` leaves that as it is.
    pub data: Option<Data>,
    /// Only that grant is confirmed, and nothing is taken.
    pub fence: Option<Fence>,
    /// It is taken from whoever holds it. Exclusive only, and without a fence.
    pub steal: bool,
}

/// How a ticket is issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TicketTerms {
    /// It outlives its issuer's session.
    pub stay: bool,
    /// Only if there is no such ticket.
    pub only_new: bool,
    /// 0 to 9; of free tickets the greatest goes first.
    pub priority: u8,
    /// It is free only after so many ms.
    pub delay_ms: u32,
    /// After so many counted attempts it is dead.
    pub attempts: Option<u16>,
    /// How long claims last that do not say so, in ms.
    pub hold_ms: Option<u32>,
}

/// How a claim ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parting {
    /// The ticket is free only after so many ms.
    pub delay_ms: u32,
    /// Why, for whoever looks.
    pub note: Option<Note>,
    /// The ticket goes to nobody any more.
    pub dead: bool,
    /// It was not tried: the attempt does not count.
    pub untried: bool,
}

/// How a session wants to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// So long its holds stay when it is lost, as nobody's, in ms.
    pub delay_ms: u32,
    /// It does nothing else while it waits: a circle of such sessions is a deadlock.
    pub blocking: bool,
}
