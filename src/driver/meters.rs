//! What the driver measures.

use crate::meters::Histogram;

/// What the driver measures.
#[derive(Debug, Default)]
pub struct DriverMeters {
    /// How long the disk takes to say that something is safe.
    pub syncs: Histogram,
    /// How late what falls due is carried out.
    pub lateness: Histogram,
}
