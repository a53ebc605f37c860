//! Changes of what stands in a resource: what is watched is reported, what is emptied is noted.

use std::num::NonZeroU64;

use super::command::{Kind, Reply};
use super::event::Event;
use super::names::FORGET_SLICE;
use super::rows::ResourceKey;
use super::tables::{Machine, Touched};

impl Machine {
    /// The one way to change what stands in a resource. Those who tie and untie rows assert it.
    #[inline]
    pub(super) fn change<T>(&mut self, key: ResourceKey, act: impl FnOnce(&mut Self) -> T) -> T {
        self.begin_change(key);
        let made = act(self);
        self.end_change(key);
        made
    }

    #[inline]
    fn begin_change(&mut self, key: ResourceKey) {
        let resource = &mut self.tables.resources[key];
        assert!(!resource.changing, "a resource changes within its own change");
        resource.changing = true;
        if resource.touched.is_none() && !resource.watchers.is_empty() {
            resource.touched = u32::try_from(self.touched.len()).ok();
            let before = resource.figures();
            self.touched.push(Touched { resource: key, before, freed: false, holders: false });
        }
    }

    /// A resource that nothing stands in any more has no kind, and is entered among the emptied.
    #[inline]
    fn end_change(&mut self, key: ResourceKey) {
        let offered = self.freed.front().map(|&ticket| self.tables.tickets[ticket].resource);
        assert!(offered != Some(key), "a ticket that became free was not offered");
        let resource = &mut self.tables.resources[key];
        assert!(resource.changing, "a change ended twice");
        resource.changing = false;
        if resource.is_used() {
            assert!(resource.kind.is_some() && resource.known, "what stands has no kind");
            return;
        }
        resource.kind = None;
        if resource.known && resource.is_open() && resource.emptied.is_none() {
            self.emptied_mark += 1;
            resource.emptied = NonZeroU64::new(self.emptied_mark);
            let tables = &mut self.tables;
            tables.emptied.push(&mut tables.resources, key, |r| &mut r.in_emptied);
        }
    }

    /// Something of that kind comes to stand in a resource.
    #[inline]
    pub(super) fn stand(&mut self, key: ResourceKey, kind: Kind) {
        let tables = &mut self.tables;
        let resource = &mut tables.resources[key];
        assert!(resource.changing, "a resource changes outside of a change");
        if resource.kind.is_some() {
            assert!(resource.kind == Some(kind), "a resource became one of both kinds");
            return;
        }
        resource.kind = Some(kind);
        resource.last = kind;
        self.become_known(key);
    }

    /// A resource is known from now on, and not among the emptied.
    #[inline]
    pub(super) fn become_known(&mut self, key: ResourceKey) {
        let tables = &mut self.tables;
        let resource = &mut tables.resources[key];
        if !resource.known {
            resource.known = true;
            tables.known.insert(resource.name.clone(), key);
        }
        if resource.emptied.take().is_some() {
            tables.emptied.remove(&mut tables.resources, key, |r| &mut r.in_emptied);
        }
    }

    /// The holders of a lock, or what they make known, are others.
    #[inline]
    pub(super) fn touch_holders(&mut self, key: ResourceKey) {
        if let Some(at) = self.tables.resources[key].touched {
            self.touched[at as usize].holders = true;
        }
    }

    pub(super) fn forget(&mut self, up_to: u64, out: &mut Vec<Event>) -> Reply {
        for _ in 0..FORGET_SLICE {
            let Some(key) = self.oldest_emptied(up_to) else { break };
            let tables = &mut self.tables;
            tables.emptied.remove(&mut tables.resources, key, |r| &mut r.in_emptied);
            let resource = &mut tables.resources[key];
            assert!(resource.kind.is_none() && resource.known, "what stands is forgotten");
            assert!(resource.is_open(), "what is paused is forgotten");
            resource.emptied = None;
            resource.known = false;
            resource.last = Kind::Lock;
            tables.known.remove(&resource.name);
            self.drop_if_unused(key);
        }
        let more = self.oldest_emptied(up_to).is_some();
        out.push(Event::Forgotten { up_to, more });
        Reply::Forgotten { more }
    }

    fn oldest_emptied(&self, up_to: u64) -> Option<ResourceKey> {
        let key = self.tables.emptied.first()?;
        let number = self.tables.resources[key].emptied?;
        (number.get() <= up_to).then_some(key)
    }

    /// Takes a resource out of the tables when it is neither known nor watched.
    pub(super) fn drop_if_unused(&mut self, key: ResourceKey) {
        let resource = &self.tables.resources[key];
        if resource.known || !resource.watchers.is_empty() {
            return;
        }
        assert!(resource.kind.is_none() && !resource.is_used(), "what stands was forgotten");
        assert!(resource.emptied.is_none(), "what is no longer known is among the emptied");
        assert!(resource.touched.is_none(), "a resource went while it was being reported");
        let gone = self.tables.resources.remove(key);
        self.tables.resource_names.remove(gone.name.as_str(), key);
    }
}
