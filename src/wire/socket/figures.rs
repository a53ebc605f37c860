//! A resource in figures, as a member of answers, events and states.

use serde::Deserialize;

use crate::machine::{Figures, Kind};
use crate::wire::json::Object;

/// Writes the members.
pub(super) fn write_figures(object: &mut Object<'_>, figures: Figures) {
    let Figures { kind, free, held, waiting } = figures;
    let kind = kind.map(|kind| match kind {
        Kind::Tickets => "tickets",
        Kind::Lock => "lock",
    });
    object.member("kind", kind).member("free", free).member("held", held);
    object.member("waiting", waiting);
}

/// The members, as they came.
#[derive(Debug, Default, Deserialize)]
pub(super) struct FiguresMembers {
    pub(super) kind: Option<String>,
    pub(super) free: u32,
    pub(super) held: u32,
    pub(super) waiting: u32,
}

impl From<FiguresMembers> for Figures {
    fn from(members: FiguresMembers) -> Self {
        let FiguresMembers { kind, free, held, waiting } = members;
        let kind = match kind.as_deref() {
            Some("tickets") => Some(Kind::Tickets),
            Some("lock") => Some(Kind::Lock),
            _ => None,
        };
        Self { kind, free, held, waiting }
    }
}
