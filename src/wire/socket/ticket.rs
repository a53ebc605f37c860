//! A ticket that somebody has.

use serde::Deserialize;

use crate::machine::{Data, Fence, Name, SessionName, TicketGrant};
use crate::wire::data::{DataMembers, write_data};
use crate::wire::json::Object;
use crate::wire::understood::{NotUnderstood, name, session_name};

/// A ticket that was granted, as its claimant is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenTicket {
    /// Where.
    pub resource: Name,
    /// The ticket.
    pub ticket: Name,
    /// What it carries.
    pub data: Data,
    /// The number of the grant.
    pub fence: Fence,
    /// What its issuer is called.
    pub issuer: SessionName,
    /// The how manieth attempt it is, when that is counted.
    pub attempt: Option<u32>,
    /// How long the claim lasts, in ms, unless it is touched.
    pub hold_ms: Option<u32>,
    /// How long it still lasts, in ms.
    pub left_ms: Option<u32>,
}

impl From<TicketGrant> for GivenTicket {
    /// All of its time is left when it was just granted.
    fn from(grant: TicketGrant) -> Self {
        let left_ms = grant.hold_ms;
        Self::new(grant, left_ms)
    }
}

impl GivenTicket {
    /// One of which so many ms are left.
    #[must_use]
    pub fn new(grant: TicketGrant, left_ms: Option<u32>) -> Self {
        let TicketGrant { resource, ticket, data, fence, issuer, attempt, hold_ms, claimant: _ } =
            grant;
        let issuer = issuer.name().clone();
        Self { resource, ticket, data, fence, issuer, attempt, hold_ms, left_ms }
    }

    pub(super) fn write(&self, object: &mut Object<'_>) {
        object.member("resource", self.resource.as_str()).member("ticket", self.ticket.as_str());
        write_data(object, &self.data);
        object.member("fence", self.fence.0).member("issuer", self.issuer.as_str());
        object.optional("attempt", self.attempt);
        object.optional("hold", self.hold_ms).optional("left", self.left_ms);
    }
}

/// The members of a ticket, as they came.
#[derive(Debug, Deserialize)]
pub(super) struct TicketMembers {
    resource: String,
    ticket: String,
    #[serde(flatten)]
    data: DataMembers,
    fence: u64,
    issuer: String,
    attempt: Option<u32>,
    hold: Option<u32>,
    left: Option<u32>,
}

impl TryFrom<TicketMembers> for GivenTicket {
    type Error = NotUnderstood;

    fn try_from(members: TicketMembers) -> Result<Self, NotUnderstood> {
        Ok(Self {
            resource: name(&members.resource)?,
            ticket: name(&members.ticket)?,
            data: members.data.try_into()?,
            fence: Fence(members.fence),
            issuer: session_name(&members.issuer)?,
            attempt: members.attempt,
            hold_ms: members.hold,
            left_ms: members.left,
        })
    }
}
