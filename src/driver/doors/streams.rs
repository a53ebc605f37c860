//! How a resource stands, followed without a session.

use std::sync::Arc;

use crate::driver::handle::Driver;
use crate::driver::mode::Unavailable;
use crate::driver::outbox::stream::StreamCell;
use crate::driver::outbox::watched::WatchedHolders;
use crate::machine::{Figures, Name};

/// Why a resource cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFollowed {
    /// There are as many streams as there may be.
    TooMany,
    /// The server cannot promise that it will remember what it would tell; why.
    Unavailable(Unavailable),
}

/// How a resource stands, again and again. Dropped, it ends.
#[derive(Debug)]
pub struct ResourceStream {
    driver: Driver,
    resource: Name,
    cell: Arc<StreamCell>,
}

impl Driver {
    /// Follows how a resource stands.
    ///
    /// # Errors
    /// [`NotFollowed`] says why that cannot be.
    pub async fn follow(&self, resource: &Name) -> Result<ResourceStream, NotFollowed> {
        self.settled().await.map_err(NotFollowed::Unavailable)?;
        let followed = self.visit().map_err(NotFollowed::Unavailable)?.follow(resource);
        let cell = followed.ok_or(NotFollowed::TooMany)?;
        Ok(ResourceStream { driver: self.clone(), resource: resource.clone(), cell })
    }
}

impl ResourceStream {
    /// How it stands: the first time as it was when this began, then the latest whenever that has
    /// changed; its figures, and who holds it if it is a lock. `None` when the server stops. What
    /// is dropped while it waits has taken nothing.
    pub async fn next(&mut self) -> Option<(Figures, Option<Arc<WatchedHolders>>)> {
        self.cell.next().await
    }
}

impl Drop for ResourceStream {
    fn drop(&mut self) {
        self.driver.visit_as_driver().unfollow(&self.resource, &self.cell);
    }
}
