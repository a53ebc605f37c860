//! A ticket that somebody has, and the data that tickets carry.

use std::str;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::machine::{Data, Fence, Name, SessionName, TicketGrant};
use crate::wire::json::Object;

use super::understood::{NotUnderstood, name, session_name};

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
}

impl From<TicketGrant> for GivenTicket {
    fn from(grant: TicketGrant) -> Self {
        let TicketGrant { resource, ticket, data, fence, issuer, claimant: _ } = grant;
        Self { resource, ticket, data, fence, issuer: issuer.name.clone() }
    }
}

impl GivenTicket {
    pub(super) fn write(&self, object: &mut Object<'_>) {
        object.member("resource", self.resource.as_str()).member("ticket", self.ticket.as_str());
        write_data(object, &self.data);
        object.member("fence", self.fence.0).member("issuer", self.issuer.as_str());
    }
}

/// Writes data so that it shows what it is: `data` when it is UTF-8, else `data64`.
pub(super) fn write_data(object: &mut Object<'_>, data: &Data) {
    match str::from_utf8(data.as_bytes()) {
        Ok(text) => object.member("data", text),
        Err(_) => object.member("data64", BASE64.encode(data.as_bytes())),
    };
}

/// The members of a ticket's data, as they came.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DataMembers {
    data: Option<String>,
    data64: Option<String>,
}

impl TryFrom<DataMembers> for Data {
    type Error = NotUnderstood;

    fn try_from(members: DataMembers) -> Result<Self, NotUnderstood> {
        let bytes = match (members.data, members.data64) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(text)) => BASE64.decode(text).map_err(|_| NotUnderstood("data64"))?,
            (None, None) => return Err(NotUnderstood("data")),
        };
        Self::new(&bytes).ok_or(NotUnderstood("data"))
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
        })
    }
}
