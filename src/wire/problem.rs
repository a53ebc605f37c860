//! An error as it is told: one line of text, as the original does, or an RFC 9457 document.

use serde::Serialize;

use crate::machine::Refusal;

use super::code::Code;
use super::json::json;

/// What went wrong, for a reader and for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code.
    pub code: Code,
    /// One line for a person.
    pub detail: String,
}

impl Problem {
    /// A problem with a line of its own.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// A request that makes no sense.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    /// The text/plain form.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}\n", self.detail)
    }

    /// The application/problem+json form.
    #[must_use]
    pub fn document(&self) -> String {
        document(self.code.status(), Some(self.code.as_str()), &self.detail)
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
