//! A resource in figures, as members of what is told of it.

use serde::Deserialize;

use super::json::Object;
use crate::machine::{Figures, Kind};

/// Writes the members. Of what is seldom set, only what is.
pub(super) fn write_figures(object: &mut Object<'_>, figures: Figures) {
    write_most(object, figures);
    let Figures { delayed, dead, paused, .. } = figures;
    for (name, count) in [("delayed", delayed), ("dead", dead)] {
        if count > 0 {
            object.member(name, count);
        }
    }
    if paused {
        object.member("paused", true);
    }
}

/// Writes all members, set or not.
pub(super) fn write_all_figures(object: &mut Object<'_>, figures: Figures) {
    write_most(object, figures);
    let Figures { delayed, dead, paused, .. } = figures;
    object.member("delayed", delayed).member("dead", dead).member("paused", paused);
}

fn write_most(object: &mut Object<'_>, figures: Figures) {
    let Figures { kind, free, held, waiting, .. } = figures;
    let kind = kind.map(|kind| match kind {
        Kind::Tickets => "tickets",
        Kind::Lock => "lock",
    });
    object.member("kind", kind).member("free", free).member("held", held);
    object.member("waiting", waiting);
}

/// The members, as they came.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FiguresMembers {
    pub(super) kind: Option<String>,
    pub(super) free: u32,
    pub(super) held: u32,
    pub(super) waiting: u32,
    pub(super) delayed: u32,
    pub(super) dead: u32,
    pub(super) paused: bool,
}

impl From<FiguresMembers> for Figures {
    fn from(members: FiguresMembers) -> Self {
        let FiguresMembers { kind, free, held, waiting, delayed, dead, paused } = members;
        let kind = match kind.as_deref() {
            Some("tickets") => Some(Kind::Tickets),
            Some("lock") => Some(Kind::Lock),
            _ => None,
        };
        Self { kind, free, held, waiting, delayed, dead, paused }
    }
}
