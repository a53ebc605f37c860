//! What a watcher is still to be told of a resource. Only the latest counts: what was not told yet
//! is overtaken, and dropped when it is no longer true.

use std::sync::Arc;

use crate::machine::{Figures, Kind};

use crate::driver::commit::watermark::{LogPosition, Watermark};

use super::watched::WatchedHolders;

/// The change-triggered events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeEvent {
    /// There is a free ticket.
    TicketAvailable,
    /// The lock is free.
    LockAvailable,
    /// A figure changed, or who holds a lock, or what they make known.
    Changed,
}

/// What has happened to a resource.
#[derive(Clone, Copy, Debug)]
pub(in crate::driver) struct News {
    /// A free ticket came to be had.
    pub(in crate::driver) tickets: bool,
    /// A lock may have come to be had.
    pub(in crate::driver) lock: bool,
    /// It stands otherwise than before.
    pub(in crate::driver) changed: bool,
}

impl News {
    /// `freed` says that a ticket became free for anybody, `holders` that a lock's holders or what
    /// they make known are others. What is paused cannot be had.
    pub(in crate::driver) fn of(
        before: Figures,
        after: Figures,
        freed: bool,
        holders: bool,
    ) -> Self {
        Self {
            tickets: freed || before.paused,
            lock: before.kind == Some(Kind::Lock),
            changed: holders || before != after,
        }
    }
}

/// What watchers of a resource are to be told of it.
#[derive(Clone, Debug)]
pub(in crate::driver) struct Change {
    news: News,
    figures: Figures,
    holders: Option<Arc<WatchedHolders>>,
}

impl Change {
    /// With who holds it, if that is told.
    pub(in crate::driver) fn new(
        news: News,
        figures: Figures,
        holders: Option<Arc<WatchedHolders>>,
    ) -> Self {
        Self { news, figures, holders }.while_true()
    }

    /// This, after `earlier` was not told yet.
    fn after(self, earlier: &Self) -> Self {
        let news = News {
            tickets: self.news.tickets || earlier.news.tickets,
            lock: self.news.lock || earlier.news.lock,
            changed: self.news.changed || earlier.news.changed,
        };
        Self { news, ..self }.while_true()
    }

    fn while_true(mut self) -> Self {
        let Figures { kind, free, paused, .. } = self.figures;
        self.news.tickets &= free > 0 && !paused;
        self.news.lock &= kind.is_none() && !paused;
        self
    }

    pub(in crate::driver) fn says_anything(&self) -> bool {
        self.news.tickets || self.news.lock || self.news.changed
    }

    fn cost(&self) -> usize {
        self.holders.as_ref().map_or(0, |holders| holders.cost())
    }
}

/// At most two states of a resource wait to be told: the second is not durable yet. So what is
/// told is never held up by what is still to come.
#[derive(Clone, Debug)]
pub(in crate::driver) struct CoalescedChanges {
    first: (Change, LogPosition),
    second: Option<(Change, LogPosition)>,
}

/// An event, and the figures and holders that go with it.
type Notice = (ChangeEvent, Figures, Option<Arc<WatchedHolders>>);

impl CoalescedChanges {
    pub(in crate::driver) fn new(change: Change, position: LogPosition) -> Self {
        Self { first: (change, position), second: None }
    }

    /// When the first of them may be told.
    pub(in crate::driver) fn position(&self) -> LogPosition {
        self.first.1
    }

    /// What it costs beside the resource's name, in bytes.
    pub(in crate::driver) fn cost(&self) -> usize {
        self.first.0.cost() + self.second.as_ref().map_or(0, |(change, _)| change.cost())
    }

    /// There is news.
    pub(in crate::driver) fn overtake(
        &mut self,
        change: Change,
        position: LogPosition,
        watermark: &Watermark,
    ) {
        let change = match &self.second {
            Some((second, _)) => change.after(second),
            None => change,
        };
        if watermark.has(position) {
            *self = Self::new(change.after(&self.first.0), position);
        } else {
            self.second = Some((change, position));
        }
    }

