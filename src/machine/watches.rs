//! Watches: who wants to be told how a resource changes, and what has changed.

use super::command::{Limit, Refusal, Reply};
use super::event::Event;
use super::list::Link;
use super::names::{Name, SessionId, WATCHES_MAX};
use super::rows::{SessionKey, Watch, WatchKey};
use super::tables::{Machine, Touched};

impl Machine {
    pub(super) fn watch(
        &mut self,
        session: SessionId,
        name: &Name,
        changes: bool,
    ) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        let found = self
            .resource_key(name.as_str())
            .and_then(|resource| self.tables.find_watch(session, resource));
        if let Some(key) = found {
            self.tables.watches[key].changes = changes;
        } else {
            if self.tables.sessions[session].watches.len() >= WATCHES_MAX {
                return Err(Refusal::Limit(Limit::Watches));
            }
            let resource = self.resource_entry(name);
            let number = self.serial();
            let (in_session, in_resource) = (Link::default(), Link::default());
            let watch = Watch { session, resource, changes, number, in_session, in_resource };
            self.place_watch(watch);
        }
        Ok(Reply::Watching(self.figures(name.as_str())))
    }

    /// Ties a watch into the tables.
    pub(super) fn place_watch(&mut self, watch: Watch) {
        let (session, resource) = (watch.session, watch.resource);
        let tables = &mut self.tables;
        assert!(watch.number <= self.serial, "a watch has a number that was not given out");
        debug_assert!(tables.find_watch(session, resource).is_none(), "a watch began twice");
        let key = tables.watches.insert(watch);
        tables.watch_of.insert((session, resource), key);
        let list = &mut tables.sessions[session].watches;
        list.push(&mut tables.watches, key, |w| &mut w.in_session);
        let list = &mut tables.resources[resource].watchers;
        list.push(&mut tables.watches, key, |w| &mut w.in_resource);
    }

    pub(super) fn unwatch(&mut self, session: SessionId, name: &Name) -> Result<Reply, Refusal> {
        let session = self.session_key(session)?;
        if let Some(resource) = self.resource_key(name.as_str())
            && let Some(key) = self.tables.find_watch(session, resource)
        {
            self.drop_watch(key);
        }
        Ok(Reply::Done)
    }

    /// A session's watch ends, of which it is told.
    pub(super) fn blind(
        &mut self,
        session: SessionId,
        name: &Name,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let key = self.session_key(session)?;
        let resource = self.resource_key(name.as_str());
        let watch = resource.and_then(|resource| self.tables.find_watch(key, resource));
        if let Some(watch) = watch {
            self.drop_watch(watch);
            out.push(Event::WatchEnded { to: session, resource: name.clone() });
        }
        Ok(Reply::Cancelled(watch.is_some()))
    }

    pub(super) fn drop_watches(&mut self, session: SessionKey) {
        let watches = self.tables.sessions[session].watches;
        let keys: Vec<WatchKey> = watches.keys(&self.tables.watches, |w| &w.in_session).collect();
        for key in keys {
            self.drop_watch(key);
        }
        assert!(self.tables.sessions[session].watches.is_empty(), "a watch was left over");
    }

    fn drop_watch(&mut self, key: WatchKey) {
        let tables = &mut self.tables;
        let watch = &tables.watches[key];
        let (session, resource) = (watch.session, watch.resource);
        let list = &mut tables.sessions[session].watches;
        list.remove(&mut tables.watches, key, |w| &mut w.in_session);
        let list = &mut tables.resources[resource].watchers;
        list.remove(&mut tables.watches, key, |w| &mut w.in_resource);
        tables.watch_of.remove((session, resource), key);
        tables.watches.remove(key);
        self.drop_if_unused(resource);
    }

    /// Reports every watched resource that the command has changed, once.
    pub(super) fn announce_changes(&mut self, out: &mut Vec<Event>) {
        for (number, touched) in (0..).zip(self.touched.drain(..)) {
            let resource = &mut self.tables.resources[touched.resource];
            assert!(!resource.changing, "a change is reported that is under way");
            assert!(resource.touched.take() == Some(number), "a change is reported twice");
            let after = resource.figures();
            let freed = touched.freed && after.free > 0;
            let Touched { before, holders, .. } = touched;
            if freed || holders || after != before {
                let resource = resource.name.clone();
                out.push(Event::Changed { resource, before, after, freed, holders });
            }
        }
    }
}
