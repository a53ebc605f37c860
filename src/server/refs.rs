//! What sessions are called where their ids must not be told.

use aws_lc_rs::digest::{SHA256, digest};

use crate::machine::{SessionId, SessionRef};
use crate::wire::write_id;

/// The first 8 bytes of the SHA-256 of an id, as it is written.
pub(crate) fn session_ref(session: &SessionId) -> SessionRef {
    let hash = digest(&SHA256, write_id(session).as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_ref()[..8]);
    SessionRef(bytes)
}
