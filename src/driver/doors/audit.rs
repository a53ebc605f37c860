//! The audit trail: what commands do is told by the driver itself, and what it does not know by
//! whoever does.

use crate::audit::{Audit, AuditLine};
use crate::driver::Driver;
use crate::machine::SessionId;

impl Driver {
    /// What commands do is told to this trail from now on.
    pub fn audit(&self, audit: Audit) {
        self.visit_as_driver().audit = Some(audit);
    }

    /// How many lines of the trail found no room.
    #[must_use]
    pub fn audit_lost(&self) -> u64 {
        self.visit_as_driver().audit.as_ref().map_or(0, Audit::lost_in_all)
    }

    /// Tells the trail, if there is one, of something about a session.
    pub fn tell(&self, session: Option<&SessionId>, line: AuditLine) {
        self.visit_as_driver().tell(session, line);
    }
}
