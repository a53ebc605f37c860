//! A server's frame, as a client reads it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::understood::{NotUnderstood, there};

use super::answer::{ErrorMembers, Response};
use super::event::SocketEvent;
use super::state::{StateHead, StateLists};

/// What came from a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the members are the contract's")]
pub enum Received {
    /// The answer to a request; `None` is one to a request without a proper id.
    Answer { id: Option<u64>, response: Response },
    /// Lists of a large state, whose rest is to come.
    Part { id: Option<u64>, lists: StateLists },
    /// The answer to `hello` or `session`: the state, or its rest.
    State { id: Option<u64>, head: StateHead, lists: StateLists },
    /// An event.
    Event(SocketEvent),
    /// An event that this version does not know.
    Unknown,
}

/// The members of a frame, as they came.
#[derive(Debug, Deserialize)]
struct FrameMembers<'a> {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default, borrow)]
    ok: Option<&'a RawValue>,
    #[serde(default, borrow)]
    part: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<ErrorMembers>,
    #[serde(default)]
    event: Option<String>,
}

impl Received {
    /// Reads a server's frame.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn read(frame: &str) -> Result<Self, NotUnderstood> {
        let FrameMembers { id, ok, part, error, event } =
            serde_json::from_str(frame).map_err(|_| NotUnderstood("no such object"))?;
        if let Some(error) = error {
            return Ok(Self::Answer { id, response: error.try_into()? });
        }
        if let Some(part) = part {
            return Ok(Self::Part { id, lists: StateLists::read(part.get())? });
        }
        let Some(ok) = ok else {
            let event = there(event, "event")?;
            return Ok(SocketEvent::read(&event, frame)?.map_or(Self::Unknown, Self::Event));
        };
        match StateHead::read(ok.get())? {
            Some(head) => Ok(Self::State { id, head, lists: StateLists::read(ok.get())? }),
            None => Ok(Self::Answer { id, response: Response::read(ok.get())? }),
        }
    }
}
