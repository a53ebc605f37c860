//! The wire: bytes to types and back, for REST and for the socket. serde lives here; IO does not.

pub mod code;
pub mod problem;
pub mod query;
pub mod rest;
pub mod socket;

pub use code::Code;
pub use problem::Problem;

use svix_ksuid::{Ksuid, KsuidLike};

use crate::machine::SessionId;

/// Length of an id as text.
const ID_LEN: usize = 27;

/// An id as text: the 27 characters of a KSUID.
#[must_use]
pub fn write_id(id: &SessionId) -> String {
    Ksuid::from_bytes(id.0).to_base62()
}

/// Reads an id; `None` for what no id looks like, which is then nobody's.
#[must_use]
pub fn read_id(text: &str) -> Option<SessionId> {
    if text.len() != ID_LEN || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let id = SessionId(*Ksuid::from_base62(text).ok()?.bytes());
    // Texts beyond the largest id would wrap round: only one text is an id's.
    (write_id(&id) == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_the_wire_and_nonsense_is_nobodys() {
        for byte in [0, 1, 0x7f, 0xff] {
            let id = SessionId([byte; 20]);
            assert_eq!(read_id(&write_id(&id)), Some(id));
        }
        let too_long = "z".repeat(28);
        for text in ["", "nope", &too_long[..27], &too_long, "0ujtsYcgvSTl8PAuAdqWYSMnLO/"] {
            assert_eq!(read_id(text), None, "{text}");
        }
    }
}
