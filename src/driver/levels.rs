//! What a watcher is still to be told of a resource. Only the latest counts: what was not told yet
//! is overtaken, and dropped when it is no longer true.

use crate::machine::{Figures, Kind};

use super::durable::{Durable, Stamp};

/// The level-triggered events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelEvent {
    /// There is a free ticket.
    TicketAvailable,
    /// The lock is free.
    LockAvailable,
    /// A figure changed.
    Changed,
}

/// What watchers of a resource are to be told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    tickets: bool,
    lock: bool,
    changed: bool,
    figures: Figures,
}

impl Level {
    pub(super) fn new(before: Figures, after: Figures, freed: bool, changes: bool) -> Self {
        Self {
            tickets: freed,
            lock: before.kind == Some(Kind::Lock),
            changed: changes && before != after,
            figures: after,
        }
        .while_true()
    }

    /// This, after `earlier` was not told yet.
    fn after(self, earlier: Self) -> Self {
        Self {
            tickets: self.tickets || earlier.tickets,
            lock: self.lock || earlier.lock,
            changed: self.changed || earlier.changed,
            figures: self.figures,
        }
        .while_true()
    }

    fn while_true(self) -> Self {
        Self {
            tickets: self.tickets && self.figures.free > 0,
            lock: self.lock && self.figures.kind.is_none(),
            ..self
        }
    }

    pub(super) fn says_anything(self) -> bool {
        self.tickets || self.lock || self.changed
    }
}

/// At most two states of a resource wait to be told: the second is not durable yet. So what is
/// told is never held up by what is still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    first: (Level, Stamp),
    second: Option<(Level, Stamp)>,
}

/// An event and the figures that go with it.
type Told = (LevelEvent, Figures);

impl Levels {
    pub(super) fn new(level: Level, stamp: Stamp) -> Self {
        Self { first: (level, stamp), second: None }
    }

    /// When the first of them may be told.
    pub(super) fn stamp(&self) -> Stamp {
        self.first.1
    }

    /// There is news.
    pub(super) fn overtake(&mut self, level: Level, stamp: Stamp, durable: &Durable) {
        if durable.has(stamp) {
            let earlier =
                self.second.map_or(self.first.0, |(second, _)| second.after(self.first.0));
            *self = Self::new(level.after(earlier), stamp);
        } else {
            let level = self.second.map_or(level, |(second, _)| level.after(second));
            self.second = Some((level, stamp));
        }
    }

    /// One event, if there still is one to tell, and what remains; whether that may be told now.
    pub(super) fn take(mut self, durable: &Durable) -> (Option<Told>, Option<(Self, bool)>) {
        if let Some((newer, stamp)) = self.second
            && durable.has(stamp)
        {
            self = Self::new(newer.after(self.first.0), stamp);
        }
        let level = &mut self.first.0;
        let event = if std::mem::take(&mut level.tickets) {
            Some(LevelEvent::TicketAvailable)
        } else if std::mem::take(&mut level.lock) {
            Some(LevelEvent::LockAvailable)
        } else if std::mem::take(&mut level.changed) {
            Some(LevelEvent::Changed)
        } else {
            None
        };
        let told = event.map(|event| (event, level.figures));
        if level.says_anything() {
            return (told, Some((self, true)));
        }
        let later = self.second.filter(|(level, _)| level.says_anything());
        (told, later.map(|(level, stamp)| (Self::new(level, stamp), false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(kind: Option<Kind>, free: u32, held: u32) -> Figures {
        Figures { kind, free, held, waiting: 0 }
    }

    fn all(mut levels: Levels, durable: &Durable) -> Vec<(LevelEvent, u32)> {
        let mut told = Vec::new();
        loop {
            let (event, more) = levels.take(durable);
            told.extend(event.map(|(event, figures)| (event, figures.free)));
            match more {
                Some((more, true)) => levels = more,
                _ => return told,
            }
        }
    }

    #[test]
    fn only_the_latest_is_told_and_only_while_it_is_true() {
        let durable = Durable::new(false);
        let some = Some(Kind::Tickets);
        let (none, one, two) = (figures(None, 0, 0), figures(some, 1, 0), figures(some, 2, 0));
        let mut levels = Levels::new(Level::new(none, one, true, true), durable.applied());
        levels.overtake(Level::new(one, two, true, true), durable.applied(), &durable);
        let told = all(levels, &durable);
        assert_eq!(told, [(LevelEvent::TicketAvailable, 2), (LevelEvent::Changed, 2)]);
        let taken = figures(some, 0, 2);
        levels.overtake(Level::new(two, taken, false, false), durable.applied(), &durable);
        assert_eq!(all(levels, &durable), [(LevelEvent::Changed, 0)]);
    }

    #[test]
    fn what_is_durable_is_not_held_up_by_what_is_to_come() {
        let durable = Durable::new(true);
        let some = Some(Kind::Tickets);
        let at = |free| figures(some, free, 0);
        let first = durable.applied();
        let mut levels = Levels::new(Level::new(at(0), at(1), true, false), first);
        levels.overtake(Level::new(at(1), at(2), true, false), durable.applied(), &durable);
        levels.overtake(Level::new(at(2), at(3), true, false), durable.applied(), &durable);
        durable.advance(first);
        let (event, more) = levels.take(&durable);
        assert_eq!(event.map(|(_, figures)| figures.free), Some(1));
        let Some((levels, false)) = more else { panic!("more is to come, later") };
        durable.advance(levels.stamp());
        assert_eq!(all(levels, &durable), [(LevelEvent::TicketAvailable, 3)]);
    }
}