    /// One event, if there still is one to tell, and what remains; whether that may be told now.
    pub(in crate::driver) fn take(
        mut self,
        watermark: &Watermark,
    ) -> (Option<Notice>, Option<(Self, bool)>) {
        if let Some((newer, position)) = self.second.take_if(|(_, at)| watermark.has(*at)) {
            self = Self::new(newer.after(&self.first.0), position);
        }
        let change = &mut self.first.0;
        let news = &mut change.news;
        let event = if std::mem::take(&mut news.tickets) {
            Some(ChangeEvent::TicketAvailable)
        } else if std::mem::take(&mut news.lock) {
            Some(ChangeEvent::LockAvailable)
        } else if std::mem::take(&mut news.changed) {
            Some(ChangeEvent::Changed)
        } else {
            None
        };
        let told = event.map(|event| {
            let holders = change.holders.clone().filter(|_| event == ChangeEvent::Changed);
            (event, change.figures, holders)
        });
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
        Figures { kind, free, held, ..Figures::default() }
    }

    fn change(before: Figures, after: Figures, freed: bool, changes: bool) -> Change {
        let news = News::of(before, after, freed, false);
        Change::new(News { changed: news.changed && changes, ..news }, after, None)
    }

    fn all(mut changes: CoalescedChanges, watermark: &Watermark) -> Vec<(ChangeEvent, u32)> {
        let mut told = Vec::new();
        loop {
            let (event, more) = changes.take(watermark);
            told.extend(event.map(|(event, figures, _)| (event, figures.free)));
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
        let mut changes = CoalescedChanges::new(change(none, one, true, true), watermark.applied());
        changes.overtake(change(one, two, true, true), watermark.applied(), &watermark);
        let told = all(changes.clone(), &watermark);
        assert_eq!(told, [(ChangeEvent::TicketAvailable, 2), (ChangeEvent::Changed, 2)]);
        let taken = figures(some, 0, 2);
        changes.overtake(change(two, taken, false, false), watermark.applied(), &watermark);
        assert_eq!(all(changes, &watermark), [(ChangeEvent::Changed, 0)]);
    }

    #[test]
    fn what_is_durable_is_not_held_up_by_what_is_to_come() {
        let watermark = Watermark::new(true);
        let some = Some(Kind::Tickets);
        let at = |free| figures(some, free, 0);
        let first = watermark.applied();
        let mut changes = CoalescedChanges::new(change(at(0), at(1), true, false), first);
        changes.overtake(change(at(1), at(2), true, false), watermark.applied(), &watermark);
        changes.overtake(change(at(2), at(3), true, false), watermark.applied(), &watermark);
        watermark.advance(first);
        let (event, more) = changes.take(&watermark);
        assert_eq!(event.map(|(_, figures, _)| figures.free), Some(1));
        let Some((changes, false)) = more else { panic!("more is to come, later") };
        watermark.advance(changes.position());
        assert_eq!(all(changes, &watermark), [(ChangeEvent::TicketAvailable, 3)]);
    }

    #[test]
    fn what_is_paused_is_not_to_be_had_and_is_when_the_pause_ends() {
        let watermark = Watermark::new(false);
        let some = figures(Some(Kind::Tickets), 1, 0);
        let paused = Figures { paused: true, ..some };
        let told = |change| all(CoalescedChanges::new(change, watermark.applied()), &watermark);
        assert_eq!(told(change(some, paused, true, true)), [(ChangeEvent::Changed, 1)]);
        let both = [(ChangeEvent::TicketAvailable, 1), (ChangeEvent::Changed, 1)];
        assert_eq!(told(change(paused, some, false, true)), both);
    }

    #[test]
    fn the_latest_holders_go_with_what_changed() {
        let watermark = Watermark::new(true);
        let held = figures(Some(Kind::Lock), 0, 1);
        let by = |more| Some(Arc::new(WatchedHolders { holders: Vec::new(), more }));
        let news = News::of(held, held, false, true);
        let first = watermark.applied();
        let mut changes = CoalescedChanges::new(Change::new(news, held, by(false)), first);
        let second = watermark.applied();
        changes.overtake(Change::new(news, held, by(true)), second, &watermark);
        watermark.advance(first);
        let (told, later) = changes.take(&watermark);
        assert_eq!(told, Some((ChangeEvent::Changed, held, by(false))));
        watermark.advance(second);
        let (told, later) = later.unwrap().0.take(&watermark);
        assert_eq!(told, Some((ChangeEvent::Changed, held, by(true))));
        assert!(later.is_none());
    }
}
