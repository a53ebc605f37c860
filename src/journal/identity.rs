//! Tells files apart: by what a journal draws once a run, each of its segments has an identity.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What the journal cannot know by itself.
#[derive(Clone, Copy, Debug)]
pub struct JournalOptions {
    /// A random number: no two runs have the same. Records of different files never chain.
    pub identity: u64,
}

impl JournalOptions {
    /// Differs for each segment, and each try to make it.
    pub(super) fn identity_of(self, segment: u64, attempt: u64) -> u64 {
        let seed = xxh3_64_with_seed(&attempt.to_le_bytes(), self.identity);
        xxh3_64_with_seed(&segment.to_le_bytes(), seed)
    }
}
