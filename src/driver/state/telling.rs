//! Those who are told now and then, and only the latest: waits that move, and streams.

use std::sync::Arc;

use crate::deadlines::At;
use crate::driver::commit::watermark::LogPosition;
use crate::driver::outbox::stream::StreamCell;
use crate::machine::Name;

use super::State;
use super::progress::{PROGRESS_SLICE, Progress};
use super::streams::{Followed, STREAMS_MAX, STREAMS_SLICE, Streams};

impl State {
    /// Tells sockets where their waits stand, as many as one visit may.
    pub(super) fn tell_progress(&mut self, now: At) {
        let Progress { told, rounds } = &mut self.progress;
        let position: LogPosition = self.watermark.now();
        for place in rounds.slice(told, PROGRESS_SLICE, now) {
            let (session, wait) = place;
            if let Some(socket) = self.sessions.socket(&session)
                && let Some(last) = told.get_mut(&place)
                && let Some((sought, stands)) = self.machine.position_of(wait)
                && stands != *last
            {
                *last = stands;
                socket.push_moved(wait, (sought, stands), position);
            }
        }
    }
}

impl State {
    /// A stream of a resource's states begins; `None` when there are too many.
    pub(in crate::driver) fn follow(&mut self, resource: &Name) -> Option<Arc<StreamCell>> {
        if self.streams.count >= STREAMS_MAX {
            return None;
        }
        let state = self.watched_state(resource);
        let cell = Arc::new(StreamCell::new(self.watermark.clone()));
        cell.push(state.clone());
        if !self.mode.may_stay() {
            cell.end();
            return Some(cell);
        }
        let fresh = || Followed { state, by: Vec::new() };
        let followed = self.streams.resources.entry(resource.clone()).or_insert_with(fresh);
        followed.by.push(cell.clone());
        self.streams.count += 1;
        Some(cell)
    }

    /// A stream has ended.
    pub(in crate::driver) fn unfollow(&mut self, resource: &Name, cell: &Arc<StreamCell>) {
        let Streams { resources, count, .. } = &mut self.streams;
        if let Some(followed) = resources.get_mut(resource) {
            let before = followed.by.len();
            followed.by.retain(|other| !Arc::ptr_eq(other, cell));
            *count -= before - followed.by.len();
            if followed.by.is_empty() {
                resources.remove(resource);
            }
        }
    }

    /// There is no more to come for any stream.
    pub(in crate::driver) fn end_streams(&mut self) {
        self.streams.end();
    }

    /// Tells streams how their resources stand, as many as one visit may.
    pub(super) fn tell_streams(&mut self, now: At) {
        let Streams { resources, rounds, .. } = &mut self.streams;
        for resource in rounds.slice(resources, STREAMS_SLICE, now) {
            let state = self.watched_state(&resource);
            let Some(followed) = self.streams.resources.get_mut(&resource) else { continue };
            if followed.state != state {
                followed.by.iter().for_each(|cell| cell.push(state.clone()));
                followed.state = state;
            }
        }
    }
}
