//! The journal: nothing that was durable is lost, whatever happens, and what was lost is told.

mod crashes;
mod damage;
mod directory;
mod failures;
mod first_version;
mod flips;
mod full_samples;
mod owner_samples;
mod samples;
mod snapshots;
mod support;
