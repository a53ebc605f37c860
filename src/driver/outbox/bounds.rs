//! What is reckoned for what waits to be read.

/// What a message costs beside its names and data, in bytes.
pub const MESSAGE_COST_BYTES: usize = 64;
