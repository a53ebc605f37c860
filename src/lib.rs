//! ticketd: a coordination server that pushes.
#![warn(missing_docs, unreachable_pub)]

pub mod deadlines;
pub mod machine;
