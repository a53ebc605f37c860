//! What a watcher is still to be told of a resource. Only the latest counts: what was not told yet
//! is overtaken, and dropped when it is no longer true.

use crate::machine::{Figures, Kind};

use crate::driver::commit::watermark::{LogPosition, Watermark};

/// The change-triggered events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeEvent {
    /// There is a free ticket.
    TicketAvailable,
    /// The lock is free.
    LockAvailable,
    /// A figure changed.
    Changed,
}

/// What watchers of a resource are to be told of it.
#[derive(Clone, Copy, Debug)]
pub(in crate::driver) struct Change {
    tickets: bool,
    lock: bool,
    changed: bool,
    figures: Figures,
}

impl Change {
    pub(in crate::driver) fn new(
        before: Figures,
        after: Figures,
        freed: bool,
        changes: bool,
    ) -> Self {
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

    pub(in crate::driver) fn says_anything(self) -> bool {
        self.tickets || self.lock || self.changed
    }
}

/// At most two states of a resource wait to be told: the second is not durable yet. So what is
/// told is never held up by what is still to come.
#[derive(Clone, Copy, Debug)]
pub(in crate::driver) struct CoalescedChanges {
    first: (Change, LogPosition),
    second: Option<(Change, LogPosition)>,
}

/// An event and the figures that go with it.
type Notice = (ChangeEvent, Figures);

impl CoalescedChanges {
    pub(in crate::driver) fn new(change: Change, position: LogPosition) -> Self {
        Self { first: (change, position), second: None }
    }

    /// When the first of them may be told.
    pub(in crate::driver) fn position(&self) -> LogPosition {
        self.first.1
    }

    /// There is news.
    pub(in crate::driver) fn overtake(
        &mut self,
        change: Change,
        position: LogPosition,
        watermark: &Watermark,
    ) {
        if watermark.has(position) {
            let earlier =
                self.second.map_or(self.first.0, |(second, _)| second.after(self.first.0));
            *self = Self::new(change.after(earlier), position);
        } else {
            let change = self.second.map_or(change, |(second, _)| change.after(second));
            self.second = Some((change, position));
        }
    }

    /// One event, if there still is one to tell, and what remains; whether that may be told now.
    pub(in crate::driver) fn take(
        mut self,
        watermark: &Watermark,
    ) -> (Option<Notice>, Option<(Self, bool)>) {
        if let Some((newer, position)) = self.second
            && watermark.has(position)
        {
            self = Self::new(newer.after(self.first.0), position);
        }
        let change = &mut self.first.0;
        let event = if std::mem::take(&mut change.tickets) {
            Some(ChangeEvent::TicketAvailable)
        } else if std::mem::take(&mut change.lock) {
            Some(ChangeEvent::LockAvailable)
        } else if std::mem::take(&mut change.changed) {
            Some(ChangeEvent::Changed)
        } else {
            None
        };
        let told = event.map(|event| (event, change.figures));
        if change.says_anything() {
            return (told, Some((self, true)));
        }
        let later = self.second.filter(|(change, _)| change.says_anything());
        (told, later.map(|(change, position)| (Self::new(change, position), false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(kind: Option<Kind>, free: u32, held: u32) -> Figures {
        Figures { kind, free, held, waiting: 0 }
    }

    fn all(mut changes: CoalescedChanges, watermark: &Watermark) -> Vec<(ChangeEvent, u32)> {
        let mut told = Vec::new();
        loop {
            let (event, more) = changes.take(watermark);
            told.extend(event.map(|(event, figures)| (event, figures.free)));
            match more {
                Some((more, true)) => changes = more,
                _ => return told,
            }
        }
    }

    #[test]
    fn only_the_latest_is_told_and_only_while_it_is_true() {
        let watermark = Watermark::new(false);
        let some = Some(Kind::Tickets);
        let (none, one, two) = (figures(None, 0, 0), figures(some, 1, 0), figures(some, 2, 0));
        let mut changes =
            CoalescedChanges::new(Change::new(none, one, true, true), watermark.applied());
        changes.overtake(Change::new(one, two, true, true), watermark.applied(), &watermark);
        let told = all(changes, &watermark);
        assert_eq!(told, [(ChangeEvent::TicketAvailable, 2), (ChangeEvent::Changed, 2)]);
        let taken = figures(some, 0, 2);
        changes.overtake(Change::new(two, taken, false, false), watermark.applied(), &watermark);
        assert_eq!(all(changes, &watermark), [(ChangeEvent::Changed, 0)]);
    }

    #[test]
    fn what_is_durable_is_not_held_up_by_what_is_to_come() {
        let watermark = Watermark::new(true);
        let some = Some(Kind::Tickets);
        let at = |free| figures(some, free, 0);
        let first = watermark.applied();
        let mut changes = CoalescedChanges::new(Change::new(at(0), at(1), true, false), first);
        changes.overtake(Change::new(at(1), at(2), true, false), watermark.applied(), &watermark);
        changes.overtake(Change::new(at(2), at(3), true, false), watermark.applied(), &watermark);
        watermark.advance(first);
        let (event, more) = changes.take(&watermark);
        assert_eq!(event.map(|(_, figures)| figures.free), Some(1));
        let Some((changes, false)) = more else { panic!("more is to come, later") };
        watermark.advance(changes.position());
        assert_eq!(all(changes, &watermark), [(ChangeEvent::TicketAvailable, 3)]);
    }
}
