//! Names that nobody can guess, drawn here because the machine draws nothing.

use std::sync::Arc;

use svix_ksuid::KsuidLike;

use crate::machine::SessionId;

use super::clock;

/// A new session's id.
pub(super) fn new_session_id() -> SessionId {
    SessionId(*ksuid().bytes())
}

/// A name for this run of the server.
pub(super) fn epoch() -> Arc<str> {
    ksuid().to_base62().into()
}

/// A number that no other run draws.
pub(super) fn number() -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&ksuid().bytes()[12..20]);
    u64::from_le_bytes(bytes)
}

/// The time in seconds and 128 random bits.
fn ksuid() -> svix_ksuid::Ksuid {
    /// Seconds from 1970 to the epoch of KSUIDs.
    const KSUID_EPOCH_S: u64 = 1_400_000_000;
    let seconds = (clock::wall_ms() / 1000).saturating_sub(KSUID_EPOCH_S);
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    svix_ksuid::Ksuid::new_raw(seconds, None)
}
