//! What any log of commands shares: their form as bytes. It may name the machine only; it knows no
//! files, no clock and nothing of the wire.

pub mod codec;
