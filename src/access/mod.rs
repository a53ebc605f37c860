//! Who may come in, and what each may do. Pure: it opens no file, reads no clock and draws nothing
//! at random; `now`, bytes of files and random bytes are arguments.
//!
//! ```text
//! file ─read_policy─▶ Policy ─┐
//!                             ▼
//! headers ─▶ Shown ─▶ Gate.prove(shown, address, now) ─▶ Subject: owner, rules, quotas, end
//!                             ▲                             │
//!                   a new file, a new now ◀────renewed──────┘
//! ```

mod failures;
mod file;
mod gate;
mod jwt;
mod needs;
mod owner;
mod pattern;
mod policy;
mod quotas;
mod remembered;
mod rights;
mod rule_shape;
mod rules;
mod shown;
mod subject;
mod table;
mod token;

pub use failures::{ADDRESSES_MAX, FAILURES_PER_MINUTE, FailureAnswer, Failures, LOOKS_PER_SECOND};
pub use file::{BadFile, FileFault, NamedFile, PolicyFile, read_policy};
pub use gate::{BAD_TOKEN, Denied, Gate, Moment};
pub use jwt::{BadKey, BadToken, RefusedToken, SigningAlgorithm};
pub use needs::Needs;
pub use owner::Ownership;
pub use pattern::Pattern;
pub use policy::Policy;
pub use quotas::Quotas;
pub use remembered::REMEMBERED_MAX;
pub use rights::{Right, Rights};
pub use rule_shape::BadRule;
pub use rules::{PRIORITY_MAX, Rule, Rules};
pub use shown::Shown;
pub use subject::{CertificateName, Subject};
pub use token::{Token, TokenHash, first_file};
