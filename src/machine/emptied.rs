//! Changes of resources: which are watched and touched, which are known, emptied and forgotten.

use super::command::Reply;
use super::event::Event;
use super::names::FORGET_SLICE;
use super::rows::{Body, ResourceKey};
use super::tables::{Machine, Touched};

impl Machine {
    /// To be called before a resource's figures change.
    #[inline]
    pub(super) fn touch(&mut self, key: ResourceKey) {
        let resource = &mut self.tables.resources[key as usize];
        if resource.touched.is_none() && !resource.watchers.is_empty() {
            resource.touched = u32::try_from(self.touched.len()).ok();
            self.touched.push(Touched { resource: key, before: resource.figures(), freed: false });
        }
    }

    /// To be called after a resource's contents changed: enters it among the emptied, or takes it
    /// out from there.
    #[inline]
    pub(super) fn reindex(&mut self, key: ResourceKey) {
        let tables = &mut self.tables;
        let resource = &mut tables.resources[key as usize];
        match (resource.kind(), resource.emptied) {
            (None, None) if resource.known => {
                self.emptied_mark += 1;
                resource.emptied = Some(self.emptied_mark);
                tables.emptied.push(&mut tables.resources, key, |r| &mut r.in_emptied);
            }
            (Some(kind), emptied) => {
                resource.last = kind;
                if !resource.known {
                    resource.known = true;
                    tables.known += 1;
                }
                if emptied.is_some() {
                    resource.emptied = None;
                    tables.emptied.remove(&mut tables.resources, key, |r| &mut r.in_emptied);
                }
            }
            (None, _) => {}
        }
    }

    pub(super) fn forget(&mut self, up_to: u64, out: &mut Vec<Event>) -> Reply {
        for _ in 0..FORGET_SLICE {
            let Some(key) = self.oldest_emptied(up_to) else { break };
            let tables = &mut self.tables;
            tables.emptied.remove(&mut tables.resources, key, |r| &mut r.in_emptied);
            let resource = &mut tables.resources[key as usize];
            resource.emptied = None;
            resource.known = false;
            tables.known -= 1;
            self.drop_if_unused(key);
        }
        let more = self.oldest_emptied(up_to).is_some();
        out.push(Event::Forgotten { up_to, more });
        Reply::Forgotten { more }
    }

    fn oldest_emptied(&self, up_to: u64) -> Option<ResourceKey> {
        let key = self.tables.emptied.first()?;
        let number = self.tables.resources[key as usize].emptied?;
        (number <= up_to).then_some(key)
    }

    /// Takes a resource out of the tables when it is neither known nor watched.
    pub(super) fn drop_if_unused(&mut self, key: ResourceKey) {
        let resource = &self.tables.resources[key as usize];
        if resource.known || !resource.watchers.is_empty() {
            return;
        }
        assert!(matches!(resource.body, Body::Empty) && resource.queue.is_none());
        assert!(resource.touched.is_none(), "a resource went while it was being reported");
        let gone = self.tables.resources.remove(key as usize);
        self.tables.resource_names.remove(gone.name.as_str());
    }
}
