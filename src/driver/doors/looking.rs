//! What those see who look at a resource, or page through resources and tickets. What is seen is of
//! one moment, what is left of things that run out included.

use std::sync::Arc;

use crate::deadlines::At;
use crate::driver::handle::Driver;
use crate::driver::mode::Unavailable;
use crate::driver::outbox::looked::Looked;
use crate::driver::outbox::watched::WatchedHolders;
use crate::driver::state::State;
use crate::driver::state::watched::{HOLDERS_OF_WATCHES_MAX, holders_of_watches};
use crate::machine::{Fence, Figures, Name, TicketState, TicketStateKind, TicketView, WatchState};

impl Driver {
    /// A resource with up to `limit` of those who hold it and of those who wait.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn look(&self, resource: &Name, limit: usize) -> Result<Looked, Unavailable> {
        self.query_state(|state, now| state.looked(resource, limit, now)).await
    }

    /// Whether that very grant is in force.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn is_good(
        &self,
        resource: &str,
        ticket: Option<&str>,
        fence: Fence,
    ) -> Result<bool, Unavailable> {
        self.query(|machine| machine.is_good(resource, ticket, fence)).await
    }

    /// Up to `limit` tickets of a resource whose numbers are greater than `after`, in order of
    /// their age; those that stand so, or all. With each goes what is left, in ms, until its hold
    /// ends by itself or it is free.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn tickets_page(
        &self,
        resource: &str,
        state: Option<TicketStateKind>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(TicketView, Option<u32>)>, Unavailable> {
        let page = |driver: &State, now| {
            let page = driver.machine.tickets_page(resource, state, after, limit);
            let with_left = |ticket: TicketView| {
                let left_ms = driver.left_of_ticket(&ticket, now);
                (ticket, left_ms)
            };
            page.into_iter().map(with_left).collect()
        };
        self.query_state(page).await
    }

    /// Up to `limit` known resources whose names begin with `prefix` and come behind `after`, in
    /// order of their names' bytes.
    ///
    /// # Errors
    /// [`Unavailable`] when the server cannot promise that what is seen will be remembered.
    pub async fn resources_page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(Name, Figures)>, Unavailable> {
        self.query(|machine| machine.resources_page(prefix, after, limit)).await
    }

    /// Who holds what is watched, for each of these watches.
    pub(super) async fn holders_of_watches(
        &self,
        watches: &[WatchState],
    ) -> Result<Vec<Option<Arc<WatchedHolders>>>, Unavailable> {
        let mut all = Vec::with_capacity(watches.len());
        for some in watches.chunks(HOLDERS_OF_WATCHES_MAX) {
            all.extend(self.query(|machine| holders_of_watches(machine, some)).await?);
            // Others go first.
            tokio::task::yield_now().await;
        }
        Ok(all)
    }

    /// Queries machine and deadlines, on nobody's behalf.
    pub(super) async fn query_state<T>(
        &self,
        query: impl FnOnce(&State, At) -> T,
    ) -> Result<T, Unavailable> {
        self.settled().await?;
        let (seen, position) = {
            let visit = self.visit()?;
            (query(&visit, visit.now), visit.position())
        };
        self.reached(position).await?;
        Ok(seen)
    }
}

impl State {
    /// What is left, in ms, until a ticket's hold ends by itself or it is free. It is free when its
    /// delay has passed, which is told by the wall clock.
    fn left_of_ticket(&self, ticket: &TicketView, now: At) -> Option<u32> {
        if let TicketState::Delayed { until_ms } = ticket.state {
            return Some(
                u32::try_from(until_ms.saturating_sub(self.wall.ms())).unwrap_or(u32::MAX),
            );
        }
        ticket.claim.as_ref().and_then(|(_, fence)| self.left_ms(*fence, now))
    }
}
