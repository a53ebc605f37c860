//! Why a socket ends, as its client is told.

use std::error::Error;

use tokio_tungstenite::tungstenite;

use crate::driver::{Ending, reason};
use crate::wire::socket::close;

/// Why a socket ends, as its client is told; `None` when it cannot be told.
pub(super) type End = Option<(u16, &'static str)>;

/// What a client is told of an error of its own making; `None` when the line is cut.
pub(super) fn end_of_error(why: &(dyn Error + 'static)) -> End {
    let mut cause = Some(why);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<tungstenite::Error>() {
            return match error {
                tungstenite::Error::Capacity(_) => Some((close::TOO_LARGE, "frame too large")),
                tungstenite::Error::Utf8(_) => Some((close::PROTOCOL, "not UTF-8")),
                tungstenite::Error::Protocol(
                    tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                ) => None,
                tungstenite::Error::Protocol(_) => Some((close::PROTOCOL, "protocol error")),
                _ => None,
            };
        }
        cause = error.source();
    }
    None
}

/// What a client is told when the driver ends its socket.
pub(super) fn told(ending: Ending) -> End {
    Some(match ending {
        Ending::Bye => (close::BYE, "bye"),
        Ending::SessionEnded(why) => (close::SESSION_ENDED, reason(why)),
        Ending::Unauthorized => (close::UNAUTHORIZED, "unauthorized"),
        Ending::Replaced => (close::REPLACED, "replaced"),
        Ending::TooSlow => (close::TOO_SLOW, "too slow"),
        Ending::GoingAway => (close::GOING_AWAY, "going away"),
        // Its own close is answered.
        Ending::Closed => return None,
        Ending::Fault(code, reason) => (code, reason),
    })
}
