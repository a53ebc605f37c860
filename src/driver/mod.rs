//! The driver: the one owner of machine and deadlines, and the only clock. It knows nothing of
//! HTTP or JSON.
//!
//! ```text
//! REST handler ─┐                                          ┌─ oneshot ─▶ REST handler
//! socket reader ┴▶ doors ─▶ visit ─▶ state.submit ─ reply ─┤
//!   command +      lock, now, due,   machine.apply         └─ outbox ──▶ socket writer
//!   ReplyTo        mode                │ changed │ events       ▲ from its position on
//! timer ─────────▶ visit               ▼         ▼              │
//!                             commit::buffer   route ─▶ sessions, waits, undelivered, outboxes
//!                                      └▶ writer ─▶ journal ─▶ commit::watermark
//! ```
//!
//! With a log that orders first, `submit` puts the command and its `ReplyTo` into a queue instead;
//! the writer makes batches of it, and what the log has ordered is applied, replied and routed as
//! above. Who looks at the state waits in the same queue (`state::turns`).
//!
//! The machine is reached under one short lock, by one door (`visit`). Each visit first applies
//! what is due, then its own command; its reply is delivered, and what it announces is routed into
//! tables and outboxes. Nothing is awaited meanwhile. Each answer and event bears a log position
//! and leaves when all that was applied up to there is durable.
//!
//! Floors, lowest first: clock, meters, mode, ids · commit · outbox · state · visit · timer,
//! handle · doors · writer. None names one above it.

mod clock;
mod commit;
mod doors;
mod handle;
mod ids;
mod meters;
mod mode;
mod outbox;
mod state;
mod timer;
mod visit;
mod writer;

pub use commit::watermark::LogPosition;
pub use doors::draining::Readiness;
pub use doors::request::{Answer, NewSession, Pin};
pub use doors::socket::{Asked, Connection, NotAttached, reason};
pub use doors::streams::{NotFollowed, ResourceStream};
pub use doors::views::{Seen, Viewed, WHOLE_MAX};
pub use handle::{Driver, Status};
pub use meters::DriverMeters;
pub use mode::Unavailable;
pub use outbox::bounds::MESSAGE_COST_BYTES;
pub use outbox::coalesce::ChangeEvent;
pub use outbox::looked::{Lefts, Looked};
pub use outbox::message::{Answered, Ending, Message, RequestMark, WholeState};
pub use outbox::watched::WatchedHolders;
pub use outbox::{Next, OUTBOX_BYTES_MAX, OUTBOX_MESSAGES_MAX, Outbox};
pub use state::address::Outsider;
pub use state::speaker::{PING_MAX_MS, ping_ms};
pub use state::verdict::{SessionFacts, Verdict};
pub use writer::config::{Durability, PersistenceConfig, PersistenceError, PersistenceStatus};
pub use writer::cycle::{Cycle, JournalWriter};
pub use writer::ordering::OrderingWriter;
pub use writer::thread::WriterThread;
