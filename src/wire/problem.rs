//! An error as it is told: one line of text, as the original does, or an RFC 9457 document.

use serde::Serialize;

use crate::machine::{BlockedSession, Name, Refusal, SessionId, SessionName, SessionRef};

use super::code::Code;
use super::json::json;

/// What went wrong, for a reader and for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// One line for a person.
    pub detail: String,
    /// Of a deadlock, those who wait for each other, the one who asked first.
    pub cycle: Vec<Blocked>,
    /// When to try again what is refused for now, in s.
    pub retry_after_s: u32,
}

/// A session that waits in a circle of such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// What it is called.
    pub session: SessionName,
    /// What it is called where its id must not be told.
    pub session_ref: SessionRef,
    /// What it waits for.
    pub waits: Name,
}

impl Blocked {
    /// What is told of one.
    #[must_use]
    pub fn new(blocked: &BlockedSession, session_ref: impl Fn(&SessionId) -> SessionRef) -> Self {
        let BlockedSession { session, resource } = blocked;
        let (name, session_ref) = (session.name.clone(), session_ref(&session.id));
        Self { session: name, session_ref, waits: resource.clone() }
    }
}

/// The members of one of them.
#[derive(Serialize)]
struct BlockedMembers<'a> {
    session: &'a str,
    r#ref: String,
    waits: &'a str,
}

impl<'a> From<&'a Blocked> for BlockedMembers<'a> {
    fn from(blocked: &'a Blocked) -> Self {
        let Blocked { session, session_ref, waits } = blocked;
        let (session, waits) = (session.as_str(), waits.as_str());
        Self { session, r#ref: session_ref.to_string(), waits }
    }
}

impl Problem {
    /// A problem with a line of its own.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), cycle: Vec::new(), retry_after_s: 1 }
    }

    /// A request that makes no sense.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    /// A wait that would never end: those who would wait for each other.
    #[must_use]
    pub fn deadlock(cycle: Vec<Blocked>) -> Self {
        Self { cycle, ..Self::new(Code::Deadlock, "it would wait for ever") }
    }

    /// The circle as JSON, if there is one.
    pub(super) fn written_cycle(&self) -> Option<String> {
        let cycle: Vec<BlockedMembers<'_>> = self.cycle.iter().map(Into::into).collect();
        (!cycle.is_empty()).then(|| json(&cycle))
    }

    /// The text/plain form.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}\n", self.detail)
    }

    /// The application/problem+json form.
    #[must_use]
    pub fn document(&self) -> String {
        let mut text = document(self.code.status(), Some(self.code.as_str()), &self.detail);
        if let Some(cycle) = self.written_cycle() {
            text.truncate(text.len() - 1);
            text += &format!(",\"cycle\":{cycle}}}");
        }
        text
    }
}

/// An RFC 9457 document; without a code for what HTTP itself says (no such path, no such method).
#[must_use]
pub fn document(status: u16, code: Option<&str>, detail: &str) -> String {
    #[derive(Serialize)]
    struct Document<'a> {
        r#type: &'a str,
        title: &'a str,
        status: u16,
        detail: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'a str>,
    }
    let title = code.unwrap_or(detail);
    json(&Document { r#type: "about:blank", title, status, detail, code })
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.into(), refusal.to_string())
    }
}
