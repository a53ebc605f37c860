//! Who a session is.

use super::id::SessionId;
use super::name::SessionName;
use super::time::Ttl;

/// Who a session is, as others see it. Shared, so that grants are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub name: SessionName,
    /// Its TTL.
    pub ttl: Ttl,
    /// The address it was opened from.
    pub source: Box<str>,
}
