//! Single grants: what is told of them when they end.

use crate::machine::command::{Kind, Party};
use crate::machine::names::{Fence, Name, SessionId};
use crate::machine::rows::{Held, HoldKey};
use crate::machine::tables::Machine;

impl Machine {
    /// How long a session's holds stay when it is lost, in ms; 0 also when there is none.
    #[must_use]
    pub fn loss_delay_ms(&self, id: &SessionId) -> u32 {
        self.living_key(id).map_or(0, |key| self.tables.sessions[key].conduct.delay_ms)
    }

    /// By which grant a session holds a lock.
    #[must_use]
    pub fn lock_fence(&self, id: &SessionId, name: &str) -> Option<Fence> {
        let hold = self.lock_hold(self.resource_key(name)?, self.living_key(id)?)?;
        Some(self.tables.holds[hold].fence)
    }

    /// Who holds a lock, in order of the fences; those with that fence, or all.
    #[must_use]
    pub fn lock_holders(&self, name: &str, only: Option<Fence>) -> Vec<(Party, Fence)> {
        let Some(key) = self.resource_key(name) else { return Vec::new() };
        let resource = &self.tables.resources[key];
        if resource.kind != Some(Kind::Lock) {
            return Vec::new();
        }
        let holds = resource.holds.keys(&self.tables.holds, |h| &h.in_resource);
        holds.filter(|&hold| self.is_by(hold, only)).map(|hold| self.holder(hold)).collect()
    }

    /// Who holds a ticket.
    #[must_use]
    pub fn claim_of(&self, name: &str, ticket: &str) -> Option<(Party, Fence)> {
        let ticket = self.tables.find_ticket(self.resource_key(name)?, ticket)?;
        Some(self.holder(self.tables.tickets[ticket].hold()?))
    }

    /// A hold that was lost: of which resource, of which ticket if it is one, and who had it.
    #[must_use]
    pub fn lost_hold(&self, fence: Fence) -> Option<(Name, Option<Name>, Party)> {
        let key: HoldKey = *self.tables.lost.get(&fence)?;
        let hold = &self.tables.holds[key];
        let ticket = match hold.what {
            Held::Lock(_) => None,
            Held::Ticket(ticket) => Some(self.tables.tickets[ticket].name.clone()),
        };
        Some((self.tables.resources[hold.resource].name.clone(), ticket, self.party(key)))
    }
}
