//! How far what was applied is safe: what is on its way to the log, and up to where the log has it.

pub(super) mod buffer;
pub(super) mod waker;
pub(super) mod watermark;
