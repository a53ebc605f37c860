//! The audit trail: who was granted what, which hold ended and why, who was refused. A JSON object
//! a line, written by a thread of its own; whoever has something to tell never waits for it.

mod line;
mod trail;
mod writer;

pub use line::{AuditLine, AuditWhat};
pub use trail::{Audit, AuditTarget, LINES_WAITING_MAX};
